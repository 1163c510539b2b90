"""KMSClient against a real server."""

from __future__ import annotations

import pytest

from kms_tornado import client
from kms_tornado.client import KMSClient


def test_what_was_encrypted_is_decrypted_by_the_tags_of_the_key(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(tags=["invoices"])
    sealed = alice.encrypt(key, b"hello", additional_data=b"number 7")
    assert alice.decrypt(["invoices"], sealed, additional_data=b"number 7") == b"hello"


def test_refusal_is_the_exception_of_its_result_reason(alice: KMSClient) -> None:
    with pytest.raises(client.ItemNotFound, match="nowhere"):
        alice.get("nowhere")
