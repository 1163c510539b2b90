"""A managed object as a row of `objects`, and back: nothing is read from a row before its code is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from ....audit.indexing import Uses
from ....domain.managed_object import ManagedObject, SealedMaterial
from ....errors import KMIPError
from ....kmip.attribute_index import Retired
from ....kmip.attributes import Attributes
from ....kmip.enums import ObjectType, Operation, State
from ...interface.lists import GrantedObject, OwnedObject
from .attribute_rows import (
    DERIVED_COLUMNS,
    collect_columns,
    format_attributes,
    format_rows,
    parse_attributes,
    parse_rows,
    parse_text,
)
from .row_macs import (
    AUTHENTIC_COLUMNS,
    AUTHENTIC_NAMES,
    AlteredRow,
    RowAuthenticator,
    altered_object,
    digest_sealed,
)
from .schema import objects

_DERIVED = tuple(objects.c[name] for name in DERIVED_COLUMNS)
#: The columns of a row for `RowParser.parse_row`, in that order.
OBJECT_ROW = (*AUTHENTIC_COLUMNS, objects.c.mac, objects.c.sealed, *_DERIVED)
#: The columns of a row for `check_row`, which also has no material.
ROW_TO_CHECK = (*AUTHENTIC_COLUMNS, objects.c.mac, *_DERIVED)

#: Places in a row of any of these kinds.
UID = AUTHENTIC_NAMES.index("uid")
OWNER = AUTHENTIC_NAMES.index("owner")
_ATTRIBUTES = AUTHENTIC_NAMES.index("attributes")
GRANTS = AUTHENTIC_NAMES.index("grants")
#: The columns of a row for `RowParser.parse_listed`: all that a list shows, without material. Rights of a thousand
#: grantees are longer than all else in the row.
LISTED_ROW = AUTHENTIC_COLUMNS[:GRANTS]
_DIGEST = len(AUTHENTIC_COLUMNS) - 1
MAC = len(AUTHENTIC_COLUMNS)
_SEALED = MAC + 1

# Looking a member up in a dict costs a third of calling the class.
_OBJECT_TYPES: Mapping[int, ObjectType] = {int(member): member for member in ObjectType}
_STATES: Mapping[int, State] = {int(member): member for member in State}

_parse_json = json.JSONDecoder().decode
_format_tags = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def format_row(
    new: ManagedObject,
    authenticator: RowAuthenticator,
    *,
    generation: int,
    now: int,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """{column: value} for every column of `objects` except the serial.

    now: seconds since the Unix epoch.
    before: the row that the new one replaces. Values that a Replace does not decide are taken from it: the grants, if
    the owner stays, and the source of the nonces, if the material stays.
    """
    attributes = format_attributes(new.attributes)
    text = attributes.text
    if new.retired_indices:
        text = format_rows(attributes.rows, new.retired_indices)
    grants, nonce_source = "", new.nonce_source
    if before is not None:
        grants = before["grants"] if before["owner"] == new.owner else ""
        if before["version"] == new.version:
            nonce_source = before["nonce_source"]
    row = {
        "uid": new.uid,
        "owner": new.owner,
        "object_type": int(new.object_type),
        "state": int(new.state),
        **attributes.columns,
        "attributes": text,
        "tags": _format_tags(sorted(new.tags)),
        "sealed": new.sealed,
        "version": new.version,
        "generation": generation,
        "created_at": new.created_at,
        "changed_at": now,
        "grants": grants,
        "nonce_source": None if nonce_source is None else int(nonce_source),
        "sealed_digest": digest_sealed(new.sealed),
    }
    row["mac"] = authenticator.object_mac(row)
    return row


def check_row(row: Sequence[Any], authenticator: RowAuthenticator) -> dict[str, Any]:
    """{column: value} of AUTHENTIC_COLUMNS of a row with the columns of ROW_TO_CHECK.

    Raises AlteredRow where this server did not write the row.
    """
    authenticator.check_object(row, row[MAC])
    values = dict(zip(AUTHENTIC_NAMES, row, strict=False))
    columns = collect_columns(parse_rows(values["attributes"]))
    if tuple(row[MAC + 1 :]) != tuple(columns.values()):
        raise altered_object(values["uid"], "a column does not fit the attributes")
    return values


#: The year 10000, in milliseconds since the Unix epoch.
_END_OF_TIME_MS = 253_402_300_800_000


def _read_uses(uid: object, uses: object, last_ms: object) -> Uses | None:
    """The uses of an object; None where there are none. Raises AlteredRow for what no server writes."""
    if uses is None:
        return None
    if not (isinstance(uses, int) and isinstance(last_ms, int) and 0 <= last_ms < _END_OF_TIME_MS):
        raise altered_object(
            uid, "its row of audit_uses is no count: run kms-tornado audit reindex"
        )
    return Uses(uses, last_ms)


def check_whole_row(row: Sequence[Any], sealed: Any, authenticator: RowAuthenticator) -> None:
    """As `check_row`, with the sealed material. Raises AlteredRow, whatever something else left in the row."""
    try:
        check_row(row, authenticator)
    except (ValueError, TypeError, LookupError) as exc:
        raise altered_object(row[UID], "it cannot be read") from exc
    if row[_DIGEST] != digest_sealed(sealed):
        raise altered_object(row[UID], "sealed_digest does not fit the sealed material")


_T = TypeVar("_T")

#: Characters and bytes of what is cached (most rows have fewer than a thousand), and how many of that length. What is
#: parsed and was written once takes up to seven times as much memory as its text: 70 MiB at most.
_SHORT, _MIDDLE, _LONG = 1024, 4096, 131_072
_SHORT_ONES, _MIDDLE_ONES, _LONG_ONES = 4096, 512, 32


def cache_by_length(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    """The function with caches of its own that are bounded in bytes: the longer the texts, the fewer are remembered."""
    parse_short = lru_cache(_SHORT_ONES)(parse)
    parse_middle = lru_cache(_MIDDLE_ONES)(parse)
    parse_long = lru_cache(_LONG_ONES)(parse)

    def parse_cached(text: str) -> _T:
        length = len(text)
        if length <= _SHORT:
            return parse_short(text)
        if length <= _MIDDLE:
            return parse_middle(text)
        return parse_long(text) if length <= _LONG else parse(text)

    return parse_cached


#: Characters of attributes and grants, which are parsed in a few milliseconds. No common row has as many.
_MAX_PARSED_ON_LOOP = 16_384


def is_long(*rows: Sequence[Any]) -> bool:
    """Whether parsing and checking the rows, of any of the kinds above, would hold the event loop."""
    # No other types occur, unless something else than this server wrote the row.
    length = sum(
        len(text)
        for row in rows
        for text in (row[_ATTRIBUTES], row[GRANTS])
        if isinstance(text, str)
    )
    return length > _MAX_PARSED_ON_LOOP


class RowParser:
    """Parses rows into objects, and caches what it parsed from their texts. Each store has its own.

    A busy server reads the same few thousand objects again and again, and most of them have the same few tags. Parsing
    the attributes takes several times as long as reading the row.
    """

    def __init__(self, authenticator: RowAuthenticator) -> None:
        self._check_object = authenticator.check_object
        self._parse_attributes = cache_by_length(_parse_stored)
        self._parse_tags = cache_by_length(_parse_tags)
        # By the whole row, code included: a row with one other byte is another row, and is checked. To
        # check a row takes 16 µs, a tenth of Get; to find it here takes one.
        self._parse_short = lru_cache(_SHORT_ONES)(self._parse_checked)
        self._parse_middle = lru_cache(_MIDDLE_ONES)(self._parse_checked)

    def parse_row(self, row: Sequence[Any]) -> ManagedObject:
        """The object of a row with the columns of OBJECT_ROW, if this server wrote it. Raises AlteredRow."""
        try:
            length = sum(map(len, row[UID:MAC])) + len(row[_SEALED])
        except TypeError:  # no material, or values of types that this server never writes
            return self._parse_checked(row)
        if length <= _SHORT:
            return self._parse_short(row)
        return (self._parse_middle if length <= _MIDDLE else self._parse_checked)(row)

    def _parse_checked(self, row: Sequence[Any]) -> ManagedObject:
        self._check_object(row, row[MAC])
        sealed = row[_SEALED]
        if digest_sealed(sealed) != row[_DIGEST]:
            raise altered_object(row[UID], "sealed_digest does not fit the sealed material")
        return self._make_object(row, sealed, row[_SEALED + 1 :])

    def parse_listed(self, row: Sequence[Any]) -> ManagedObject:
        """The object of a row with the columns of LISTED_ROW. For lists only, because the row is not checked."""
        return self._make_object(row, None, None)

    def _make_object(
        self, row: Sequence[Any], sealed: SealedMaterial | None, derived: Sequence[Any] | None
    ) -> ManagedObject:
        (
            object_type,
            state,
            version,
            generation,
            created_at,
            _,
            nonce_source,
            uid,
            owner,
            attributes,
            tags,
        ) = row[:GRANTS]
        try:
            parsed, columns, retired = self._parse_attributes(attributes)
            if derived is not None and derived != columns:
                raise altered_object(uid, "a column does not fit the attributes")
            return ManagedObject(
                uid,
                owner,
                _OBJECT_TYPES[object_type],
                _STATES[state],
                parsed,
                self._parse_tags(tags),
                sealed,
                created_at,
                version,
                generation,
                nonce_source,
                retired,
            )
        except AlteredRow:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, KMIPError) as exc:
            raise altered_object(uid, "it cannot be read") from exc

    def parse_owned(self, rows: Iterable[Sequence[Any]]) -> list[OwnedObject]:
        """The objects in the rows (*LISTED_ROW, uses, last_used). Raises AlteredRow."""
        return [
            OwnedObject(self.parse_listed(columns), _read_uses(columns[UID], uses, last_ms))
            for *columns, uses, last_ms in rows
        ]

    def parse_granted(self, rows: Iterable[Sequence[Any]]) -> list[GrantedObject]:
        """The granted objects in the rows (*LISTED_ROW, grantee, operation), in the order of their first rows."""
        granted: dict[str, tuple[ManagedObject, set[str], set[Operation]]] = {}
        for *columns, grantee, operation in rows:
            uid = columns[UID]
            if uid not in granted:
                granted[uid] = (self.parse_listed(columns), set(), set())
            granted[uid][1].add(grantee)
            granted[uid][2].add(Operation(operation))
        return [
            GrantedObject(target, frozenset(grantees), frozenset(operations))
            for target, grantees, operations in granted.values()
        ]


def _parse_stored(text: str) -> tuple[Attributes, tuple[int | None, ...], Retired]:
    """(the attributes, the values of the columns that repeat them, the retired indices)."""
    rows, retired = parse_text(text)
    return parse_attributes(rows), tuple(collect_columns(rows).values()), retired


def _parse_tags(text: str) -> frozenset[str]:
    return frozenset(_parse_json(text))
