"""`kmsctl login` and `kmsctl logout`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ..output import show_fields, warn
from ..session import Session
from ..terminal_text import make_visible

if TYPE_CHECKING:
    from ...login.issuer import Issuer
    from ...login.login import DevicePrompt
    from ...login.tokens import Tokens, TokenStore


@click.command()
@click.option(
    "--device", is_flag=True, help="Enter a code on another device: for machines without a browser."
)
@click.option("--no-browser", is_flag=True, help="Print the address of the page, and open nothing.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@click.pass_obj
def login(session: Session, device: bool, no_browser: bool, timeout: float) -> None:
    """Sign in at the issuer of the configuration, and keep the tokens.

    They are renewed unasked from then on. The page to sign in opens in the browser and is printed; with
    --device a code is printed that is entered anywhere. Where the issuer and the server can, the tokens are
    bound to a key that is kept beside them (DPoP).

    \b
    kmsctl login
    kmsctl login --device
    """
    from ...login.issuer import open_issuer
    from ...login.login import sign_in_with_browser

    store, settings = session.required_token_store, session.login_settings
    with open_issuer(session.connection_settings, settings) as issuer:
        issuer = _bind_tokens(session, issuer)
        if device:
            tokens = _sign_in_on_another_device(issuer)
        else:
            tokens = sign_in_with_browser(
                issuer, lambda url: _show_page(url, opens=not no_browser), timeout_s=timeout
            )
    store.save(tokens)
    _report(session, store, tokens)


def _bind_tokens(session: Session, issuer: Issuer) -> Issuer:
    """The issuer; with a new key for its tokens, if issuer, server and configuration allow binding them."""
    from ...login.issuer import bind_tokens
    from ...login.proof_choice import choose_algorithm, is_wanted
    from ...proof_key import ProofKey
    from .server_check import ask_for_proofs

    settings, announced = session.login_settings, issuer.metadata.proof_algorithms
    if not is_wanted(settings, announced):
        return issuer
    accepted = ask_for_proofs(session.connection_settings)
    algorithm = choose_algorithm(settings, announced, accepted)
    return issuer if algorithm is None else bind_tokens(issuer, ProofKey.generate(algorithm))


@click.command()
@click.pass_obj
def logout(session: Session) -> None:
    """Forget the tokens of the login, and revoke them at the issuer where it can do that.

    \b
    kmsctl logout
    """
    from ...login.login_errors import IssuerUnreachable, LoginFailed

    store = session.required_token_store
    with store.locked():
        tokens = store.load()
        store.forget()
    if tokens is None:
        _print_for_people(session, "Nobody was signed in.")
    else:
        try:
            was_revoked = _revoke(session, tokens)
        except (IssuerUnreachable, LoginFailed) as exc:
            raise type(exc)(
                f"the tokens are forgotten here, but they are not revoked: {exc}"
            ) from None
        _print_for_people(
            session,
            "Signed out."
            if was_revoked
            else "Signed out. The issuer revokes no tokens: they expire by themselves.",
        )
    if session.configuration.access_token_source is not None:
        warn(f"there is still an access token in {session.configuration.access_token_source}")


def _revoke(session: Session, tokens: Tokens) -> bool:
    from ...login.issuer import open_issuer
    from ...login.login import revoke

    with open_issuer(session.connection_settings, session.login_settings) as issuer:
        return revoke(issuer, tokens)


def _show_page(url: str, *, opens: bool) -> None:
    """Open the page for signing in, and print its address, because a browser may fail without a message."""
    print(f"Sign in on this page:\n\n    {make_visible(url)}\n", file=sys.stderr, flush=True)
    if not opens:
        return
    if not _has_browser():
        warn(
            "no browser can be opened from this session: open the page in a browser of this machine, or "
            "end this with Ctrl-C and run kmsctl login --device"
        )
        return
    import webbrowser

    webbrowser.open(url)


def _has_browser() -> bool:
    """Whether a window can be opened; a text browser would take the terminal away."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _sign_in_on_another_device(issuer: Issuer) -> Tokens:
    from ...login.login import start_device_sign_in, wait_for_device_sign_in

    prompt = start_device_sign_in(issuer)
    print(_describe(prompt), file=sys.stderr, flush=True)
    return wait_for_device_sign_in(issuer, prompt)


def _describe(prompt: DevicePrompt) -> str:
    lines = [
        "On any device open",
        f"\n    {make_visible(prompt.verification_uri)}\n",
        f"and enter the code {make_visible(prompt.user_code)} there, within {prompt.expires_in_s / 60:.0f} minutes.",
    ]
    if prompt.verification_uri_complete is not None:
        lines.append(
            f"With the code in it:\n\n    {make_visible(prompt.verification_uri_complete)}\n"
        )
    return "\n".join(lines)


def _report(session: Session, store: TokenStore, tokens: Tokens) -> None:
    """Tell who signed in and where the tokens are: to people, and with --json. A pipe gets nothing."""
    user, expires_at = _user_of(tokens), tokens.expires_at
    issuer = session.login_settings.issuer or session.login_settings.token_url or ""
    if session.is_json:
        show_fields(
            {
                "user": user,
                "issuer": issuer,
                "expires_at": datetime.fromtimestamp(expires_at, UTC) if expires_at else None,
                "is_renewed": tokens.refresh_token is not None,
                "is_bound": tokens.is_bound,
                "scopes": tokens.scopes,
                "stored_in": store.place,
            }
        )
    else:
        bound = ", and bound to a key beside them" if tokens.is_bound else ""
        ends = (
            ""
            if tokens.refresh_token
            else " They are not renewed: the issuer gave no refresh token."
        )
        _print_for_people(
            session,
            f"Signed in as {user} at {issuer}. The tokens are in {store.place}{bound}.{ends}",
        )
    if session.configuration.is_token_of_environment:
        warn(
            f"{session.configuration.access_token_source} is set and stands above this login: unset it"
        )


def _user_of(tokens: Tokens) -> str:
    """The name in the tokens. The server may use another claim, which kmsctl whoami shows."""
    from ...login.id_tokens import read_claims

    claims = {**read_claims(tokens.access_token), **read_claims(tokens.id_token or "")}
    for name in ("email", "preferred_username", "sub"):
        if isinstance(claims.get(name), str):
            return str(claims[name])
    return "somebody whom the tokens do not name"


def _print_for_people(session: Session, text: str) -> None:
    if not session.is_json and not session.options.is_quiet:
        print(make_visible(text), file=sys.stderr)
