"""New asymmetric keys: their lengths."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys.generation import check_rsa_length
from kms_tornado.errors import InvalidAttributeValue

from ...rows import each_row


@each_row("bits", [0, -1, 512, 1024, 2047, 2049, 8192, 16384, 10**9])
def test_rsa_length_is_refused_before_anything_is_computed(bits):
    with pytest.raises(InvalidAttributeValue):
        check_rsa_length(bits)
