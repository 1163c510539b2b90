"""The port that a server listens on: its sockets, and the URL that leads to them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

from tornado.netutil import bind_sockets

from ...errors import ConfigurationError
from ...settings import Settings


def open_sockets(settings: Settings) -> list[socket.socket]:
    """Bind the configured host and port, one socket for each address of the host.

    Raises ConfigurationError for a host that is not this machine, OSError for a port that is not free.
    """
    host, port = settings.hostname, settings.port
    try:
        return bind_sockets(port, host)
    except socket.gaierror as exc:
        raise ConfigurationError(f"{host}: {exc.strerror}", "hostname") from None
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        if exc.errno == errno.EADDRNOTAVAIL:
            raise ConfigurationError(f"{host}: {reason}", "hostname") from None
        raise OSError(exc.errno, f"cannot listen on {host}, port {port}: {reason}") from None


def try_port(settings: Settings) -> None:
    """Listen for a moment, to find out now what `open_sockets` would raise later.

    The sockets are not kept: clients would connect, and wait, while the start goes on or fails.
    """
    for one in open_sockets(settings):
        one.close()


def server_url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The URL for the start-up log line, with the actual port where port 0 is configured."""
    host = f"[{settings.hostname}]" if ":" in settings.hostname else settings.hostname
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{host}:{sockets[0].getsockname()[1]}"
