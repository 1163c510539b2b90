"""PublicURL: the URL by which clients reach this server, which it names in metadata and challenges (RFC 9728).

A client sends its token where that URL leads. So the Host in a request is repeated only if this server listens for it.
Otherwise anybody who can choose the Host (a page with DNS rebinding, a proxy that passes on whatever it is asked for, a
cache in between) could choose where tokens are sent.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from ..auth.issuers.issuer_urls import is_loopback_host
from ..crypto.tls.host_names import is_named
from ..networks import parse_address

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERY_INTERFACE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # compared only


class PublicURL:
    """The base of the URLs that the server names.

    configured: the value of --public-url, without a slash at its end; empty where it is not set.
    hostname: what the server listens on; empty where an application does.
    certificate_names: of the server's certificate (`crypto.tls.host_names`); set again when that is read again.
    """

    def __init__(
        self,
        configured: str = "",
        hostname: str = "",
        certificate_names: frozenset[str] = frozenset(),
    ) -> None:
        self._configured = configured
        self._hostname = hostname.lower()
        self.certificate_names = certificate_names

    @property
    def path(self) -> str:
        """The path of the configured URL, which a proxy removes; empty without one."""
        return urlsplit(self._configured).path

    def find_base(self, request: HTTPServerRequest) -> str:
        """The configured URL; else scheme and Host of the request, if the server listens for that.

        Otherwise it is the address on which the server listens: the configured host, or that of the request's
        connection if the host stands for all addresses.
        """
        return self._find_base(request, self.certificate_names)

    def find_proven_base(self, request: HTTPServerRequest) -> str:
        """As find_base, but for the URL of a DPoP proof: a wildcard in the certificate makes no Host acceptable.

        Another server may have the same certificate, and could pass on the proofs that were made for it.
        """
        return self._find_base(
            request, frozenset([name for name in self.certificate_names if "*" not in name])
        )

    def _find_base(self, request: HTTPServerRequest, names: frozenset[str]) -> str:
        if self._configured:
            return self._configured
        protocol, local = request.protocol, _find_local_address(request)
        if local is None:
            return f"{protocol}://{_format_host(self._hostname or 'localhost')}"
        local_host, port = local
        host = local_host if self._hostname in _EVERY_INTERFACE else self._hostname
        if host_match := _HOST.fullmatch(request.host):
            name = host_match[1].strip("[]").lower()
            asked_port = int(host_match[2] or _DEFAULT_PORTS[protocol])
            if asked_port == port and self._is_listened_for(name, local_host, names):
                host = name
        suffix = "" if port == _DEFAULT_PORTS[protocol] else f":{port}"
        return f"{protocol}://{_format_host(host)}{suffix}"

    def _is_listened_for(self, name: str, local_host: str, names: frozenset[str]) -> bool:
        if name == self._hostname and name not in _EVERY_INTERFACE:
            return True
        if is_loopback_host(name):
            return is_loopback_host(local_host)
        address = parse_address(name)
        if address is not None and address == parse_address(local_host):
            return True
        return is_named(name, names)


def _format_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _find_local_address(request: HTTPServerRequest) -> tuple[str, int] | None:
    """The address and port to which the client connected; None on a Unix socket, and once the connection is closed."""
    stream: Any = getattr(request.connection, "stream", None)
    try:
        host, port = stream.socket.getsockname()[:2]
        address = parse_address(host)
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return None if address is None else (str(address), int(port))
