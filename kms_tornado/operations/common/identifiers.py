"""Identifiers as requests write them: a unique identifier, or a JSON list of tags in its place.

``["invoices","_kk"]`` means an object that carries all of these tags (docs/dialects.md, "Identifiers,
tags and links"); `Call.fetch_for` finds the best one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from ... import strict_json
from ...domain.managed_object import UniqueIdentifier
from ...errors import InvalidAttributeValue, InvalidField
from ...redaction import mask_jwts

MAX_IDENTIFIER_LENGTH = 1024  # characters
#: In UTF-8. PostgreSQL has no entry of an index with more than 2,704 bytes. Identifiers have an index for themselves; in that
#: of tags their owner stands beside them, whose name may have 1,020 bytes. SQLite would take more, and no backup of it
#: could be restored into PostgreSQL.
MAX_IDENTIFIER_BYTES, MAX_TAG_BYTES = 2560, 1024
#: RFC 3986 §5.2.4: browsers and libraries remove them from a path, encoded ones, too. So nobody could list such an
#: object's rights (GET /access/list/…).
_DOT_SEGMENTS = frozenset({".", ".."})
#: The version and the variant among the last 80 bits of a UUID, and what they are in version 7.
_FIXED_BITS, _VERSION_7 = 0xF << 76 | 0b11 << 62, 0x7 << 76 | 0b10 << 62
#: In characters. No object has longer tags, and parsing a list of megabytes would block the event loop.
MAX_TAG_LIST_LENGTH = 64 * 1024


def make_identifier() -> UniqueIdentifier:
    """A UUID of version 7 (RFC 9562 §5.7): the time in milliseconds, and 74 random bits, which nobody can guess.

    Databases keep identifiers in order. Those made at the same time stand on the same page of an index, where random ones
    would have each new object read, change and write pages of its own.
    """
    random = int.from_bytes(os.urandom(10), "big")
    value = time.time_ns() // 1_000_000 << 80 | random & ~_FIXED_BITS | _VERSION_7
    text = f"{value:032x}"
    return UniqueIdentifier(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_identifier(requested: str | None) -> UniqueIdentifier:
    """The identifier that the client chose, or else a new one.

    Raises InvalidAttributeValue for one that looks like a tag list, is too long, contains a null character or a token,
    or cannot stand in a URL.
    """
    if not requested:
        return make_identifier()
    if requested.startswith("["):
        raise InvalidAttributeValue("an identifier may not start with [, which means a tag list")
    if requested in _DOT_SEGMENTS:
        raise InvalidAttributeValue(
            "an identifier may not be . or .., which every URL resolves to another path, also as %2e"
        )
    if mask_jwts(requested) != requested:
        raise InvalidAttributeValue("an identifier may not be a token, which records would name")
    if len(requested) > MAX_IDENTIFIER_LENGTH or "\0" in requested:
        raise InvalidAttributeValue(
            f"an identifier has at most {MAX_IDENTIFIER_LENGTH} characters and no null character"
        )
    if len(requested.encode()) > MAX_IDENTIFIER_BYTES:
        raise InvalidAttributeValue(
            f"an identifier has at most {MAX_IDENTIFIER_BYTES} bytes in UTF-8"
        )
    return UniqueIdentifier(requested)


def check_tag_lengths(tags: Iterable[str]) -> None:
    """Raises InvalidAttributeValue for a new tag of more than MAX_TAG_BYTES."""
    if any(len(tag.encode()) > MAX_TAG_BYTES for tag in tags):
        raise InvalidAttributeValue(f"a tag has at most {MAX_TAG_BYTES} bytes in UTF-8")


def parse_tag_list(identifier: str) -> frozenset[str]:
    """The tags of ``["a","b"]``. Raises InvalidField, also for an empty list: it would match every object."""
    if len(identifier) > MAX_TAG_LIST_LENGTH:
        raise InvalidField(f"a list of tags has at most {MAX_TAG_LIST_LENGTH} characters")
    try:
        tags = strict_json.loads(identifier.encode("utf-8"), max_depth=1)
    except ValueError:
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags") from None
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags")
    if not tags:
        raise InvalidField("an empty list of tags names no object")
    return frozenset(tags)
