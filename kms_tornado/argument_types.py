"""Types of arguments: a wrong one is refused where it is written, by its name, and not at the first token."""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import WrongArgumentType

Member = TypeVar("Member")

#: Collections in annotations, whose members are compared, too.
_COLLECTIONS = (tuple, frozenset)


def check_field_types(instance: object) -> None:
    """Compare the fields of a dataclass with their annotations. Raises WrongArgumentType for the first that differs."""
    kind = type(instance)
    check_arguments(kind, {name: getattr(instance, name) for name in kind.__annotations__})


def check_arguments(kind: type, arguments: Mapping[str, object]) -> None:
    """Compare arguments of a dataclass with its annotations: types, unions of them, tuples and frozensets.

    A float may be an int, but neither may be a bool: ``"false"`` and 0 are no answers to a question of yes and no either.
    arguments: {field: value}. Raises WrongArgumentType for the first that differs.
    """
    hints = _list_hints(cast("Hashable", kind))
    for name, hint in hints.items():
        if name in arguments:
            check_type(arguments[name], hint, name)


def check_type(value: object, hint: Any, name: str) -> None:
    """hint: as an annotation has it. name: of the argument. Raises WrongArgumentType."""
    if not _is_of(value, hint):
        raise WrongArgumentType(f"{_format(hint)} is needed, not {_describe(value)}", name)


def make_tuple(names: str | Iterable[Member], argument: str) -> tuple[Member | str, ...]:
    """Several of something, for which any iterable is taken. A string alone counts as one entry: its letters are never meant.

    argument: its name. Raises WrongArgumentType.
    """
    if isinstance(names, str):
        return (names,)
    if isinstance(names, (bytes, Mapping)) or not isinstance(names, Iterable):
        raise WrongArgumentType(f"one text or several are needed, not {_describe(names)}", argument)
    return tuple(names)


def make_texts(names: str | Iterable[str], argument: str) -> tuple[str, ...]:
    """The same as make_tuple, for texts alone."""
    texts = make_tuple(names, argument)
    check_type(texts, tuple[str, ...], argument)
    return texts


def make_path(path: str | os.PathLike[str] | None, argument: str) -> str | None:
    """A path as a text; None without one. argument: its name. Raises WrongArgumentType, also for an empty one."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    check_type(text, str | None, argument)
    if text == "":
        raise WrongArgumentType("a path is needed, and none is empty", argument)
    return text


@cache
def _list_hints(kind: Hashable) -> Mapping[str, Any]:
    """{field: its type}; to evaluate those of a class takes a millisecond."""
    return get_type_hints(kind)


def _is_of(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in _COLLECTIONS:
        return isinstance(value, origin) and _have_members(value, get_args(hint))
    if origin in (UnionType, Union):
        return any(_is_of(value, one) for one in get_args(hint))
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else origin or hint)


def _have_members(values: Collection[object], hints: tuple[Any, ...]) -> bool:
    """hints: one for all, before an ellipsis or alone; else one for each."""
    if len(hints) == 1 or hints[1] is Ellipsis:
        return all(_is_of(value, hints[0]) for value in values)
    return len(values) == len(hints) and all(map(_is_of, values, hints))


def _format(hint: Any) -> str:
    """As Python writes it: ``str | None``."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else _shorten(str(hint))


def _shorten(text: str) -> str:
    """Classes of this package without its name."""
    return ".".join(text.split(".")[-1:]) if "kms_tornado." in text else text


def _describe(value: object) -> str:
    """Its type alone: a value may be a secret that stands in the wrong place."""
    kind = "None" if isinstance(value, NoneType) else type(value).__name__
    if isinstance(value, _COLLECTIONS) and value:
        return f"{kind} of {', '.join(sorted({type(one).__name__ for one in value}))}"
    return kind
