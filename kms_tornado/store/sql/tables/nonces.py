"""The records of nonces: for each key its source, how many the server reserved, and those of callers.

Key means key material here (`KeyRing.identify_material`): objects with the same material share the
records, which outlive them all.

A record that somebody deletes would make a used nonce look new, and no row's code can show that another
row is missing. So the values of a list are a *chain*: each record names the next value, and the first,
with the empty value, is there from the start. A value is new only where the record before it names one
behind it, or none:

    b""  → 17      17 → 40      40 → b""        20 is new, as the record of 17 says that 40 is next

If the record of 17 is deleted, that of b"" names a value that is not there. To delete a record without a
trace, somebody would have to write another one's code.

There is a chain for each key whose nonces callers bring, and one of all keys, under the empty key: it
shows that a key without a row in `nonce_sources` never had one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BindParameter, bindparam, insert, select, update

from ....domain.nonces import (
    NonceSource,
    add_reserved,
    check_caller_may_choose,
    check_server_may_choose,
    mix_sources,
)
from ....errors import InvalidField, NonceReused
from ..statements import Runner, Statement
from .row_macs import AlteredRow, RowAuthenticator
from .schema import nonce_sources, used_nonces

MAX_NONCE_BYTES = 255

#: The key whose chain has all keys as its values.
_ALL_KEYS = b""
_FIRST = _END = b""
#: The bytes that stand for an object in the chain of its key.
_MARK_BYTES = 16

_of_key: BindParameter[bytes] = bindparam("of_key")
_select_before = Statement(
    select(used_nonces.c.nonce, used_nonces.c.next, used_nonces.c.mac)
    .where(used_nonces.c.key == _of_key, used_nonces.c.nonce <= bindparam("highest"))
    .order_by(used_nonces.c.nonce.desc())
    .limit(1)
    .with_for_update()
)
_insert_link = Statement(insert(used_nonces), used_nonces.columns.keys())
_update_link = Statement(
    update(used_nonces).where(
        used_nonces.c.key == _of_key, used_nonces.c.nonce == bindparam("of_nonce")
    ),
    ("next", "mac"),
)
_select_source = Statement(
    select(nonce_sources.c.source, nonce_sources.c.reserved, nonce_sources.c.mac)
    .where(nonce_sources.c.key == _of_key)
    .with_for_update()
)
_insert_source = Statement(insert(nonce_sources), nonce_sources.columns.keys())
_update_source = Statement(
    update(nonce_sources).where(nonce_sources.c.key == _of_key), ("source", "reserved", "mac")
)


class KeyOfObject(NamedTuple):
    """A key, and the object with which it is used.

    key: the identity under which records are kept.
    fixed: the source that the object's row names.
    by_object: whether other objects with the same key do not count.
    """

    uid: str
    key: bytes
    fixed: int | None
    by_object: bool = False


@dataclass(frozen=True, slots=True)
class NonceRecords:
    """The records, inside a transaction that holds the lock on the object's row."""

    runner: Runner
    authenticator: RowAuthenticator

    def begin(self) -> None:
        """Write the first record of the chain of all keys, without which no key can get a source."""
        if not self.runner.select(_select_before, {"of_key": _ALL_KEYS, "highest": _FIRST}):
            self._add_link(_ALL_KEYS, _FIRST, _END)

    def use_nonce(self, target: KeyOfObject, nonce: bytes) -> None:
        """Record a caller's nonce, and make callers the source if there is none yet.

        Raises InvalidField for its length, WrongNonceSource, NonceReused, AlteredRow.
        """
        if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
            raise InvalidField(f"a nonce has 1 to {MAX_NONCE_BYTES} bytes")
        self._fix_source(target, NonceSource.CALLER, check_caller_may_choose)
        # The length stands in front, so that no nonce is the beginning of another one's value. The mark
        # of the object behind it lets one chain tell what was used with it from what others used.
        prefix = bytes((len(nonce),)) + nonce
        value = prefix + hashlib.sha256(target.uid.encode()).digest()[:_MARK_BYTES]
        lowest = value if target.by_object else prefix
        highest = value if target.by_object else prefix + b"\xff" * _MARK_BYTES
        if not self._claim(target, target.key, value, lowest, highest):
            raise NonceReused("the nonce was used with this key before")

    def reserve(self, target: KeyOfObject, count: int) -> None:
        """Reserve nonces for the server to make, and make the server the source if there is none yet.

        Raises WrongNonceSource, NoncesSpent, AlteredRow.
        """
        source, reserved = self._fix_source(target, NonceSource.SERVER, check_server_may_choose)
        if count:
            self._write_source(target.key, source, add_reserved(reserved, count))

    # --- sources --------------------------------------------------------------------------------

    def _fix_source(
        self,
        target: KeyOfObject,
        requested: NonceSource,
        check: Callable[[int | None], None],
    ) -> tuple[NonceSource, int]:
        """(source, reserved) of the key, which is locked. check: raises WrongNonceSource."""
        check(target.fixed)
        source_row = self._find_source(target)
        if source_row is None:
            if target.fixed in (NonceSource.SERVER, NonceSource.CALLER):
                raise _missing(target)
            if self._claim(target, _ALL_KEYS, target.key, target.key, target.key):
                return self._add_source(target, requested), 0
            # Another transaction has added it just now; otherwise its row was deleted.
            source_row = self._find_source(target)
            if source_row is None:
                raise _missing(target)
        source, reserved = source_row
        if not target.by_object:
            check(source)
        mixed = mix_sources(source, requested) if target.by_object else source
        if mixed is not source:
            self._write_source(target.key, mixed, reserved)
            if source is NonceSource.SERVER:
                self._add_link(target.key, _FIRST, _END)
        return mixed, reserved

    def _add_source(self, target: KeyOfObject, source: NonceSource) -> NonceSource:
        row = {"key": target.key, "source": int(source), "reserved": 0}
        mac = self._source_mac(target.key, source, 0)
        self.runner.change(_insert_source, {**row, "mac": mac})
        if source is NonceSource.CALLER:
            self._add_link(target.key, _FIRST, _END)
        return source

    def _find_source(self, target: KeyOfObject) -> tuple[NonceSource, int] | None:
        for source, reserved, mac in self.runner.select(_select_source, {"of_key": target.key}):
            subject, key = _subject(target), target.key
            self.authenticator.check_row(subject, mac, "nonce_sources", key, source, reserved)
            return NonceSource(source), reserved
        return None

    def _write_source(self, key: bytes, source: NonceSource, reserved: int) -> None:
        mac = self._source_mac(key, source, reserved)
        row = {"source": int(source), "reserved": reserved, "mac": mac}
        self.runner.change(_update_source, {**row, "of_key": key})

    def _source_mac(self, key: bytes, source: NonceSource, reserved: int) -> bytes:
        return self.authenticator.row_mac("nonce_sources", key, int(source), reserved)

    # --- chains ---------------------------------------------------------------------------------

    def _claim(
        self, target: KeyOfObject, key: bytes, value: bytes, lowest: bytes, highest: bytes
    ) -> bool:
        """Add the value to the key's chain; False where the chain already has a value from lowest to highest."""
        before = following = None
        while True:
            last_seen = before, following
            before, following = self._find_before(target, key, highest)
            if before >= lowest:
                return False
            if following == _END or following > highest:
                break
            # The next value has been added by a transaction for which this one waited, so another
            # look finds its record; otherwise it was deleted.
            if (before, following) == last_seen:
                raise AlteredRow(_subject(target), "a record of its nonces is missing")
        self._add_link(key, value, following)
        mac = self._link_mac(key, before, value)
        row = {"of_key": key, "of_nonce": before, "next": value, "mac": mac}
        self.runner.change(_update_link, row)
        return True

    def _find_before(self, target: KeyOfObject, key: bytes, highest: bytes) -> tuple[bytes, bytes]:
        """(value, next value) of the last record up to `highest`, which is locked."""
        values = {"of_key": key, "highest": highest}
        for value, following, mac in self.runner.select(_select_before, values):
            self.authenticator.check_row(
                _subject(target), mac, "used_nonces", key, value, following
            )
            return value, following
        raise _missing(target)

    def _add_link(self, key: bytes, value: bytes, following: bytes) -> None:
        mac = self._link_mac(key, value, following)
        row = {"key": key, "nonce": value, "next": following, "mac": mac}
        self.runner.change(_insert_link, row)

    def _link_mac(self, key: bytes, value: bytes, following: bytes) -> bytes:
        return self.authenticator.row_mac("used_nonces", key, value, following)


def _subject(target: KeyOfObject) -> str:
    return f"the nonces of the object {target.uid}"


def _missing(target: KeyOfObject) -> AlteredRow:
    return AlteredRow(_subject(target), "a record of its nonces is missing")
