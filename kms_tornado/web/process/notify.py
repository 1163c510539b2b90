"""Tells the service manager that the server has started (sd_notify(3)), with a datagram and without a library."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("kms_tornado.server")


def notify_manager(state: str) -> None:
    """Send the state (``READY=1``, ``STOPPING=1``) to systemd, if it asked for that with $NOTIFY_SOCKET.

    Never fails: a server that serves does not end because nobody listens to it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract name space
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.connect(address)
            sender.sendall(state.encode())
    except OSError as exc:
        log.warning("the service manager was not told %s: %s", state, exc.strerror)
