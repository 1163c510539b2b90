"""Encodings that are not DER are refused."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.errors import (
    InvalidField,
)
from kms_tornado.kmip.enums import KeyFormatType as F

from ...rows import each_row


@each_row(
    "octets",
    [
        pytest.param(b"\x30\x80\x02\x01\x00\x00\x00", id="indefinite length"),
        pytest.param(b"\x30\x81\x03\x02\x01\x00", id="length not the shortest"),
        pytest.param(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x00", id="length beyond the end"),
        pytest.param(b"\x30\x85\0\0\0\0\x03\x02\x01\x00", id="length of five bytes"),
        pytest.param(b"\x30\x06\x02\x02\x00\x01\x02\x00", id="integer with a needless zero"),
        pytest.param(b"\x30\x06\x02\x01\xff\x02\x01\x01", id="negative integer"),
        pytest.param(b"\x30\x05\x02\x00\x02\x01\x01", id="integer of no octets"),
        pytest.param(b"\x31\x06\x02\x01\x01\x02\x01\x01", id="another tag"),
    ],
)
def test_ber_that_is_no_der_is_refused(octets):
    with pytest.raises(InvalidField):
        key_formats.import_public(octets, F.PKCS1)
