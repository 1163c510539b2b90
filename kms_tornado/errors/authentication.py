"""Refusals of a request for what stands in its token, or because it has none (RFC 6750 §3.1)."""

from __future__ import annotations

from typing import ClassVar

from .base import KMSError


class AuthenticationError(KMSError):
    """A request is refused because it has no acceptable token.

    status: the HTTP status. code: the ``error`` of RFC 6750 §3.1, or None.
    reason: the label for logs and metrics. description: the fixed text for the caller.
    issuer, key_id: whose token it is, for the log, if that is known: a configured issuer, and the ``kid`` that the
    token names; otherwise empty.
    user: the name of the user where the token is good and does not suffice; otherwise empty.
    scope: the scopes that the challenge asks for (RFC 6750 §3), separated by spaces; empty where nothing is needed.
    scheme: the scheme of the challenge that states the error, by which the token came.
    nonce: for the next DPoP proof (RFC 9449 §9); empty where none is needed.
    """

    status: ClassVar[int] = 401
    code: ClassVar[str | None] = "invalid_token"
    reason: ClassVar[str] = "invalid"
    description: ClassVar[str] = "token not accepted"
    issuer: str = ""
    key_id: str = ""
    user: str = ""
    scope: str = ""
    scheme: str = "Bearer"
    nonce: str = ""

    def __init__(self, detail: str = "", description: str | None = None) -> None:
        self.detail = detail
        self.text = description or self.description
        super().__init__(self.text)


class MissingToken(AuthenticationError):
    code = None
    reason = "missing"
    description = "bearer token required"


class InvalidRequest(AuthenticationError):
    status = 400
    code = "invalid_request"
    reason = "invalid_request"
    description = "malformed Authorization header"


class ForeignPage(AuthenticationError):
    """Where tokens are not checked: a page in a browser may have caused the request."""

    status = 403
    code = "access_denied"
    reason = "foreign_page"
    description = "refused: a web page may have sent this request"


class UnknownUser(AuthenticationError):
    """The token is good; the application that embeds the token check has no such user."""

    status = 403
    code = "access_denied"
    reason = "unknown_user"
    description = "this user is not known here"


class InsufficientScope(AuthenticationError):
    """The token is good; its holder may not do this (RFC 6750 §3.1)."""

    status = 403
    code = "insufficient_scope"
    reason = "scope"
    description = "a required claim or scope is missing"


class InvalidToken(AuthenticationError):
    """Anything wrong with the token itself."""


class MalformedToken(InvalidToken):
    reason = "malformed"
    description = "token malformed"


class AlgorithmNotAllowed(InvalidToken):
    reason = "algorithm"
    description = "signature algorithm not accepted"


class WrongTokenType(InvalidToken):
    reason = "type"
    description = "token type not accepted"


class UnknownIssuer(InvalidToken):
    reason = "issuer"
    description = "unknown issuer"


class UnknownKey(InvalidToken):
    reason = "key"
    description = "unknown signing key"


class BadSignature(InvalidToken):
    reason = "signature"
    description = "signature not valid"


class MissingClaim(InvalidToken):
    reason = "missing_claim"
    description = "a required claim is missing"


class InvalidClaim(InvalidToken):
    reason = "invalid_claim"
    description = "a claim has a wrong type or value"


class InvalidUserName(InvalidToken):
    reason = "user_name"
    description = "user name not accepted"


class TooManyGroups(InvalidToken):
    """The token has too many groups. To ignore some of them would silently take rights away."""

    reason = "groups"
    description = "token names too many groups"


class ExpiredToken(InvalidToken):
    reason = "expired"
    description = "token expired"


class TokenNotYetValid(InvalidToken):
    reason = "not_yet_valid"
    description = "token not yet valid"


class TokenTooOld(InvalidToken):
    reason = "too_old"
    description = "token too old"


class WrongAudience(InvalidToken):
    reason = "audience"
    description = "audience not accepted"


class UnverifiedEmail(InvalidToken):
    reason = "email"
    description = "email not verified"


class TokenDenied(InvalidToken):
    """The token is good, but is on the deny list."""

    reason = "denied"
    description = "token denied"


class UnboundToken(InvalidToken):
    """The token is not bound. Whoever has it can use it, and here that is not enough."""

    reason = "unbound"
    description = "token not bound to a key or certificate"


class UnknownBinding(InvalidToken):
    """The token is bound in a way that cannot be checked here (RFC 7800 §3)."""

    reason = "binding"
    description = "token bound in a way that is not known here"
