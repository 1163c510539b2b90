"""JSON TTLV: from bytes to the canonical tree and back, for every dialect of JSON.

docs/dialects.md, "JSON TTLV", "What an answer may contain" and "The other dialects". A request may mix the dialects;
its answer is written in the one that the root of the request shows. The peculiarities of the dialect of Cosmian's
clients are in `json_parsing` and `cosmian_formatting`, those of names and values in `tables` and `json_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..ttlv import Dialect, Node
from .cosmian_formatting import format_cosmian
from .json_formatting import format_oasis, format_untyped
from .json_parsing import parse
from .json_text import to_bytes

__all__ = ["DIALECTS", "format", "parse"]

#: Dialect → the function that writes a node in it.
_FORMATTERS: Mapping[Dialect, Callable[[Node], dict[str, Any]]] = {
    Dialect.COSMIAN: format_cosmian,
    Dialect.OASIS: format_oasis,
    Dialect.OASIS_UNTYPED: format_untyped,
}

#: The dialects that are JSON.
DIALECTS = tuple(_FORMATTERS)


def format(node: Node, dialect: Dialect) -> bytes:  # noqa: A001 - the pair of parse
    """The tree as compact JSON, members in the order tag, type, value. dialect: one of DIALECTS."""
    return to_bytes(_FORMATTERS[dialect](node))
