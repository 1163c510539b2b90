"""The header by which a proxy tells a client's certificate (RFC 9440)."""

from __future__ import annotations

import base64

import pytest

from kms_tornado.auth.bound.client_cert_header import read_client_cert

from ...rows import each_row

DER = bytes(range(200))
VALUE = f":{base64.b64encode(DER).decode()}:"


@pytest.mark.parametrize("values", [[VALUE], [f" {VALUE} "]])
def test_a_byte_sequence_is_the_certificate(values: list[str]) -> None:
    assert read_client_cert(values) == DER


@each_row(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([VALUE, VALUE], id="two, of which one may be the client's own"),
        pytest.param([f"{VALUE},{VALUE}"], id="two in one field"),
        pytest.param([""], id="empty"),
        pytest.param([":"], id="one colon"),
        pytest.param(["::"], id="no bytes"),
        pytest.param([VALUE[1:]], id="no colon before"),
        pytest.param([VALUE[:-1]], id="no colon behind"),
        pytest.param([f"{VALUE};a=b"], id="a parameter"),
        pytest.param([":%2B:"], id="escapes"),
        pytest.param([":AA-_:"], id="base64url"),
        pytest.param([":AAA:"], id="no padding"),
        pytest.param([":AA AA:"], id="a blank"),
        pytest.param([":é:"], id="not ASCII"),
        pytest.param(["-----BEGIN CERTIFICATE-----"], id="PEM"),
        pytest.param([f":{'A' * 20000}:"], id="too long"),
    ],
)
def test_whatever_is_not_exactly_one_is_none(values: list[str]) -> None:
    assert read_client_cert(values) is None
