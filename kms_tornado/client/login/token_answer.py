"""The answer of a token endpoint (RFC 6749 §5.1, RFC 9449 §5), as Tokens. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..proof_key import ProofKey
from .id_tokens import read_claims
from .issuer_metadata import text
from .login_errors import LoginFailed
from .tokens import Tokens

#: The year 9999, after which Python has no dates.
LATEST = 253_402_300_800


def parse_token_answer(
    answer: Mapping[str, Any],
    key: ProofKey | None = None,
    *,
    must_be_bound: bool = False,
    now: float,
) -> Tokens:
    """The tokens in an answer.

    key: of the proof that was sent with the request; None where there was none.
    now: seconds since the Unix epoch.
    Raises LoginFailed where there is no access token, where it is bound although no proof was sent, and where it is not
    bound although it must be.
    """
    access_token = text(answer, "access_token")
    if not access_token:
        raise LoginFailed("the issuer's answer has no access token: try again")
    lifetime_s = read_seconds(answer.get("expires_in"), 0.0)
    tokens = Tokens(
        access_token=access_token,
        refresh_token=text(answer, "refresh_token"),
        id_token=text(answer, "id_token"),
        expires_at=now + lifetime_s if lifetime_s else _expiry(access_token),
        scopes=tuple((text(answer, "scope") or "").split()),
        token_type=text(answer, "token_type") or "Bearer",
        proof_key=None if key is None else key.to_pem().decode(),
    )
    if tokens.is_bound and key is None:
        raise LoginFailed(
            "the issuer's token is bound to a key (DPoP), and none was shown to it: set dpop = "
            '"always" in [http_config.oauth2_conf]'
        )
    if must_be_bound and not tokens.is_bound:
        raise LoginFailed(
            "the issuer's token is bound to no key: switch DPoP on for this client at the issuer, or set "
            'dpop = "auto" in [http_config.oauth2_conf]'
        )
    return tokens


def read_seconds(value: object, default: float) -> float:
    """A positive number of seconds, which issuers also write as text."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default
    return seconds if 0 < seconds < 10**9 else default


def _expiry(token: str) -> float | None:
    expiry = read_claims(token).get("exp")
    return float(expiry) if isinstance(expiry, int | float) and 0 < expiry < LATEST else None
