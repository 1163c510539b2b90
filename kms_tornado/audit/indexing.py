"""What the index of the audit takes from records: the users and objects that they are about, and the uses of keys."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple, TypeVar

from .record import MOST_CHARACTERS, SUCCESS, clean

#: Operations for which a key is used: those that compute with it, and those that hand it out to whoever then does.
USES = frozenset(
    {"Decrypt", "DeriveKey", "Encrypt", "Export", "Get", "MAC", "MACVerify"}
    | {"Sign", "SignatureVerify"}
)

#: The operation that gives objects to another owner; the detail of its record names both.
TRANSFER = "Transfer"

T = TypeVar("T")

_TEXT = rb'null|"[^"\\]*(?:\\.[^"\\]*)*"'
_CODE = rb'"[0-9a-f]*"'
# A whole record of the kinds that are nearly all: without details and further objects. Parsing JSON takes five times
# as long, and a set of characters longer than all but one. Within a text every quotation mark stands behind a
# backslash, so that nothing in one looks like a member.
_RECORD = re.compile(
    rb'^\{"chain":\d+,"issuer":(?:' + _TEXT + rb')(?:,"item":"[0-9/]+")?'
    rb'(?:,"objects":\[\[("[^"\\]*"),(?:(null)|' + _CODE + rb"),(?:null|" + _CODE + rb")\]\])?"
    rb',"operation":"(\w+)","prev":"[^"]{64}","principal":(' + _TEXT + rb'),"protocol":"\w+"'
    rb',"reason":(?:'
    + _TEXT
    + rb'),"remote_ip":(?:'
    + _TEXT
    + rb'),"request_id":(?:'
    + _TEXT
    + rb")"
    rb',"result":"(\w+)","seq":\d+,"time":"([^"]+)","uid":(' + _TEXT + rb'),"v":1\}$',
    re.MULTILINE,
)
# No text of a client has this in it, as its quotation marks stand behind backslashes.
_TIME = re.compile(rb'"time":"([^"]+)","uid":')
_USES = frozenset(name.encode() for name in USES)
_SUCCESS = SUCCESS.encode()
_NULL = b"null"

#: The fields of a record, in the order of `_RECORD`: the changed object, or none; null where it had no row before;
#: operation, principal, result, time and identifier. Texts of clients are in JSON.
_Fields = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]


class Uses(NamedTuple):
    """How often a key was used. last_ms: the time of the last use, in milliseconds since the Unix epoch."""

    uses: int
    last_ms: int


class Indexed(NamedTuple):
    """What some records are about.

    keys: from `object_key` and `principal_key`.
    uses: identifier → its uses.
    uids: of all objects, except identifiers that a record contains only in part.
    made: identifier → when a row for it was added, in milliseconds since the Unix epoch.
    transfers: (the old owner of some objects, the new one).
    """

    keys: frozenset[int]
    uses: Mapping[str, Uses]
    uids: frozenset[str]
    made: Mapping[str, int]
    transfers: frozenset[tuple[str, str]]


def object_key(uid: str) -> int:
    """The key under which the index finds the records about the object: a signed number of 64 bits."""
    return _hash_key(b"object|", uid)


def principal_key(name: str) -> int:
    """The key under which the index finds the records of what the principal did."""
    return _hash_key(b"principal|", name)


def owner_key(name: str) -> int:
    """The key under which the index finds the records about objects that were the owner's when they were indexed."""
    return _hash_key(b"owner|", name)


def _hash_key(kind: bytes, name: str) -> int:
    # Two names may share a key, so whoever reads the records compares the names in them.
    digest = hashlib.blake2b(kind + clean(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class RecordFields(NamedTuple):
    """The fields by which a record is found. uids: except identifiers that the record contains only in part."""

    principal: str | None
    operation: str
    result: str
    time_ms: int
    uids: frozenset[str]


def read_fields(line: bytes) -> RecordFields | None:
    """The fields of a record; None where the line is not a record."""
    try:
        if match := _RECORD.fullmatch(line):
            changed, _, operation, principal, result, at, uid = match.groups()
            uids = {_read(text) for text in (changed, uid) if text is not None and text != _NULL}
            return RecordFields(
                None if principal == _NULL else _read(principal), operation.decode(), result.decode(),
                parse_time(at.decode()), frozenset(filter(is_whole, uids)),
            )  # fmt: skip
        record = json.loads(line)
        return RecordFields(
            record["principal"], record["operation"], record["result"], parse_time(record["time"]),
            frozenset(filter(is_whole, list_uids(record))),
        )  # fmt: skip
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def list_uids(record: Mapping[str, Any]) -> set[str]:
    """The objects that a record is about, or that were involved."""
    uids = {uid for uid, _, _ in record.get("objects", ())} | set(record.get("also", ()))
    return uids if record["uid"] is None else uids | {record["uid"]}


def read_times(lines: bytes) -> tuple[int, int] | None:
    """The times of the oldest and of the newest of some records, in milliseconds since the Unix epoch.

    None where a line is not a record. lines: joined by line feeds.
    """
    times = _TIME.findall(lines)
    if len(times) != lines.count(b"\n") + 1:
        return None
    try:
        return _read_time(min(times)), _read_time(max(times))
    except ValueError:
        return None


def index_records(segments: Iterable[bytes]) -> Indexed:
    """What the records in the segments are about. A line that is not a record is ignored."""
    principals: set[bytes] = set()
    uids: set[bytes] = set()
    used: dict[bytes, tuple[int, bytes]] = {}
    made: dict[bytes, bytes] = {}
    transfers: set[tuple[str, str]] = set()
    for lines in segments:
        for changed, none, operation, principal, result, at, uid in _find_fields(lines, transfers):
            principals.add(principal)
            uids.add(uid)
            if changed and changed != uid:
                uids.add(changed)
            if none:
                made[changed] = min(made.get(changed, at), at)
            if result == _SUCCESS and operation in _USES:
                count, last = used.get(uid, (0, b""))
                used[uid] = (count + 1, max(last, at))
    named = {_read(text) for text in uids if text != _NULL}
    keys = {principal_key(_read(text)) for text in principals if text != _NULL}
    keys |= set(map(object_key, named))
    return Indexed(
        frozenset(keys),
        {uid: Uses(count, _read_time(last)) for uid, (count, last) in _read_keys(used)},
        frozenset(filter(is_whole, named)),
        {uid: _read_time(at) for uid, at in _read_keys(made)},
        frozenset(transfers),
    )


def _find_fields(lines: bytes, transfers: set[tuple[str, str]]) -> Iterable[_Fields]:
    """The fields of each record, once for each object in it.

    transfers: the transfers among the records are added to it.
    """
    found: list[_Fields] = _RECORD.findall(lines)
    if len(found) == lines.count(b"\n") + 1:
        return found
    found = []
    for line in lines.split(b"\n"):
        try:
            if fields := _RECORD.findall(line):
                found += fields
                continue
            record = json.loads(line)
            found += _parse_line(record)
            transfers |= _find_transfer(record)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue
    return found


def _parse_line(record: Mapping[str, Any]) -> Sequence[_Fields]:
    parse_time(record["time"])
    principal = _NULL if record["principal"] is None else _write(record["principal"])
    at = record["time"].encode()
    fields = record["operation"].encode(), principal, record["result"].encode(), at
    made = {uid for uid, before, _ in record.get("objects", ()) if before is None}
    return [
        (_write(uid), _NULL, *fields, _write(uid))
        if uid in made
        else (b"", b"", *fields, _write(uid))
        for uid in list_uids(record)
    ] or [(b"", b"", *fields, _NULL)]


def _find_transfer(record: Mapping[str, Any]) -> set[tuple[str, str]]:
    if record["operation"] != TRANSFER or "detail" not in record:
        return set()
    return {(clean(record["detail"]["from"]), clean(record["detail"]["to"]))}


def _write(text: str) -> bytes:
    """The value as records write it, so that each text has only one form."""
    return encode_basestring(clean(text)).encode()


def is_whole(uid: str) -> bool:
    """Whether this may be a whole identifier.

    Of a longer one, records contain the beginning, and none has a null character.
    """
    return len(uid) < MOST_CHARACTERS and "\0" not in uid


def _read(text: bytes) -> str:
    """A text in a record."""
    value: str = json.loads(text) if b"\\" in text else text[1:-1].decode()
    return value


def _read_keys(values: Mapping[bytes, T]) -> Iterator[tuple[str, T]]:
    """The identifiers among the values that are whole."""
    for text, value in values.items():
        if text != _NULL and is_whole(uid := _read(text)):
            yield uid, value


def _read_time(at: bytes) -> int:
    return parse_time(at.decode())


def parse_time(text: str) -> int:
    """The time of a record, in milliseconds since the Unix epoch. Raises ValueError."""
    if len(text) != 24 or text[23] != "Z":
        raise ValueError("the time is not as records have it")
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def format_time(time_ms: int) -> str:
    """The time as records write it."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
