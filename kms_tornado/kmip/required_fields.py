"""Which fields the structures of an answer must have, by tag instead of by class.

This is for code that has only the tree of an answer and removes something from it (`version_gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .attributes import Attributes
from .objects import OBJECT_CLASSES, KeyBlock
from .schema import Declared, fields_of

#: The structures that hold attributes.
ATTRIBUTE_SETS = frozenset(
    {
        "Attributes",
        "CommonAttributes",
        "CurrentAttribute",
        "NewAttribute",
        "PrivateKeyAttributes",
        "PublicKeyAttributes",
    }
)

#: {structure: the tags of its required fields}
Required = Mapping[str, frozenset[str]]


@cache  # one entry for each payload of an operation: no bound is necessary
def collect_required(cls: type[Declared], name: str) -> Required:
    """The required fields of the class, under this name, and of all structures that may stand in it.

    cls: of a payload.
    """
    required: dict[str, frozenset[str]] = {}
    _add_required(required, name, cls)
    for object_cls in (*OBJECT_CLASSES.values(), KeyBlock):  # behind a `Custom`, as unions are
        _add_required(required, object_cls.__name__, object_cls)
    for tag in ATTRIBUTE_SETS:
        _add_required(required, tag, Attributes)
    return required


def _add_required(required: dict[str, frozenset[str]], name: str, cls: type[Declared]) -> None:
    if name in required:
        return
    fields = fields_of(cls)
    required[name] = frozenset(
        tag
        for field in fields
        if field.required and not field.repeated
        for tag in (field.tag, *field.other_tags)
    )
    for field in fields:
        if field.inner is not None:
            _add_required(required, field.tag, field.inner)
