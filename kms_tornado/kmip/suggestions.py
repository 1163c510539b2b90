"""The end of an error text that names what a client probably meant: ``; did you mean Encrypt?``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from ..errors import InvalidField, KMIPError, OperationNotSupported
from ..wording import find_closest, suggest
from .tables import (
    COSMIAN_TAGS,
    ENUMERATIONS,
    OPERATION_TAGS,
    TAG_ALIASES,
    TAG_NUMBERS,
    loosen,
)

#: Characters. A longer text is not a misspelt name, and comparing it takes time.
MAX_MISSPELT_LENGTH = 60


class _Misspelt(KMIPError):
    """An unknown name. The text ends with the known name that was probably meant.

    That name is looked for only when the text is read, since this takes milliseconds, and a batch may have a hundred
    such items.
    """

    def __init__(self, text: str, suggest: Callable[..., str], *arguments: str) -> None:
        """suggest: finds the end of the text, from the other arguments."""
        super().__init__(text)
        self._suggest, self._arguments = suggest, arguments

    def __str__(self) -> str:
        return f"{super().__str__()}{self._suggest(*self._arguments)}"


class UnknownName(_Misspelt, InvalidField):
    """The name of a tag or of an enumeration's value that does not exist."""


class UnknownOperation(_Misspelt, OperationNotSupported):
    pass


def suggest_name(misspelt: str, names: Mapping[str, str]) -> str:
    """names: {loose spelling: the name to suggest}. Empty where none of them is close."""
    if len(misspelt) > MAX_MISSPELT_LENGTH:
        return ""
    loose = loosen(misspelt)
    letters = _letters_of(loose)
    near = [name for name in names if _may_be_close(loose, letters, name)]
    return suggest([names[name] for name in find_closest(loose, near)])


def _may_be_close(misspelt: str, letters: int, name: str) -> bool:
    """Whether `find_closest` could accept the name; a quick check before that function, which takes much longer.

    It wants four in five letters to match, and letters that only one of the two names has cannot match.
    """
    others = _letters_of_known(name)
    matching = min(
        len(misspelt) - (letters & ~others).bit_count(), len(name) - (others & ~letters).bit_count()
    )
    return 5 * matching >= 2 * (len(misspelt) + len(name))


def _letters_of(name: str) -> int:
    """A number with a bit for each letter that occurs.

    Some letters share a bit, which makes names look closer than they are.
    """
    letters = 0
    for letter in name:
        letters |= 1 << ord(letter) % 64
    return letters


def suggest_root(misspelt: str) -> str:
    """Suggest an operation, or RequestMessage."""
    return suggest_name(misspelt, _collect_roots())


def suggest_tag(misspelt: str) -> str:
    """Suggest a tag that a request may have below its root."""
    return suggest_name(misspelt, _collect_tags())


def suggest_value(enumeration: str, misspelt: str) -> str:
    """Suggest a name of an enumeration or a mask. enumeration: a tag."""
    # Other tags may be sent as an Enumeration, too, and have no names at all.
    return (
        suggest_name(misspelt, _collect_values(enumeration)) if enumeration in ENUMERATIONS else ""
    )


def map_loosely(names: Iterable[str]) -> Mapping[str, str]:
    """{loose spelling: name}; of names with the same loose spelling, the first."""
    loose: dict[str, str] = {}
    for name in names:
        loose.setdefault(loosen(name), name)
    return loose


# A module may own these caches, because their content follows from the tables alone. They are filled by the
# first error that needs them, since most processes never do.
@cache
def _letters_of_known(name: str) -> int:
    return _letters_of(name)


@cache
def _collect_roots() -> Mapping[str, str]:
    return map_loosely([*OPERATION_TAGS.values(), "RequestMessage"])


@cache
def _collect_tags() -> Mapping[str, str]:
    return map_loosely([*TAG_NUMBERS, *COSMIAN_TAGS, *TAG_ALIASES])


@cache
def _collect_values(enumeration: str) -> Mapping[str, str]:
    known = ENUMERATIONS[enumeration]
    return {loose: known.oasis[number] for loose, number in known.loose.items()}
