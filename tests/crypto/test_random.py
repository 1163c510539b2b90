"""Random octets for clients."""

from __future__ import annotations

import pytest

from kms_tornado.crypto import random
from kms_tornado.errors import InvalidField


def test_random_octets_differ_and_are_bounded():
    assert len({random.generate_octets(16) for _ in range(100)}) == 100
    assert len(random.generate_octets(random.MAX_RANDOM_BYTES)) == random.MAX_RANDOM_BYTES
    for length in (-1, 0, random.MAX_RANDOM_BYTES + 1, 2**31 - 1):
        with pytest.raises(InvalidField):
            random.generate_octets(length)
