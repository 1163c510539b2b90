"""A managed object as a row, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...domain.managed_object import ManagedObject
from ...errors import GeneralFailure, KMIPError
from ...kmip.enums import ObjectType, Operation, State
from ..base import Obtained
from .attribute_rows import collect_columns, format_attributes, parse_attributes
from .schema import objects

_log = logging.getLogger(__name__)

#: The columns that `from_row` takes, in its order.
COLUMNS = (
    objects.c.uid,
    objects.c.owner,
    objects.c.object_type,
    objects.c.state,
    objects.c.attributes,
    objects.c.tags,
    objects.c.sealed,
    objects.c.created_at,
    objects.c.version,
    objects.c.generation,
)

# Looking a member up in a dict costs a third of calling the class.
_OBJECT_TYPES: Mapping[int, ObjectType] = {int(each): each for each in ObjectType}
_STATES: Mapping[int, State] = {int(each): each for each in State}


@lru_cache(maxsize=1024)  # most objects have the same few
def _load_tags(text: str) -> frozenset[str]:
    return frozenset(_decode(text))


_decode = json.JSONDecoder().decode
_dump_tags = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_row(new: ManagedObject, *, generation: int, now: int) -> dict[str, Any]:
    limits = new.attributes.usage_limits
    attributes, rows = format_attributes(new.attributes)
    return {
        "uid": new.uid,
        "owner": new.owner,
        "object_type": int(new.object_type),
        "state": int(new.state),
        **collect_columns(rows),
        "attributes": attributes,
        "tags": _dump_tags(sorted(new.tags)),
        "sealed": new.sealed,
        "version": new.version,
        "generation": generation,
        "created_at": new.created_at,
        "changed_at": now,
        "usage_limits_total": None if limits is None else limits.usage_limits_total,
        "usage_limits_count": None if limits is None else limits.usage_limits_count,
    }


def from_row(row: Sequence[Any]) -> ManagedObject:
    """Raises GeneralFailure where the row is not one that `to_row` made."""
    uid, owner, object_type, state, attributes, tags, sealed, created_at, version, generation = row
    try:
        return ManagedObject(
            uid,
            owner,
            _OBJECT_TYPES[object_type],
            _STATES[state],
            parse_attributes(attributes),
            _load_tags(tags),
            sealed,
            created_at,
            version,
            generation,
        )
    except (ValueError, TypeError, LookupError, AttributeError, KMIPError) as exc:
        _log.error("the row of the object %s is not one that this server writes", uid)
        raise GeneralFailure("the stored object cannot be read") from exc


def obtained_from_rows(rows: Iterable[Sequence[Any]]) -> list[Obtained]:
    """Of rows of an object and one operation, in which an object's rows follow one another."""
    found: dict[str, tuple[ManagedObject, set[Operation]]] = {}
    for *columns, operation in rows:
        uid = columns[0]
        if uid not in found:
            found[uid] = (from_row(columns), set())
        found[uid][1].add(Operation(operation))
    return [Obtained(target, frozenset(operations)) for target, operations in found.values()]


def grants_from_rows(rows: Iterable[Sequence[Any]]) -> dict[str, frozenset[Operation]]:
    """Grantee → operations. A row of None says that there are none."""
    found: dict[str, set[Operation]] = {}
    for grantee, operation in rows:
        if grantee is not None:
            found.setdefault(grantee, set()).add(Operation(operation))
    return {grantee: frozenset(operations) for grantee, operations in found.items()}
