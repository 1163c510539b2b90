"""What the command line says about each exception, and the exit code: one table.

It is imported when something has failed, so that a successful command runs without it.
"""

from __future__ import annotations

from typing import Final

import click

from ...errors import (
    ConfigurationError,
    KMIPError,
    KMSError,
    ProofMissing,
    ProofNotFresh,
    UnboundToken,
    WrongProofURL,
)
from ..errors import (
    AccessDenied,
    AuthenticationFailed,
    ClientError,
    ConnectionFailed,
    InvalidSettings,
    ServerUnavailable,
    TokenExpired,
    UnexpectedAnswer,
)
from .extra import EXTRA, describe_missing_package
from .output import Refused
from .terminal_text import make_visible

REFUSED: Final = 1
USAGE: Final = 2
NO_CONNECTION: Final = 3

#: An exception's class, the exit code, and what to do where its own text does not say. The first that fits.
FAILURES: Final[tuple[tuple[type[BaseException], int, str], ...]] = (
    (click.UsageError, USAGE, ""),
    (click.ClickException, REFUSED, ""),
    (ConfigurationError, USAGE, ""),
    (InvalidSettings, USAGE, ""),
    (AuthenticationFailed, REFUSED, ""),  # _advise_on_token
    (AccessDenied, REFUSED, ""),
    (ServerUnavailable, NO_CONNECTION, "try again in a while"),
    (ConnectionFailed, NO_CONNECTION, ""),
    (UnexpectedAnswer, NO_CONNECTION, ""),
    (ClientError, REFUSED, ""),
    (KMIPError, REFUSED, ""),
    (KMSError, REFUSED, ""),
    (Refused, REFUSED, ""),
    (OSError, REFUSED, ""),
    (UnicodeEncodeError, REFUSED, ""),
)

#: What to do where the server refuses a token for what it is bound to: its description, and the advice.
BINDING_ADVICE: Final = {
    UnboundToken.description: "run kmsctl login, with DPoP switched on for this client at the issuer",
    ProofMissing.description: "run kmsctl login, as its key is not kept here",
    ProofNotFresh.description: "check this machine's clock",
    WrongProofURL.description: (
        "the server needs --public-url, with the URL that you reach it by; until then set dpop = "
        '"never" in [http_config.oauth2_conf] and run kmsctl login'
    ),
}


def describe_failure(error: Exception, token_variable: str | None = None) -> tuple[str, int]:
    """What to print, on one line, and the exit code. token_variable: the variable from which the token was taken."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package in EXTRA:
            return describe_missing_package(package), REFUSED
    for kind, code, advice in FAILURES:
        if isinstance(error, kind):
            if isinstance(error, AuthenticationFailed):
                advice = _advise_on_token(error, token_variable)
            return _one_line(_text(error), advice), code
    return (
        f"unexpected {type(error).__name__}, a mistake in kmsctl: please report it with the traceback that "
        "KMSCTL_TRACEBACK=1 shows",
        REFUSED,
    )


def _advise_on_token(error: AuthenticationFailed, token_variable: str | None) -> str:
    """Advice for a refused token. While a variable holds one, which takes precedence, a login changes nothing."""
    advice = BINDING_ADVICE.get(error.description)
    if advice is not None:
        return advice if token_variable is None else f"unset {token_variable}, and {advice}"
    if token_variable is not None:
        return f"set {token_variable} anew, or unset it and run kmsctl login"
    if isinstance(error, TokenExpired):
        return "run kmsctl login"
    return "run kmsctl login, or set KMS_TOKEN"


def _text(error: Exception) -> str:
    if isinstance(error, click.UsageError):
        return _usage_text(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    if type(error) is TokenExpired:  # SessionEnded says more
        return "the token has expired"
    if isinstance(error, KMIPError) and type(error) is not KMIPError:
        return f"{error.reason_with_underscores}: {error}"
    if isinstance(error, UnicodeEncodeError):  # of an argument: what is printed is escaped
        return "a text of the request is not UTF-8: nothing was sent"
    if isinstance(error, OSError) and error.filename == "":
        return "the name of a file is empty: is a variable of the shell not set?"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    # What is printed has no file's name.
    if isinstance(error, OSError) and error.strerror is not None:
        return f"the output cannot be written: {error.strerror}"
    return str(error) or type(error).__name__


def _usage_text(error: click.UsageError) -> str:
    """The mistake, and where to read more."""
    text = error.format_message()
    if error.ctx is not None and error.ctx.command_path:
        return f"{text} (see {error.ctx.command_path} --help)"
    return text


def _one_line(text: str, advice: str) -> str:
    text = make_visible(" ".join(text.split()))
    if not advice or advice in text:
        return text
    return f"{text.removesuffix('.')}: {advice}"
