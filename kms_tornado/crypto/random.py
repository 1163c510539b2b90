"""Random octets for clients, from the operating system."""

from __future__ import annotations

import os

from ..errors import InvalidField

#: No key and no seed is longer; more would only keep the server busy.
MAX_RANDOM_BYTES = 64 * 1024


def generate_octets(length: int) -> bytes:
    """Random bytes. Raises InvalidField for a length below 1 or above MAX_RANDOM_BYTES."""
    if not 1 <= length <= MAX_RANDOM_BYTES:
        raise InvalidField(f"DataLength is 1 to {MAX_RANDOM_BYTES} bytes")
    return os.urandom(length)
