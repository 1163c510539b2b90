"""DPoP proofs for the token endpoint (RFC 9449 §5, §8), its answers about them, and their key beside the tokens."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import urllib3

from ... import strict_json
from ..errors import InvalidSettings
from ..proof_key import ProofKey
from ..statuses import find_nonce
from .login_errors import LoginFailed, SessionEnded, one_line
from .tokens import Tokens

#: Seconds by which the clocks of this machine and of the issuer may differ without any issuer refusing a proof.
_HARMLESS_SKEW_S = 5


class TokenProofs:
    """Makes proofs.

    key: the key to which the tokens are to be bound.
    url: of the token endpoint; no other endpoint gets proofs.
    """

    def __init__(self, key: ProofKey, url: str) -> None:
        self._key = key
        self._url = _normalise(url)
        self._nonce: str | None = None

    def make_fields(self, method: str, url: str) -> dict[str, str]:
        """The header fields that the request needs in addition."""
        if not self._is_token_endpoint(url):
            return {}
        return {"DPoP": self._key.make_proof(method, url, nonce=self._nonce)}

    def needs_another(self, url: str, answer: urllib3.BaseHTTPResponse, body: bytes) -> bool:
        """Whether to send the request again, with the nonce in this answer, which is remembered.

        Raises LoginFailed where the proof is refused for any other reason.
        """
        if not self._is_token_endpoint(url):
            return False
        nonce = find_nonce(answer)
        self._nonce = nonce or self._nonce
        if answer.status not in (400, 401):
            return False
        error, description = _read_error(body)
        if error == "invalid_dpop_proof":
            said = f" ({one_line(description)})" if description else ""
            raise LoginFailed(
                f"the issuer does not accept the DPoP proof{said}: "
                f"{_describe_clock(answer.headers.get('Date', ''), time.time())}"
            )
        return error == "use_dpop_nonce" and nonce is not None

    def _is_token_endpoint(self, url: str) -> bool:
        return _normalise(url) == self._url


def _normalise(url: str) -> str:
    """The URL as it is requested, with the host in lower case; metadata may spell it differently."""
    return urllib3.util.parse_url(url).url


def load_proof_key(tokens: Tokens) -> ProofKey:
    """The key that is stored with the tokens.

    Raises SessionEnded where it is missing: the tokens are useless without it.
    """
    try:
        return ProofKey.from_pem((tokens.proof_key or "").encode())
    except (InvalidSettings, UnicodeEncodeError):
        raise SessionEnded(
            "the key to which the token is bound is missing or damaged where the tokens are kept: run "
            "kmsctl login"
        ) from None


def _read_error(body: bytes) -> tuple[str, str]:
    try:
        members = strict_json.loads(body, max_depth=20)
    except ValueError:
        return "", ""
    if not isinstance(members, dict):
        return "", ""
    error, description = members.get("error"), members.get("error_description")
    return (
        error if isinstance(error, str) else "",
        description if isinstance(description, str) else "",
    )


def _describe_clock(date: str, now: float) -> str:
    """What to do about a wrong time in a proof. date: of the issuer's answer (RFC 9110 §6.6.1)."""
    try:
        skew_s = now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        skew_s = 0.0
    if abs(skew_s) <= _HARMLESS_SKEW_S:
        return 'check this machine\'s clock, or set dpop = "never" in [http_config.oauth2_conf]'
    direction = "ahead of" if skew_s > 0 else "behind"
    return f"this machine's clock is {abs(skew_s):.0f} s {direction} the issuer's: set it"
