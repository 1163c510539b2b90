"""ConnectionSettings: which server, how to reach it, and how to identify ourselves to it.

Only values: nothing is opened here, and no library is needed. `pool` makes connections from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable
from urllib.parse import SplitResult, urlsplit

from ..argument_types import check_field_types, check_type, make_path, make_texts, make_tuple
from .errors import InvalidSettings

if TYPE_CHECKING:
    from .proof_key import ProofKey

#: RFC 6750 §2.1, and RFC 9449 §7.1. Anything else would be refused by the server, or would end the header.
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")

#: A day. Sockets refuse some larger numbers, and nobody waits that long.
MAX_TIMEOUT_S = 86_400

#: Set for each request by the client itself.
_OWN_HEADERS = frozenset({"authorization", "content-length", "content-type", "dpop", "host"})


@runtime_checkable
class TokenSource(Protocol):
    """Provides the token. Several threads may call it at once."""

    def token(self) -> str | DPoPToken | None:
        """The token to send, called before each request. A str is a bearer token; None sends no token."""

    def renew(self) -> bool:
        """Called when the server says that the token has expired.

        True means that `token` now returns another one, and the request is repeated once.
        """


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that is never renewed."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_token(self.value)

    def token(self) -> str:
        return self.value

    def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class DPoPToken:
    """A token that is bound to a key (RFC 9449), and that key, which signs a proof for each request.

    It is a TokenSource by itself, which renews nothing. Raises InvalidSettings for a text that is not a token.
    """

    value: str = field(repr=False)
    key: ProofKey

    def __post_init__(self) -> None:
        _check_token(self.value)

    def token(self) -> Self:
        return self

    def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class PEMPair:
    """A client certificate with its chain, and its private key. key: may be in the same file."""

    certificate: Path
    key: Path
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_types(self, "certificate", "key")


@dataclass(frozen=True, slots=True)
class PKCS12File:
    """A client certificate and its private key in one file."""

    path: Path
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_types(self, "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """An HTTP proxy.

    exclusion_list: hosts that are reached without it: names, which include their subdomains, addresses, networks
    (``10.0.0.0/8``), or ``*``.
    custom_auth_header: the value of Proxy-Authorization, in place of a name and a password.
    """

    url: str = field(repr=False)  # may hold a password
    exclusion_list: tuple[str, ...] = ()
    basic_auth_username: str | None = None
    basic_auth_password: str | None = field(default=None, repr=False)
    custom_auth_header: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        hosts = make_texts(self.exclusion_list, "exclusion_list")
        object.__setattr__(self, "exclusion_list", hosts)
        _check_types(self)
        _check_url("the proxy's URL", self.url)
        if self.custom_auth_header is not None:
            if self.basic_auth_username is not None:
                raise InvalidSettings(
                    "the proxy has a user name and an authorization header: give one of them"
                )
            if not _HEADER_VALUE.fullmatch(self.custom_auth_header):
                raise InvalidSettings(
                    "the proxy's authorization header has characters of no header"
                )
        if (self.basic_auth_username is None) != (self.basic_auth_password is None):
            raise InvalidSettings("the proxy's user name and password belong together: give both")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How to reach a server. Raises InvalidSettings for settings that make no sense, TypeError for those of a wrong type.

    server_url: ``http(s)://host[:port][/prefix]``.
    verified_cert: PEM, the only certificate that the server may have.
    ca_file: PEM, in place of the system's authorities.
    cipher_suites: OpenSSL's names, separated by colons.
    timeout_s: for a connection, and for each wait for an answer.
    """

    server_url: str
    accept_invalid_certs: bool = False
    verified_cert: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    client_certificate: PEMPair | PKCS12File | None = None
    proxy: ProxySettings | None = None
    custom_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cipher_suites: str | None = None
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        headers = make_tuple(self.custom_headers, "custom_headers")
        object.__setattr__(self, "custom_headers", headers)
        _check_types(self, "ca_file")
        url = _check_url("the server's URL", self.server_url)
        if url.username is not None:
            raise InvalidSettings("the server's URL has a user name: the token says who calls")
        for name, value in self.custom_headers:
            _check_header(name, value)
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise InvalidSettings(f"timeout_s must be between 0 and {MAX_TIMEOUT_S:,} seconds")

    @property
    def prefix(self) -> str:
        """The path in front of the server's own, without a slash at its end."""
        return urlsplit(self.server_url).path.rstrip("/")


def _check_types(instance: object, *paths: str) -> None:
    """paths: the fields that are paths, for which a text is taken, too. Raises TypeError."""
    for name in paths:
        path = make_path(getattr(instance, name), name)
        object.__setattr__(instance, name, None if path is None else Path(path))
    check_field_types(instance)


def _check_token(token: str) -> None:
    check_type(token, str, "token")
    if not token:
        raise InvalidSettings("the token is empty: leave it out where there is none")
    if not _BEARER_TOKEN.fullmatch(token):
        raise InvalidSettings(
            "the token has characters that no bearer token has: give it without quotes and spaces"
        )


def _check_url(subject: str, url: str) -> SplitResult:
    """The parts of an http(s) URL. The text of the error does not repeat the URL, which may contain a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidSettings(f"{subject} is not a URL: write https://host:port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidSettings(f"{subject} is not a URL of http or https: write https://host:port")
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise InvalidSettings(f"{subject} has more than a host, a port and a path")
    return parts


def _check_header(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise InvalidSettings("a custom header has characters that no header has")
    if name.lower() in _OWN_HEADERS:
        raise InvalidSettings(f"the header {name} is the client's own: leave it out")
