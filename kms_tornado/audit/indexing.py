"""What the index of the audit takes from records: whom and which objects they are about, and the uses of keys."""

from __future__ import annotations

import calendar
import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .record import MOST_CHARACTERS, SUCCESS, clean

#: Operations for which a key is used: those that compute with it, and those that hand it out to whoever then does.
USES = frozenset(
    {"Decrypt", "DeriveKey", "Encrypt", "Export", "Get", "MAC", "MACVerify"}
    | {"Sign", "SignatureVerify"}
)

_TEXT = rb'null|"[^"\\]*(?:\\.[^"\\]*)*"'
# From the operation to the end of a line. Within a text every quotation mark stands behind a backslash, so
# that nothing else than a record's own members can look like this.
_RECORD = re.compile(
    rb'"operation":"(\w+)","prev":"[0-9a-f]{64}","principal":(' + _TEXT + rb'),"protocol":"\w+"'
    rb',"reason":(?:'
    + _TEXT
    + rb'),"remote_ip":(?:'
    + _TEXT
    + rb'),"request_id":(?:'
    + _TEXT
    + rb")"
    rb',"result":"(\w+)","seq":\d+,"time":"([^"]+)","uid":(' + _TEXT + rb'),"v":1\}(?=\n|\Z)'
)
_USES = frozenset(name.encode() for name in USES)
_SUCCESS = SUCCESS.encode()
_NULL = b"null"


class Uses(NamedTuple):
    """How often a key was used. last_ms: the time of the last use, in milliseconds since the Unix epoch."""

    uses: int
    last_ms: int


class Indexed(NamedTuple):
    """What records are about. keys: of `object_key` and `principal_key`. uses: identifier → its uses."""

    keys: frozenset[int]
    uses: Mapping[str, Uses]


def object_key(uid: str) -> int:
    """By which the index finds the records about the object: a number of 64 bits with a sign."""
    return _hash_key(b"object|", uid)


def principal_key(name: str) -> int:
    """By which the index finds the records of what the principal did."""
    return _hash_key(b"principal|", name)


def _hash_key(kind: bytes, name: str) -> int:
    # Two names may share a key: whoever reads records looks at each of them.
    digest = hashlib.blake2b(kind + clean(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def list_uids(record: Mapping[str, Any]) -> set[str]:
    """The objects that a record is about, or that took part."""
    uids = {uid for uid, _, _ in record.get("objects", ())} | set(record.get("also", ()))
    return uids if record["uid"] is None else uids | {record["uid"]}


def index_records(segments: Iterable[bytes]) -> Indexed:
    """Of segments, each some records joined by line feeds. A line that is no record is passed over."""
    principals: set[bytes] = set()
    uids: set[bytes] = set()
    others: set[str] = set()
    used: dict[bytes, tuple[int, bytes]] = {}
    for lines in segments:
        found = _RECORD.findall(lines)
        if len(found) == lines.count(b"\n") + 1 and not _names_more(lines):
            for operation, principal, result, at, uid in found:
                principals.add(principal)
                uids.add(uid)
                if result == _SUCCESS and operation in _USES:
                    count, last = used.get(uid, (0, b""))
                    used[uid] = (count + 1, max(last, at))
            continue
        for record in _parse_lines(lines):
            principals.add(json.dumps(record["principal"]).encode())
            named = list_uids(record)
            others |= named
            if record["result"] == SUCCESS and record["operation"] in USES:
                at = record["time"].encode()
                for name in named:
                    text = json.dumps(name).encode()
                    count, last = used.get(text, (0, b""))
                    used[text] = (count + 1, max(last, at))
    keys = {principal_key(json.loads(text)) for text in principals if text != _NULL}
    keys |= {object_key(json.loads(text)) for text in uids if text != _NULL}
    keys |= {object_key(uid) for uid in others}
    return Indexed(frozenset(keys), _sum_up(used))


def _names_more(lines: bytes) -> bool:
    """Whether a record may name other objects than its `uid`."""
    if b'{"also":[' in lines or b'],["' in lines:
        return True
    return b'"objects":[[' in lines and b'"uid":null' in lines


def _parse_lines(lines: bytes) -> Iterable[Mapping[str, Any]]:
    for line in lines.split(b"\n"):
        try:
            record = json.loads(line)
            list_uids(record)
            parse_time(record["time"])
            is_sound = all(
                isinstance(record[name], str | None) for name in ("principal", "uid", "operation")
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue
        if is_sound:
            yield record


def _sum_up(used: Mapping[bytes, tuple[int, bytes]]) -> Mapping[str, Uses]:
    uses: dict[str, Uses] = {}
    for text, (count, last) in used.items():
        uid = json.loads(text)
        if (
            uid is not None and len(uid) < MOST_CHARACTERS
        ):  # of a longer one there is only the beginning
            before = uses.get(uid, Uses(0, 0))  # one text has several forms in JSON
            uses[uid] = Uses(before.uses + count, max(before.last_ms, parse_time(last.decode())))
    return uses


def parse_time(text: str) -> int:
    """Milliseconds since the Unix epoch of a record's time. Raises ValueError."""
    seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int(text[20:23])


def format_time(time_ms: int) -> str:
    """As records have it."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
