"""What `kmsctl configure` and `login` ask a server: which issuers it trusts, and which DPoP proofs it accepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ...blocking import NoToken
from ...calls.access import server_version
from ...connection import ConnectionSettings
from ...errors import AccessDenied, ClientError, UnexpectedAnswer
from ...exchanges import Exchange, call_json
from ...transport import Transport

#: RFC 9728 §3.1: it stands before the path under which a server is mounted.
METADATA_PATH = "/.well-known/oauth-protected-resource"

#: A sign-in needs no server, and so does not wait long for one that does not answer.
_PROOFS_TIMEOUT_S = 3.0

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says about itself. issuers: those whose tokens it accepts; none where it needs no token."""

    version: str
    issuers: tuple[str, ...]


def ask_server(settings: ConnectionSettings) -> ServerFacts:
    """The facts about the server. Raises ClientError where it does not answer as one of ours or Cosmian's."""
    with_prefix = _run(settings, server_version())
    try:
        issuers = _read_issuers(_fetch_metadata(settings))
    except (UnexpectedAnswer, AccessDenied):  # cKMS has no such page
        issuers = ()
    return ServerFacts(with_prefix, issuers)


def ask_for_proofs(settings: ConnectionSettings) -> frozenset[str]:
    """The algorithms of DPoP proofs that the server accepts; none where it does not answer, or not as one of ours."""
    try:
        document = _fetch_metadata(replace(settings, timeout_s=_PROOFS_TIMEOUT_S))
    except ClientError:
        return frozenset()
    # Proofs name the URL that is asked here: they are good only if the server goes by the same one.
    if not isinstance(document, dict) or not _is_same_url(
        document.get("resource"), settings.server_url
    ):
        return frozenset()
    algorithms = document.get("dpop_signing_alg_values_supported")
    return frozenset(
        [name for name in algorithms if isinstance(name, str)]
        if isinstance(algorithms, list)
        else []
    )


def _fetch_metadata(settings: ConnectionSettings) -> Any:
    origin = replace(settings, server_url=_origin(settings.server_url))
    return _run(
        origin, call_json("GET", METADATA_PATH + settings.prefix, lambda document: document)
    )


def _run(settings: ConnectionSettings, exchange: Exchange[Any]) -> Any:
    transport = Transport(settings, NoToken(), None)
    try:
        return transport.run(exchange)
    finally:
        transport.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_same_url(url: Any, other: str) -> bool:
    try:
        return isinstance(url, str) and _normalise(url) == _normalise(other)
    except ValueError:
        return False


def _normalise(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _read_issuers(document: Any) -> tuple[str, ...]:
    servers = document.get("authorization_servers", []) if isinstance(document, dict) else []
    if not isinstance(servers, list):
        return ()
    return tuple(server for server in servers if isinstance(server, str) and server.isprintable())
