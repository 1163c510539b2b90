"""The names of keyword arguments that a function passes on: the error for a misspelt one suggests the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches


def check_argument_names(
    function: Callable[..., object], rest: Mapping[str, object], known: Iterable[str]
) -> None:
    """Raise TypeError for the first unknown name, as Python does for a function's own arguments.

    rest: the arguments that `function` passes on.
    known: their possible names. The function's own arguments are suggested, too.
    """
    own = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    names = sorted({*known, *own})
    for name in rest:
        if name not in known:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}"
            raise TypeError(f"{function.__qualname__}() has no argument {name}: {hint}")


def choose_spelling(**spellings: str | Iterable[str]) -> str | Iterable[str]:
    """The value of an argument that may be spelled in several ways, each () by default. Raises TypeError for two."""
    given = [value for value in spellings.values() if value != ()]
    if len(given) > 1:
        raise TypeError(f"{' and '.join(spellings)} are the same argument: give one of them")
    return given[0] if given else ()
