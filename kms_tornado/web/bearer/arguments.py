"""Names of keyword arguments that a function hands on: a misspelt one is told with the one that was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def check_argument_names(function: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise TypeError for the first name that is not known, as Python does for a function's own arguments."""
    names = sorted(known)
    for name in given:
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}"
            raise TypeError(f"{function}() has no argument {name}: {hint}")
