"""BER to DER: what other programs write, and what is no BER."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.pkcs12.ber_to_der import convert_to_der
from kms_tornado.errors import MalformedKey

from ...rows import each_row


@each_row(
    ("ber", "der"),
    [
        ("3003020101", "3003020101"),
        ("30800201010000", "3003020101"),
        ("308103020101", "3003020101"),
        ("3084000000030201010000", "3003020101"),
        ("24800401aa0401bb0000", "0402aabb"),
        ("2406 0401aa 0401bb", "0402aabb"),
        ("3080 2480 0401aa 0000 0000", "3003 0401aa"),
        ("a0800500 0000", "a0020500"),
        ("3003020101 0000", "3003020101"),
        ("0400", "0400"),
    ],
)
def test_element_becomes_der(ber, der):
    assert convert_to_der(bytes.fromhex(ber)).hex() == der.replace(" ", "")


@each_row(
    "octets",
    [
        pytest.param("", id="nothing"),
        pytest.param("30", id="no length"),
        pytest.param("3005020101", id="cut off"),
        pytest.param("3080020101", id="no end"),
        pytest.param("0480aa0000", id="primitive without a length"),
        pytest.param("2403020101", id="a number in an OCTET STRING"),
        pytest.param("3f0103020101", id="a long tag"),
        pytest.param("3084ffffffff", id="gigabytes"),
        pytest.param("3080" * 200, id="deep"),
        pytest.param("30ff", id="a length without its bytes"),
    ],
)
def test_what_is_no_ber_is_refused(octets):
    with pytest.raises(MalformedKey):
        convert_to_der(bytes.fromhex(octets))
