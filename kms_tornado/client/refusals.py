"""From result reasons to exceptions: one class of `kms_tornado.errors` for each reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import errors
from ..errors import KMIPError
from ..kmip.tables import ENUMERATIONS, loosen
from ..wording import cut, make_printable
from .errors import UnexpectedAnswer

#: How many characters of a server's message are shown; its own messages are shorter.
MAX_MESSAGE = 1000

_REASONS = ENUMERATIONS["ResultReason"]


def _classes() -> Iterator[type[KMIPError]]:
    """The classes.

    Those with the name of their reason come last and take precedence: several refine a common reason.
    """
    classes = [
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, KMIPError) and cls is not KMIPError
    ]
    return iter(sorted(classes, key=lambda cls: loosen(cls.reason) == loosen(cls.__name__)))


#: The number of a result reason → the class that is raised for it.
EXCEPTIONS: Mapping[int, type[KMIPError]] = {
    **{_REASONS.loose[loosen(cls.reason)]: cls for cls in _classes()},
    _REASONS.loose[
        "objectnotfound"
    ]: errors.ItemNotFound,  # in some dialects: docs/dialects.md, "Batches"
}


def make_refusal(reason: int, message: str) -> KMIPError:
    """The exception for a result reason. If the reason has no class of its own, the text of the KMIPError names it."""
    message = _fit_to_print(message)
    cls = EXCEPTIONS.get(reason)
    if cls is not None:
        return cls(message)
    return KMIPError(f"{_REASONS.oasis.get(reason, hex(reason))}: {message}")


def parse_refusal(body: bytes) -> KMIPError:
    """The exception that the body of a 422 stands for, ``Result_Reason: message``. Raises UnexpectedAnswer."""
    try:
        name, separator, message = body.decode().partition(": ")
    except UnicodeDecodeError:
        separator = ""
    if not separator or len(name) > 100 or not name.replace("_", "").isalnum():
        raise UnexpectedAnswer("the server refused the request without a reason that can be read")
    reason = _REASONS.number(name)
    if reason is None:
        return KMIPError(f"{name}: {_fit_to_print(message)}")
    return make_refusal(reason, message)


def _fit_to_print(message: str) -> str:
    return cut(make_printable(" ".join(message.split())), MAX_MESSAGE)
