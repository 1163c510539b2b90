"""Rows under a MAC: what each code covers, and the error for a row that somebody else wrote.

Every row that decides who may do what carries a code under a key derived from the master key, which no
database holds. A row of `objects` is covered whole:

- `AUTHENTIC_COLUMNS` are the message of the code. The sealed material, which many reads leave out, stands
  in it as its SHA-256.
- The columns that repeat values of `attributes` are compared with them wherever a row is checked.
- The serial only connects the rows of an object. Every object's rows in the index tables are compared
  with its own row before anything is decided by them (`index_check`).

Rows of other tables have a message of their table's name and their values.

What a code cannot show: that a row is missing, or that it is an older one of the same object.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from hmac import compare_digest
from operator import itemgetter
from typing import Any

from ....errors import GeneralFailure
from ...interface.faults import make_unavailable
from ...interface.master_keys import RowMAC
from ..stored_values import stored_bytes
from .schema import objects

_log = logging.getLogger(__name__)

_NUMBERS = (
    objects.c.object_type,
    objects.c.state,
    objects.c.version,
    objects.c.generation,
    objects.c.created_at,
    objects.c.changed_at,
    objects.c.nonce_source,
)
_TEXTS = (
    objects.c.uid,
    objects.c.owner,
    objects.c.attributes,
    objects.c.tags,
    objects.c.grants,
)
#: What the code of an object's row covers, in this order.
AUTHENTIC_COLUMNS = (*_NUMBERS, *_TEXTS, objects.c.sealed_digest)
AUTHENTIC_NAMES = tuple(column.name for column in AUTHENTIC_COLUMNS)

_UID = len(_NUMBERS)
_DIGEST = len(AUTHENTIC_COLUMNS) - 1

# The lengths of the texts stand in front, so that no two rows have the same message. %r tells NULL and
# numbers from texts, which SQLite stores in any column.
_OBJECT_MESSAGE = "objects|" + "%d," * len(_TEXTS) + "%r," * len(_NUMBERS) + "%s" * len(_TEXTS)

#: In front of the code of an object's row that was found not to be the one of its last record. So every use of it is
#: refused, by whatever server, without another look; the row itself stays as it was found.
REFUSED = b"refused|"

_pick_authentic: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*AUTHENTIC_NAMES)


class AlteredRow(GeneralFailure):
    """A row is not as this server wrote it. subject, detail: whose row it is, and what is wrong, both for the log."""

    def __init__(self, subject: str, detail: str = "its code does not fit") -> None:
        self.subject = subject
        self.detail = detail
        super().__init__("the stored object cannot be used; tell the operator of the server")


def altered_object(uid: object, detail: str = "its code does not fit") -> AlteredRow:
    return AlteredRow(f"the object {uid}", detail)


def log_altered(error: AlteredRow) -> None:
    """Write one line for the operator. Called where a method of the store ends with the error."""
    _log.error(
        "the row of %s was changed by something else than this server (%s); it is refused",
        error.subject,
        error.detail,
    )


def split_refused(mac: Any) -> tuple[bytes, bool]:
    """(the MAC that a row has, or had before it was refused; whether it is refused). mac: the value of the column."""
    if not isinstance(mac, bytes):  # a type that this server never writes
        return b"", False
    return mac.removeprefix(REFUSED), mac.startswith(REFUSED)


def digest_sealed(sealed: bytes | None) -> bytes | None:
    """The value of the column sealed_digest."""
    return None if sealed is None else hashlib.sha256(stored_bytes(sealed)).digest()


class RowAuthenticator:
    """Computes and checks the MACs of rows. Each store has one, without a key until `use`."""

    __slots__ = ("_mac",)

    def __init__(self, row_mac: RowMAC | None = None) -> None:
        self._mac: RowMAC = row_mac or _refuse

    def use(self, row_mac: RowMAC) -> None:
        self._mac = row_mac

    def object_mac(self, row: Mapping[str, Any]) -> bytes:
        """The MAC for a row that is about to be written. row: {column: value}."""
        return self._mac(_encode_object(_pick_authentic(row)))

    def check_object(self, row: Sequence[Any], mac: Any) -> None:
        """row: begins with the values of AUTHENTIC_COLUMNS. Raises AlteredRow."""
        try:
            if compare_digest(self._mac(_encode_object(row)), mac):
                return
        except (TypeError, ValueError):  # values of types that this server never writes
            pass
        if split_refused(mac)[1]:
            raise altered_object(row[_UID], "it was found not to be the one of its last record")
        raise altered_object(row[_UID])

    def row_mac(self, table: str, *values: str | int | bytes | None) -> bytes:
        """The MAC of a row in a table other than `objects`."""
        return self._mac(_encode_row(table, values))

    def check_row(
        self, subject: str, mac: Any, table: str, *values: str | int | bytes | None
    ) -> None:
        """subject: what the log calls the row. Raises AlteredRow."""
        try:
            if compare_digest(self.row_mac(table, *values), mac):
                return
        except (TypeError, ValueError):
            pass
        raise AlteredRow(subject)


def _refuse(message: bytes) -> bytes:
    raise make_unavailable("the store has no key yet by which to know its rows")


def _encode_object(row: Sequence[Any]) -> bytes:
    uid, owner, attributes, tags, grants, digest = row[_UID : _DIGEST + 1]
    lengths = len(uid), len(owner), len(attributes), len(tags), len(grants)
    return (_OBJECT_MESSAGE % (*lengths, *row[:_DIGEST])).encode() + (digest or b"")


def _encode_row(table: str, values: Sequence[str | int | bytes | None]) -> bytes:
    parts = [table.encode(), b"|"]
    for value in values:
        if isinstance(value, bytes):
            mark, octets = b"b", value
        elif isinstance(value, str):
            mark, octets = b"t", value.encode()
        else:
            mark, octets = b"n", b"" if value is None else b"%d" % value
        parts += (mark, b"%d:" % len(octets), octets)
    return b"".join(parts)
