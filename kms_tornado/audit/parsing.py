"""A line of the audit, read back: the members of a record, and the part of it by which a chain is verified."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .record import State

#: The members that only some records have, and those that all records have.
OPTIONAL = frozenset({"also", "count", "detail", "item", "objects"})

REQUIRED = frozenset(
    {"chain", "issuer", "operation", "prev", "principal", "protocol", "reason"}
    | {"remote_ip", "request_id", "result", "seq", "time", "uid", "v"}
)


class MalformedRecord(ValueError):
    """A line is not a record or a checkpoint. ``str()`` says why, in words of this program."""


class Link(NamedTuple):
    """The part of a record by which a chain is verified. objects: the objects whose codes the record contains."""

    chain: int
    seq: int
    prev: str
    objects: Sequence[State]


_TEXT = rb'(?:null|"[ !#-\[\]-~]*")'

# A whole record of a use, by far the most frequent one: no details, one object at most, no escapes. Parsing one as JSON
# takes four times as long.
_USE = re.compile(
    rb'\{"chain":([1-9]\d{0,17}),"issuer":' + _TEXT + rb'(?:,"item":' + _TEXT + rb')?,"operation":' + _TEXT
    + rb',"prev":"([0-9a-f]{64})","principal":' + _TEXT + rb',"protocol":' + _TEXT + rb',"reason":' + _TEXT
    + rb',"remote_ip":' + _TEXT + rb',"request_id":' + _TEXT + rb',"result":' + _TEXT
    + rb',"seq":([1-9]\d{0,17}),"time":' + _TEXT + rb',"uid":' + _TEXT + rb',"v":1\}'
)  # fmt: skip


def read_link(line: bytes) -> Link:
    """A part of what `parse_line` returns, with the same errors."""
    if match := _USE.fullmatch(line):
        chain, prev, seq = match.groups()
        return Link(int(chain), int(seq), prev.decode(), ())
    record = parse_line(line)
    return Link(record["chain"], record["seq"], record["prev"], record.get("objects", ()))


def parse_line(line: bytes) -> dict[str, Any]:
    """The members of a record. Raises MalformedRecord."""
    members = parse_object(line)
    if not members.keys() >= REQUIRED:
        raise MalformedRecord(f"the record has no {min(REQUIRED - members.keys())}")
    if len(members) > len(REQUIRED) and members.keys() - REQUIRED - OPTIONAL:
        raise MalformedRecord("the record has a member that none has")
    for name in ("chain", "seq", "v"):
        if type(members[name]) is not int or members[name] < 1:
            raise MalformedRecord(f"{name} is no number from 1")
    if members["v"] != 1:
        raise MalformedRecord("the record is of a version that is not known")
    if not isinstance(members["prev"], str):
        raise MalformedRecord("prev is no text")
    return members


def parse_object(line: bytes) -> dict[str, Any]:
    """A JSON object without duplicate members and fractions. Raises MalformedRecord."""
    try:
        value = _decoder.decode(line.decode())
    except MalformedRecord:
        raise
    except (ValueError, RecursionError):
        raise MalformedRecord("the line is no JSON") from None
    if not isinstance(value, dict):
        raise MalformedRecord("the line is no JSON object")
    return value


def _collect_members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise MalformedRecord("a member stands twice")
    return members


def _refuse_number(text: str) -> Any:
    raise MalformedRecord("a number is no whole number")


# `json.loads` would make a decoder for each record, in half of the time that the record takes.
_decoder = json.JSONDecoder(
    object_pairs_hook=_collect_members, parse_float=_refuse_number, parse_constant=_refuse_number
)
