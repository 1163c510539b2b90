"""Rows of `audit_segments` as they are read: whether they are as a server wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_

from ....audit.chain import hash_line
from ....audit.indexing import read_times
from ...interface.object_checks import StoredSegment
from ..constants import write_constant
from ..stored_values import are_numbers, stored_bytes
from ..tables.row_macs import RowAuthenticator
from ..tables.schema import audit_segments
from .chains import segment_mac

_S = audit_segments.c
_HIGHEST = (1 << 63) - 1

#: The columns of a segment for `parse_segment`.
SEGMENT_ROW = (_S.chain, _S.first, _S.last, _S.since, _S.until, _S.lines, _S.mac)

#: The condition that a row can be read in its place. In SQLite, a text and bytes are more than any number. A row with
#: them is as good as gone, and `find_odd_values` tells of it.
HAS_NUMBERS = and_(
    *(column <= write_constant(_HIGHEST) for column in (_S.chain, _S.first, _S.last))
)


def parse_segment(row: Sequence[Any], authenticator: RowAuthenticator) -> StoredSegment:
    """A segment; of chain 0 where the row has no numbers. row: of SEGMENT_ROW."""
    chain, first, last, since, until, stored, mac = row
    octets = stored_bytes(stored)
    lines = tuple(octets.split(b"\n"))
    if not are_numbers(chain, first, last):
        return StoredSegment(0, 0, 0, lines, False)
    code = segment_mac(authenticator, chain, first, last, hash_line(lines[-1]))
    # The code does not cover the times, which repeat those of the records.
    is_ours = code == stored_bytes(mac) and read_times(octets) == (since, until)
    return StoredSegment(chain, first, last, lines, is_ours)
