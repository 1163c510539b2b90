"""KMSClient against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado import client
from kms_tornado.client import KMSClient

from ..issuer import Issuer
from ..server import serving, trusting


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMSClient]:
    directory: Path = tmp_path_factory.mktemp("server")
    with (
        Issuer("ES256") as issuer,
        serving(*trusting(issuer), cwd=directory) as server,
        KMSClient(server.url, issuer.token(aud="kms")) as opened,
    ):
        yield opened


def test_what_was_encrypted_is_decrypted_by_the_tags_of_the_key(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(tags=["invoices"])
    sealed = alice.encrypt(key, b"hello", additional_data=b"number 7")
    assert alice.decrypt(["invoices"], sealed, additional_data=b"number 7") == b"hello"


def test_refusal_is_the_exception_of_its_result_reason(alice: KMSClient) -> None:
    with pytest.raises(client.ItemNotFound, match="nowhere"):
        alice.get("nowhere")
