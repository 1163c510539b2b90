"""The questions of `kmsctl configure`.

Each is answered by a flag, else by a person, else by what was configured before.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...configuration.configuration import Configuration, OAuth2Configuration
from ...errors import ConnectionFailed
from ..output import say, warn
from .server_check import ServerFacts, ask_server

#: Where a server listens unless it is told otherwise.
LOCAL_SERVER = "http://localhost:9998"

#: What the client is called at an issuer where nobody chose another name.
CLIENT_ID = "kmsctl"

#: Keys that mean nothing to another issuer, and would send it what is not for it.
OF_AN_ISSUER = ("authorize_url", "token_url", "device_authorization_url", "client_secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The answers on the command line. None and () mean that there is none."""

    server_url: str | None
    ca_file: Path | None
    issuer: str | None
    authorize_url: str | None
    token_url: str | None
    client_id: str | None
    scopes: tuple[str, ...]
    without_login: bool
    without_check: bool


def ask(question: str, flag: str, *, known: str | None, proposed: str | None = None) -> str:
    """A person's answer.

    known: what was configured before. It is proposed to the person, and without a person it is the answer.
    Raises click.UsageError where nothing is known and nobody can be asked.
    """
    if is_anybody_there():
        proposal = known or proposed or ""
        answer = click.prompt(question, default=proposal, show_default=bool(proposal), err=True)
        return str(answer).strip()
    if known is None:
        raise click.UsageError(f"{flag} is missing, and nobody is here to be asked: add it")
    return known


def is_anybody_there() -> bool:
    """Whether a person can see questions and answer them."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_for_server(flags: Flags, current: Configuration) -> str:
    """The server's URL. current: the configuration, with the environment taking precedence."""
    if flags.server_url is not None:
        return flags.server_url
    known = current.server_url
    return ask("URL of the server", "--server-url", known=known, proposed=LOCAL_SERVER)


def check_server(
    flags: Flags, configuration: Configuration
) -> tuple[Configuration, ServerFacts | None]:
    """Try the server. If its certificate is not trusted, ask for the authority that vouches for it."""
    settings = configuration.connection_settings  # refuses what is no URL
    if flags.without_check:
        return configuration, None
    try:
        return configuration, ask_server(settings)
    except ConnectionFailed as exc:
        is_untrusted = "certificate" in str(exc) and configuration.ca_file is None
        if not (is_untrusted and is_anybody_there()):
            raise
        warn(str(exc))
    path = ask("File with its authority, PEM", "--ca-file", known=None)
    configuration = replace(configuration, ca_file=Path(path).expanduser().absolute())
    return configuration, ask_server(configuration.connection_settings)


def ask_for_login(
    flags: Flags, current: OAuth2Configuration | None, facts: ServerFacts | None
) -> dict[str, Any]:
    """The changes to ``[http_config.oauth2_conf]``; none where no sign-in is wanted."""
    if flags.without_login:
        return {}
    before = current or OAuth2Configuration()
    login: dict[str, Any] = {}
    urls = flags.authorize_url or before.authorize_url, flags.token_url or before.token_url
    if flags.issuer is not None or before.issuer is not None or not all(urls):
        issuer = flags.issuer or _ask_for_issuer(before.issuer, facts)
        if not issuer:
            return {}
        login["issuer"] = issuer
        if issuer != before.issuer:  # what belonged to another one
            login |= dict.fromkeys(OF_AN_ISSUER)
    login["client_id"] = flags.client_id or ask(
        "Client ID", "--client-id", known=before.client_id, proposed=CLIENT_ID
    )
    scopes = flags.scopes or _ask_for_scopes(before.scopes)
    login["scopes"] = scopes or None
    endpoints = {"authorize_url": flags.authorize_url, "token_url": flags.token_url}
    return login | {name: url for name, url in endpoints.items() if url is not None}


def _ask_for_issuer(before: str | None, facts: ServerFacts | None) -> str:
    issuers = () if facts is None else facts.issuers
    if before is None and len(issuers) > 1:
        say(f"The server takes tokens of {', '.join(issuers)}.")
    known = before or (issuers[0] if len(issuers) == 1 else None)
    proposed = issuers[0] if issuers else None
    question = "Issuer of your tokens" if issuers or before else "Issuer of your tokens, or nothing"
    return ask(question, "--issuer (or --no-login)", known=known, proposed=proposed)


def _ask_for_scopes(before: tuple[str, ...]) -> tuple[str, ...]:
    if not is_anybody_there():
        return before
    answer = ask("Scopes, or nothing for the usual ones", "--scope", known=" ".join(before))
    return tuple(answer.split())
