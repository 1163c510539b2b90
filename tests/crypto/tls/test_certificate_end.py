"""When a TLS certificate ends."""

from __future__ import annotations

import subprocess
from datetime import datetime

import pytest

from kms_tornado.crypto.tls.certificate_end import read_end

from ...keys import certificate, private_key

KEY = private_key("ES256", "end")
FIRST, SECOND = certificate(KEY), certificate(KEY, expired=True)


def end_by_openssl(pem: bytes) -> float:
    command = ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601"]
    text = subprocess.run(command, input=pem, capture_output=True, check=True).stdout.decode()
    return datetime.fromisoformat(text.strip().removeprefix("notAfter=")).timestamp()


@pytest.mark.parametrize("pem", [FIRST, SECOND], ids=["valid", "expired"])
def test_the_end_is_that_which_openssl_reads(pem: bytes) -> None:
    assert read_end(pem) == end_by_openssl(pem)


def test_of_a_chain_it_is_that_of_the_first() -> None:
    assert read_end(FIRST + SECOND) == read_end(FIRST) != read_end(SECOND)


@pytest.mark.parametrize(
    "text",
    [b"", b"rubbish", FIRST[:100], FIRST[:300] + FIRST[-100:]],
    ids=["nothing", "rubbish", "cut short", "a piece missing"],
)
def test_of_what_is_no_certificate_there_is_none(text: bytes) -> None:
    assert read_end(text) is None
