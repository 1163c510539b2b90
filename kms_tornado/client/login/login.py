"""Signing in, refreshing and signing out at an OAuth 2.0 issuer, by Authlib.

Authorization code with PKCE on a loopback redirect (RFC 6749 §4.1, RFC 7636, RFC 8252), device
authorization (RFC 8628), refresh (RFC 6749 §6) and revocation (RFC 7009), and tokens that are bound to a key
(DPoP, RFC 9449). Codes, verifiers and tokens leave this module as `Tokens` only, never in a text.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from .id_tokens import ExpectedIDToken, check_id_token, read_claims
from .issuer import OFFLINE_ACCESS, Issuer, bind_tokens
from .issuer_metadata import fetch_key_set, json_object, text
from .login_errors import IssuerUnreachable, LoginFailed, SessionEnded, one_line
from .loopback_redirect import LoopbackRedirect, check_answer, describe_refusal
from .token_answer import parse_token_answer, read_seconds
from .token_proofs import load_proof_key
from .tokens import Tokens

#: How long somebody may take to find a password and a second factor.
SIGN_IN_TIMEOUT_S = 300.0

DEFAULT_INTERVAL_S = 5.0  # RFC 8628 §3.2, where the issuer names none
SLOWER_S = 5.0  # RFC 8628 §3.5: what slow_down adds
DEFAULT_DEVICE_LIFETIME_S = 600.0  # expires_in is required, and yet some leave it out

MAX_DEVICE_LIFETIME_S = 3600.0  # nobody waits longer, whatever the issuer says


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePrompt:
    """What the user needs in order to sign in on another device (RFC 8628 §3.2)."""

    verification_uri: str
    verification_uri_complete: str | None
    user_code: str
    device_code: str = field(repr=False)
    interval_s: float
    expires_in_s: float


def sign_in_with_browser(
    issuer: Issuer,
    show_url: Callable[[str], None],
    *,
    timeout_s: float = SIGN_IN_TIMEOUT_S,
) -> Tokens:
    """Sign in by authorization code with PKCE. show_url: opens the browser, or tells the user the URL."""
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    verifier = secrets.token_urlsafe(64)  # RFC 7636 §4.1: 43 to 128 characters
    with LoopbackRedirect(state=state, port=issuer.settings.redirect_port) as redirect:
        parameters: dict[str, str] = _audience(issuer) | _resource(issuer)
        if OFFLINE_ACCESS in issuer.scopes and "prompt=" not in issuer.url("authorize_url"):
            parameters["prompt"] = "consent"  # OpenID Connect Core 1.0 §11 demands it
        if issuer.proof_key is not None:
            # RFC 9449 §10: binds the code, too.
            parameters["dpop_jkt"] = issuer.proof_key.thumbprint
        url, _ = issuer.session.create_authorization_url(
            issuer.url("authorize_url"),
            state=state,
            code_verifier=verifier,
            nonce=nonce,
            scope=" ".join(issuer.scopes),
            redirect_uri=redirect.redirect_uri,
            **parameters,
        )
        show_url(url)
        answer = redirect.wait_for_answer(timeout_s)
    check_answer(answer, issuer=issuer.metadata.issuer, names_issuer=issuer.metadata.names_itself)
    with _explaining_errors():
        token_answer = issuer.session.fetch_token(
            issuer.url("token_url"),
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=redirect.redirect_uri,
            code_verifier=verifier,
            **_resource(issuer),
        )
    return _check_tokens(issuer, token_answer, nonce=nonce)


def start_device_sign_in(issuer: Issuer) -> DevicePrompt:
    """Ask for a code that the user enters on another device."""
    session = issuer.session
    answer = session.post(
        issuer.url("device_authorization_url"),
        data={"scope": " ".join(issuer.scopes)} | _audience(issuer) | _resource(issuer),
        auth=session.client_auth(session.token_endpoint_auth_method),
        headers={"Accept": "application/json"},
    )
    members = json_object(answer, "the answer of the device authorization endpoint")
    if "error" in members:
        raise LoginFailed(
            describe_refusal(str(members["error"]), text(members, "error_description"))
        )
    prompt = DevicePrompt(
        verification_uri=one_line(text(members, "verification_uri") or ""),
        verification_uri_complete=(
            one_line(complete) if (complete := text(members, "verification_uri_complete")) else None
        ),
        user_code=one_line(text(members, "user_code") or ""),
        device_code=text(members, "device_code") or "",
        interval_s=read_seconds(members.get("interval"), DEFAULT_INTERVAL_S),
        expires_in_s=min(
            read_seconds(members.get("expires_in"), DEFAULT_DEVICE_LIFETIME_S),
            MAX_DEVICE_LIFETIME_S,
        ),
    )
    for uri in filter(None, (prompt.verification_uri, prompt.verification_uri_complete)):
        if urlsplit(uri).scheme not in ("http", "https"):  # javascript:, file:
            raise LoginFailed("the page that the issuer names for the code is no web page")
    if not (prompt.verification_uri and prompt.user_code and prompt.device_code):
        raise LoginFailed("the issuer's answer has no code for this device: try again")
    return prompt


def wait_for_device_sign_in(
    issuer: Issuer,
    prompt: DevicePrompt,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Tokens:
    """Poll until the user has decided (RFC 8628 §3.5). A connection that fails meanwhile is tried again."""
    interval_s, ends_at = prompt.interval_s, now() + prompt.expires_in_s
    while now() < ends_at:
        sleep(max(0.0, min(interval_s, ends_at - now())))
        try:
            answer = issuer.session.fetch_token(
                issuer.url("token_url"),
                grant_type=DEVICE_CODE_GRANT_TYPE,
                device_code=prompt.device_code,
                **_resource(issuer),
            )
        except IssuerUnreachable:
            interval_s *= 2  # RFC 8628 §3.5: exponential backoff
        except AuthlibBaseError as exc:
            if exc.error == "slow_down":
                interval_s += SLOWER_S
            elif exc.error == "expired_token":
                break
            elif exc.error != "authorization_pending":
                raise LoginFailed(describe_refusal(str(exc.error), exc.description)) from None
        except ValueError:
            raise _no_json() from None
        else:
            return _check_tokens(issuer, answer, nonce=None)
    raise LoginFailed("the code has expired before anybody entered it: run kmsctl login again")


def refresh(issuer: Issuer, tokens: Tokens) -> Tokens:
    """New tokens in exchange for the refresh token, which the issuer may then invalidate (RFC 6749 §6).

    Raises SessionEnded where the issuer gives no more tokens, IssuerUnreachable where it cannot be asked.
    """
    if tokens.is_bound or tokens.proof_key is not None:
        issuer = bind_tokens(issuer, load_proof_key(tokens))
    with _explaining_errors(is_refresh=True):
        answer = issuer.session.refresh_token(
            issuer.url("token_url"), refresh_token=tokens.refresh_token, **_resource(issuer)
        )
    renewed = _parse_tokens(issuer, answer)
    if renewed.refresh_token is None:
        renewed = replace(renewed, refresh_token=tokens.refresh_token)
    if renewed.id_token is None:  # it need not come again
        renewed = replace(renewed, id_token=tokens.id_token)
    else:
        # OpenID Connect Core 1.0 §12.2. Without the key set: were it out of reach at this moment, the new
        # refresh token would be lost; and the server verifies what it is sent.
        subject = read_claims(tokens.id_token or "").get("sub")
        _check_id_token(issuer, renewed, None, subject=subject)
    return renewed if renewed.scopes else replace(renewed, scopes=tokens.scopes)


def revoke(issuer: Issuer, tokens: Tokens) -> bool:
    """Tell the issuer to end the session; False where it has no endpoint for that.

    Raises LoginFailed where the issuer refuses.
    """
    if issuer.metadata.revocation_url is None:
        return False
    # The refresh token last: an issuer may end the access token with it (RFC 7009 §2.1).
    for token, hint in (
        (tokens.access_token, "access_token"),
        (tokens.refresh_token, "refresh_token"),
    ):
        if token is None:
            continue
        answer = issuer.session.revoke_token(
            issuer.metadata.revocation_url, token=token, token_type_hint=hint
        )
        # An issuer need not be able to revoke access tokens: unsupported_token_type.
        if answer.status_code != 200 and hint == "refresh_token":
            raise LoginFailed(
                f"the issuer did not revoke the refresh token (HTTP {answer.status_code})"
            )
    return True


def _audience(issuer: Issuer) -> dict[str, str]:
    return {"audience": issuer.settings.audience} if issuer.settings.audience else {}


def _resource(issuer: Issuer) -> dict[str, str]:
    return {"resource": issuer.settings.resource} if issuer.settings.resource else {}


def _check_tokens(issuer: Issuer, answer: Mapping[str, Any], *, nonce: str | None) -> Tokens:
    """The tokens of a sign-in. If there is an ID token, it is verified with the issuer's key set."""
    tokens = _parse_tokens(issuer, answer)
    if tokens.id_token is not None:
        _check_id_token(issuer, tokens, fetch_key_set(issuer.session, issuer.metadata), nonce=nonce)
    return tokens


def _check_id_token(
    issuer: Issuer,
    tokens: Tokens,
    key_set: Mapping[str, Any] | None,
    *,
    nonce: str | None = None,
    subject: str | None = None,
) -> None:
    expected = ExpectedIDToken(
        client_id=issuer.settings.client_id,
        issuer=issuer.metadata.issuer,
        nonce=nonce,
        key_set=key_set,
        algorithms=issuer.metadata.algorithms,
        subject=subject,
    )
    check_id_token(
        tokens.id_token or "", expected, access_token=tokens.access_token, now=time.time()
    )


def _parse_tokens(issuer: Issuer, answer: Mapping[str, Any]) -> Tokens:
    must_be_bound = issuer.settings.dpop == "always"
    return parse_token_answer(
        answer, issuer.proof_key, must_be_bound=must_be_bound, now=time.time()
    )


@contextmanager
def _explaining_errors(*, is_refresh: bool = False) -> Iterator[None]:
    """Turns Authlib's exceptions into ours. Their texts contain the issuer's error, and nothing that was sent."""
    try:
        yield
    except AuthlibBaseError as exc:
        if exc.error == "temporarily_unavailable":
            raise IssuerUnreachable("the issuer is not available: try again") from None
        if is_refresh and exc.error == "invalid_grant":
            raise SessionEnded("the session has ended: run kmsctl login") from None
        raise LoginFailed(describe_refusal(str(exc.error), exc.description)) from None
    except ValueError:
        raise _no_json() from None


def _no_json() -> LoginFailed:
    return LoginFailed("the answer of the token endpoint is no JSON object: check token_url")
