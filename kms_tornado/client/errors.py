"""The exceptions of the client: what keeps a request from becoming a result.

    KMSError
    ├─ ClientError
    │  ├─ InvalidSettings        a setting of the connection is missing or nonsense
    │  ├─ AuthenticationFailed   401, and 400 for the Authorization header
    │  │  └─ TokenExpired        a new token is needed, nothing else is wrong
    │  ├─ AccessDenied           403: the token is good, and may not do this
    │  ├─ RequestTooLarge        413
    │  ├─ TooManyRequests        429; knows when to try again
    │  ├─ ServerUnavailable      503; knows when to try again
    │  ├─ ConnectionFailed       no connection, or none that lasted until the answer
    │  └─ UnexpectedAnswer       what came back is no answer of this server
    └─ KMIPError                 the server refused the operation: the classes of `kms_tornado.errors`

A text is one line, says what to do where that is known, and never holds a token, a key or a body.
"""

from __future__ import annotations

from ..errors import KMSError


class ClientError(KMSError):
    """Base class for failures on the way to the server, in its admission checks, or on the way back."""


class ClientWarning(UserWarning):
    """A setting that works but endangers what is sent: an unchecked certificate, or a token over http."""


class InvalidSettings(ClientError):
    """A setting of the connection is missing or makes no sense; no request was made."""


class AuthenticationFailed(ClientError):
    """The server does not accept the token, or there is none.

    description: the server's ``error_description``, a few fixed words.
    """

    def __init__(self, text: str, description: str = "") -> None:
        super().__init__(text)
        self.description = description


class TokenExpired(AuthenticationFailed):
    """The token has expired: log in again."""


class AccessDenied(ClientError):
    """The token is good, but lacks a claim or a scope that this server demands."""


class RequestTooLarge(ClientError):
    """The body is longer than the server accepts."""


class ServerUnavailable(ClientError):
    """Nothing was done, and another try may succeed. retry_after_s: None where the server gave no time."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class TooManyRequests(ServerUnavailable):
    """This user has sent more requests than the server allows one user."""


class ConnectionFailed(ClientError):
    """There is no connection to the server, or it broke before the answer was complete.

    is_outcome_known: False where the request may have been carried out.
    """

    def __init__(self, text: str, *, is_outcome_known: bool) -> None:
        super().__init__(text)
        self.is_outcome_known = is_outcome_known


class UnexpectedAnswer(ClientError):
    """The answer is not one of this server's: a proxy's page, broken JSON, a redirect."""
