"""The ports that a server listens on: their sockets, and the URLs that lead to them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence

from tornado.netutil import bind_sockets

from ...errors import ConfigurationError
from ...settings import Settings


def open_sockets(settings: Settings) -> list[socket.socket]:
    """Bind the configured host and port, one socket for each address of the host.

    Raises ConfigurationError for a host that is not this machine, OSError for a port that is not free.
    """
    return _bind(settings.hostname, settings.port, "hostname")


def open_metrics_sockets(settings: Settings) -> list[socket.socket]:
    """The same for the metrics; none where they have no port of their own."""
    if settings.metrics_listen is None:
        return []
    return _bind(*settings.metrics_listen, "metrics_listen")


def try_ports(settings: Settings) -> None:
    """Listen for a moment, to find out now what the functions above would raise later.

    The sockets are not kept: clients would connect, and wait, while the start goes on or fails.
    """
    sockets = open_sockets(settings)
    try:
        sockets += open_metrics_sockets(settings)
    finally:
        for one in sockets:
            one.close()


def close_for_all(sockets: Iterable[socket.socket]) -> None:
    """Close sockets that other processes have open as well: new connections are refused at once.

    A worker that is busy, or only starting, would keep them waiting until it closes its own.
    """
    for one in sockets:
        with contextlib.suppress(OSError):  # only Linux shuts down a socket that listens
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def _bind(host: str, port: int, setting: str) -> list[socket.socket]:
    try:
        return bind_sockets(port, host)
    except socket.gaierror as exc:
        raise ConfigurationError(f"{host}: {exc.strerror}", setting) from None
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        if exc.errno == errno.EADDRNOTAVAIL:
            raise ConfigurationError(f"{host}: {reason}", setting) from None
        raise OSError(exc.errno, f"cannot listen on {host}, port {port}: {reason}") from None


def server_url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The URL for the start-up log line, with the actual port where port 0 is configured."""
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{_format_host(settings.hostname)}:{sockets[0].getsockname()[1]}"


def metrics_url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The same for the sockets of the metrics."""
    assert settings.metrics_listen is not None
    host = _format_host(settings.metrics_listen[0])
    return f"http://{host}:{sockets[0].getsockname()[1]}/metrics"


def _format_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
