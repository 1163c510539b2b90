"""The ports that a server listens on: their sockets, and the URLs that lead to them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tornado.netutil import bind_sockets

from ...errors import ConfigurationError
from ...settings.kmip import DEFAULT_PORT
from ...settings.server import Settings


class Sockets(NamedTuple):
    """The listening sockets: for HTTP, for the metrics if they have a port of their own, and for KMIP over TLS."""

    http: Sequence[socket.socket]
    metrics: Sequence[socket.socket]
    kmip: Sequence[socket.socket]

    def close_for_all(self) -> None:
        """Close them even though other processes have them open, too: new connections are then refused immediately.

        A worker that is busy, or only starting, would keep them waiting until it closes its own.
        """
        for one in (*self.http, *self.metrics, *self.kmip):
            with contextlib.suppress(OSError):  # only Linux shuts down a socket that listens
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def open_all(settings: Settings) -> Sockets:
    """Bind everything that is configured.

    Raises ConfigurationError for a host that does not exist, and OSError for what may pass by itself: a port that is in
    use, an address that this machine does not have, a name service that does not answer.
    """
    opened: list[list[socket.socket]] = []
    try:
        for open_some in (open_sockets, open_metrics_sockets, open_kmip_sockets):
            opened.append(open_some(settings))
    except BaseException:
        _close(one for sockets in opened for one in sockets)
        raise
    return Sockets(*opened)


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def open_sockets(settings: Settings) -> list[socket.socket]:
    """Bind the configured host and port, with one socket for each address of the host.

    Raises the errors of `open_all`.
    """
    return _bind(settings.hostname, settings.port, "hostname")


def open_metrics_sockets(settings: Settings) -> list[socket.socket]:
    """The same for the metrics; none where they have no port of their own."""
    if settings.metrics_listen is None:
        return []
    return _bind(*settings.metrics_listen, "metrics_listen")


def open_kmip_sockets(settings: Settings) -> list[socket.socket]:
    """The same for KMIP over TLS; none where it is off."""
    if not settings.has_kmip:
        return []
    port, host = settings.kmip.kmip_port, settings.kmip_hostname
    if port is not None:
        return _bind(host, port, "kmip_hostname")
    try:
        return _bind(host, DEFAULT_PORT, "kmip_hostname")
    except OSError:  # another server of --dev has it, and nobody asked for this one
        return _bind(host, 0, "kmip_hostname")


def try_ports(settings: Settings) -> None:
    """Listen for a moment, to find out in advance what `open_all` would raise.

    The sockets are not kept: clients would connect, and wait, while the start goes on or fails.
    """
    sockets = open_all(settings)
    _close((*sockets.http, *sockets.metrics, *sockets.kmip))


def _bind(host: str, port: int, setting: str) -> list[socket.socket]:
    try:
        return bind_sockets(port, host)
    except socket.gaierror as exc:
        if exc.errno != socket.EAI_AGAIN:  # there is no such name, whoever is asked
            raise ConfigurationError(f"{host}: {exc.strerror}", setting) from None
        raise OSError(f"cannot listen on {host}, port {port}: {exc.strerror}") from None
    except OSError as exc:  # an address that this machine does not have may still come to it
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        raise OSError(exc.errno, f"cannot listen on {host}, port {port}: {reason}") from None


def server_url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The URL for the start-up log line, with the actual port where port 0 is configured."""
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{_format_host(settings.hostname)}:{sockets[0].getsockname()[1]}"


def kmip_address(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The host and the actual port of KMIP over TLS, for the start-up log line."""
    return f"{_format_host(settings.kmip_hostname)}:{sockets[0].getsockname()[1]}"


def metrics_url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """The same for the sockets of the metrics."""
    assert settings.metrics_listen is not None
    host = _format_host(settings.metrics_listen[0])
    return f"http://{host}:{sockets[0].getsockname()[1]}/metrics"


def _format_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
