"""What a Tornado request and its connection tell of the URL that was asked for, and of the client's certificate."""

from __future__ import annotations

from ssl import SSLError
from typing import Any

from tornado.httputil import HTTPServerRequest

from ...auth.issuers.issuer_urls import is_loopback_host


def find_request_url(request: HTTPServerRequest, public_url: str | None) -> str | None:
    """The URL by which the client reached the application; None where it is not known.

    public_url: its base. Without one, the Host header is believed only on a loopback address: elsewhere it may be the
    name of another server, for which the client made its proof, and which now passes the proof on. A request target
    that does not begin with a slash could likewise continue the host's name, so no URL is known for it.
    """
    if not request.path.startswith("/"):
        return None
    if public_url is not None:
        return public_url + request.path
    if is_loopback_host(request.host_name.strip("[]")) and is_loopback_host(
        _find_local_host(request)
    ):
        return f"{request.protocol}://{request.host}{request.path}"
    return None


def find_tls_certificate(request: HTTPServerRequest) -> bytes | None:
    """The certificate that the peer presented in the TLS handshake, in DER; None without one."""
    stream: Any = getattr(request.connection, "stream", None)
    try:
        certificate: bytes | None = stream.socket.getpeercert(binary_form=True)
    except (AttributeError, SSLError, ValueError):  # without TLS, or in a handshake still
        return None
    return certificate


def _find_local_host(request: HTTPServerRequest) -> str | None:
    """The address that the client connected to; None on a Unix socket, and once the connection is closed."""
    stream: Any = getattr(request.connection, "stream", None)
    try:
        host = stream.socket.getsockname()[0]
    except (AttributeError, OSError, IndexError):
        return None
    return host if isinstance(host, str) else None
