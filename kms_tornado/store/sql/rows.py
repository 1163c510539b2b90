"""A managed object as a row of `objects`, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...domain.managed_object import ManagedObject
from ...errors import GeneralFailure, KMIPError
from ...kmip.enums import ObjectType, Operation, State
from ..base import GrantedObject
from .attribute_rows import collect_columns, format_attributes, parse_attributes
from .schema import objects

_log = logging.getLogger(__name__)

#: The columns of a row for `RowParser.parse_row`, in that order.
OBJECT_ROW = (
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
_OBJECT_TYPES: Mapping[int, ObjectType] = {int(member): member for member in ObjectType}
_STATES: Mapping[int, State] = {int(member): member for member in State}

_parse_json = json.JSONDecoder().decode
_format_tags = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def format_row(new: ManagedObject, *, generation: int, now: int) -> dict[str, Any]:
    """{column: value} for every column of `objects` but the serial. now: seconds since the Unix epoch."""
    limits = new.attributes.usage_limits
    text, rows = format_attributes(new.attributes)
    return {
        "uid": new.uid,
        "owner": new.owner,
        "object_type": int(new.object_type),
        "state": int(new.state),
        **collect_columns(rows),
        "attributes": text,
        "tags": _format_tags(sorted(new.tags)),
        "sealed": new.sealed,
        "version": new.version,
        "generation": generation,
        "created_at": new.created_at,
        "changed_at": now,
        "usage_limits_total": None if limits is None else limits.usage_limits_total,
        "usage_limits_count": None if limits is None else limits.usage_limits_count,
    }


class RowParser:
    """Parses rows into objects, and caches what it parsed from their texts. Each store has its own.

    A busy server reads the same few thousand objects again and again, and most of them have the same
    few tags. Parsing the attributes takes several times as long as reading the row.
    """

    def __init__(self) -> None:
        self._parse_attributes = lru_cache(maxsize=4096)(parse_attributes)
        self._parse_tags = lru_cache(maxsize=1024)(_parse_tags)

    def parse_row(self, row: Sequence[Any]) -> ManagedObject:
        """The object of a row with the columns of OBJECT_ROW.

        Raises GeneralFailure where the row is not one that `format_row` made.
        """
        (
            uid,
            owner,
            object_type,
            state,
            attributes,
            tags,
            sealed,
            created_at,
            version,
            generation,
        ) = row
        try:
            return ManagedObject(
                uid,
                owner,
                _OBJECT_TYPES[object_type],
                _STATES[state],
                self._parse_attributes(attributes),
                self._parse_tags(tags),
                sealed,
                created_at,
                version,
                generation,
            )
        except (ValueError, TypeError, LookupError, AttributeError, KMIPError) as exc:
            _log.error("the row of the object %s is not one that this server writes", uid)
            raise GeneralFailure("the stored object cannot be read") from exc

    def parse_rows(self, rows: Iterable[Sequence[Any]]) -> list[ManagedObject]:
        return [self.parse_row(row) for row in rows]

    def parse_granted(self, rows: Iterable[Sequence[Any]]) -> list[GrantedObject]:
        """The granted objects in the rows (*OBJECT_ROW, operation), in the order of their first rows."""
        granted: dict[str, tuple[ManagedObject, set[Operation]]] = {}
        for *columns, operation in rows:
            uid = columns[0]
            if uid not in granted:
                granted[uid] = (self.parse_row(columns), set())
            granted[uid][1].add(Operation(operation))
        return [
            GrantedObject(target, frozenset(operations)) for target, operations in granted.values()
        ]


def _parse_tags(text: str) -> frozenset[str]:
    return frozenset(_parse_json(text))


def parse_grants(rows: Iterable[Sequence[Any]]) -> dict[str, frozenset[Operation]]:
    """{grantee: operations} of the rows of `queries.grants_on`."""
    grants: dict[str, set[Operation]] = {}
    for grantee, operation in rows:
        if grantee is not None:
            grants.setdefault(grantee, set()).add(Operation(operation))
    return {grantee: frozenset(operations) for grantee, operations in grants.items()}
