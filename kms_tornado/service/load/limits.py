"""Limits of one request that hold for every operation: its data, and the answer's length.

The other limits stand where they are enforced; the table of them all is `tests/support_table.py`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ...errors import InvalidField
from ...kmip.attributes import MANY_VALUES, count_values
from ...wording import format_size

#: Bytes of data of one cryptographic operation. AES-GCM in one piece holds Python's lock all the time,
#: about a millisecond a MiB; more data is sent in parts. Written in hex it just fits into the largest body.
MAX_DATA_BYTES = 7 * 1024 * 1024

#: Bytes of an answer as it is sent. A hundred answers to Locate could be a hundred megabytes.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024


def check_data(request: object) -> None:
    """Raises InvalidField where the request carries more data than one operation accepts."""
    data = getattr(request, "data", None)
    if isinstance(data, bytes) and len(data) > MAX_DATA_BYTES:
        raise InvalidField(
            f"Data has at most {format_size(MAX_DATA_BYTES)}: send more in parts, as KMIP 1.3 can"
        )


def has_many_values(response: Any) -> bool:
    """Whether writing the response takes longer than about a millisecond."""
    cls: Any = type(response)
    if not _may_have_many(cls):
        return False
    listed = getattr(response, "unique_identifiers", ()) or getattr(
        response, "attribute_references", ()
    )
    block = getattr(getattr(response, "object", None), "key_block", None)
    inner = getattr(getattr(block, "key_value", None), "attributes", None)
    all_attributes = (getattr(response, "attributes", None), inner)
    count = sum([count_values(attributes) for attributes in all_attributes if attributes])
    return len(listed) + count > MANY_VALUES


@cache  # one entry for each class of response
def _may_have_many(cls: type[Any]) -> bool:
    names = getattr(cls, "__dataclass_fields__", ())
    return not _WITH_MANY.isdisjoint(names)


_WITH_MANY = frozenset({"unique_identifiers", "attribute_references", "object", "attributes"})
