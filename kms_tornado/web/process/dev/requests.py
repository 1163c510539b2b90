"""What clients send to the issuer of --dev, parsed and checked (RFC 6749, RFC 7636, RFC 8252, RFC 8628).

Pure: parameters in, values out. The issuer knows no clients. Whatever name a program gives itself, it is a public
client (RFC 6749 §2.1), and what it may do follows from its redirect URI and its code verifier.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: RFC 8252 §7.3: a loopback host, any port; https, too, for the page of a server with TLS. One pattern for the whole URI, not a parser of URLs:
#: a browser and a parser may see another host in the same text, and here is none that both can misread.
_REDIRECT_URI = re.compile(
    r"https?://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/%+-]*)?"
    r"(?:\?[A-Za-z0-9._~/%+=&-]*)?"
)
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")  # VSCHAR, RFC 6749 appendix A
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 §3.3
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # a SHA-256 digest in base64url
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1
_MOST_BYTES = 4096  # of any parameter: an access token to be revoked has about a thousand
_MOST_CHARACTERS = 1000  # the longest scope, state or nonce


class OAuthError(Exception):
    """A refusal that a client understands: ``error`` is one of the standards' codes.

    nonce: the one for the client's next DPoP proof (RFC 9449 §8); empty where none is asked for.
    """

    def __init__(self, error: str, description: str, status: int = 400, *, nonce: str = "") -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.nonce = nonce


class Parameters:
    """The parameters of one request. Each may occur once; an empty one counts as absent.

    RFC 6749 §3.1 and §3.2 demand both: if a parameter occurred twice, two readers could check different values.
    """

    def __init__(self, values: Mapping[str, Sequence[bytes]]) -> None:
        """Raises OAuthError for a parameter that comes twice, is too long, or is not UTF-8."""
        self._values: dict[str, str] = {}
        for name, sent in values.items():
            filled = [value for value in sent if value]
            if any(len(value) > _MOST_BYTES for value in filled):  # what is kept stays small
                raise OAuthError("invalid_request", "a parameter is too long")
            if len(filled) > 1:
                raise OAuthError("invalid_request", "a parameter is there twice")
            if filled:
                try:
                    self._values[name] = filled[0].decode()
                except UnicodeDecodeError:
                    raise OAuthError("invalid_request", "a parameter is not UTF-8") from None

    def get(self, name: str) -> str:
        """The value, or "" where there is none."""
        return self._values.get(name, "")

    def require(self, name: str) -> str:
        """The value. Raises OAuthError where there is none."""
        if name not in self._values:
            raise OAuthError("invalid_request", f"{name} is missing")
        return self._values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAddress:
    """Where the browser goes when the user has decided, and the client's own state for it."""

    client_id: str
    redirect_uri: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRequest:
    """A checked request for a code. nonce, login_hint, scope: "" where there is none.

    key: the thumbprint of the key that has to redeem the code (RFC 9449 §10); "" where any key may redeem it.
    """

    back: ReturnAddress
    scope: str
    nonce: str
    code_challenge: str
    login_hint: str
    key: str = ""


def parse_client_id(parameters: Parameters) -> str:
    """The client's name. Raises OAuthError where there is none, and for a client that sends a secret."""
    if parameters.get("client_secret") or parameters.get("client_assertion"):
        raise OAuthError(
            "invalid_client",
            "this issuer has public clients only: leave the client secret out",
            401,
        )
    client_id = parameters.require("client_id")
    if not _PRINTABLE.fullmatch(client_id):
        raise OAuthError("invalid_request", "client_id is too long, or has odd characters")
    return client_id


def parse_return_address(parameters: Parameters) -> ReturnAddress:
    """Where to send the browser. Raises OAuthError, which must be shown, since the address may not be the client's.

    An issuer that redirects to any address hands its codes to whoever makes a link (RFC 6749 §10.15).
    """
    redirect_uri = parameters.require("redirect_uri")
    if not _REDIRECT_URI.fullmatch(redirect_uri):
        raise OAuthError(
            "invalid_request",
            "redirect_uri is not http://127.0.0.1, http://[::1] or http://localhost, with any port",
        )
    state = parameters.get("state")
    if len(state) > _MOST_CHARACTERS:
        raise OAuthError("invalid_request", "state is too long")
    return ReturnAddress(
        client_id=parse_client_id(parameters), redirect_uri=redirect_uri, state=state
    )


def parse_sign_in_request(parameters: Parameters, back: ReturnAddress) -> SignInRequest:
    """The request. Raises OAuthError, which is sent to the client's return address (RFC 6749 §4.1.2.1)."""
    if parameters.require("response_type") != "code":
        raise OAuthError("unsupported_response_type", "the response type is code")
    if parameters.get("response_mode") not in {"", "query"}:
        raise OAuthError("invalid_request", "the response mode is query")
    for name in ("request", "request_uri"):
        if parameters.get(name):
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
    if "none" in parameters.get("prompt").split():
        raise OAuthError("login_required", "nobody is signed in here without being asked")
    # RFC 7636 §4.3: without a method it is plain, whose challenge is the verifier itself, in plain sight.
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method is not S256")
    challenge = parameters.require("code_challenge")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge is no SHA-256 digest in base64url")
    nonce = parameters.get("nonce")
    if len(nonce) > _MOST_CHARACTERS:
        raise OAuthError("invalid_request", "nonce is too long")
    return SignInRequest(
        back=back,
        scope=parse_scope(parameters),
        nonce=nonce,
        code_challenge=challenge,
        login_hint=parameters.get("login_hint"),
        key=_parse_key(parameters),
    )


def _parse_key(parameters: Parameters) -> str:
    key = parameters.get("dpop_jkt")
    if key and not _CHALLENGE.fullmatch(key):
        raise OAuthError("invalid_request", "dpop_jkt is no SHA-256 digest in base64url")
    return key


def parse_scope(parameters: Parameters) -> str:
    """The scope as it was sent, because this issuer grants any scope; "" where there is none."""
    scope = parameters.get("scope")
    if scope and (len(scope) > _MOST_CHARACTERS or not _SCOPE.fullmatch(scope)):
        raise OAuthError("invalid_scope", "scope is too long, or has odd characters")
    return scope


def is_verifier_of(verifier: str, challenge: str) -> bool:
    """Whether the challenge is the verifier's SHA-256 digest (RFC 7636 §4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode())
