"""What `kmsctl configure` asks a server before it is written down: whether it answers, and who its issuer is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ...blocking import NoToken
from ...calls.access import server_version
from ...connection import ConnectionSettings
from ...errors import AccessDenied, UnexpectedAnswer
from ...exchanges import Exchange, call_json
from ...transport import Transport

#: RFC 9728 §3.1: it stands before the path under which a server is mounted.
METADATA_PATH = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """issuers: those that the server takes tokens from, as it says; none where it needs no token."""

    version: str
    issuers: tuple[str, ...]


def ask_server(settings: ConnectionSettings) -> ServerFacts:
    """Raises ClientError where the server does not answer as one of ours or Cosmian's does."""
    with_prefix = _run(settings, server_version())
    try:
        origin = replace(settings, server_url=_origin(settings.server_url))
        issuers = _run(origin, call_json("GET", METADATA_PATH + settings.prefix, _read_issuers))
    except (UnexpectedAnswer, AccessDenied):  # cKMS has no such page
        issuers = ()
    return ServerFacts(with_prefix, issuers)


def _run(settings: ConnectionSettings, exchange: Exchange[Any]) -> Any:
    transport = Transport(settings, NoToken(), None)
    try:
        return transport.run(exchange)
    finally:
        transport.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _read_issuers(document: Any) -> tuple[str, ...]:
    servers = document.get("authorization_servers", []) if isinstance(document, dict) else []
    if not isinstance(servers, list):
        return ()
    return tuple(server for server in servers if isinstance(server, str) and server.isprintable())
