"""How a sign-in or a refresh can fail, and how the issuer's words are made fit to print."""

from __future__ import annotations

from ..errors import ClientError, ConnectionFailed, TokenExpired

#: An issuer's description is shown for help, not for reading: a page of HTML is cut.
MAX_SHOWN = 200


class LoginFailed(ClientError):
    """The sign-in was refused or not finished, or an answer was not true."""


class SessionEnded(TokenExpired):
    """The issuer gives no more tokens in this session."""


class IssuerUnreachable(ConnectionFailed):
    """The issuer does not answer, or says that it cannot; the server was not asked for anything."""

    def __init__(self, text: str) -> None:
        super().__init__(text, is_outcome_known=True)


def one_line(text: str) -> str:
    """The other side's text without control characters, which could steer the terminal."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
