"""docs/python-client.md: its blocks are one program, which runs against a --dev server; its tables are true."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from kms_tornado import client
from kms_tornado.auth.bound.proof_key import compute_thumbprint
from kms_tornado.client import AsyncKMSClient, ClientError, ConnectionSettings, KMSClient, repeats
from kms_tornado.client.pool import MAX_KEPT
from kms_tornado.client.refusals import EXCEPTIONS

from ..issuer import Issuer
from ..keys import certificate, private_key
from ..server import serving, trusting
from .blocks import DOCS, blocks

BLOCKS = blocks("docs/python-client.md", "python")
PAGE = (DOCS / "python-client.md").read_text()


@pytest.fixture(scope="module")
def names(dev_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names of the page's program after its end, and `printed`, what it printed."""
    directory = tmp_path_factory.mktemp("python-client")
    key = private_key("ES256", "python client")
    pem = certificate(key)
    (directory / "ca.pem").write_bytes(pem)
    (directory / "client.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(
            None,
            key,
            x509.load_pem_x509_certificate(pem),
            None,
            BestAvailableEncryption(b"open sesame"),
        )
    )
    program = "\n".join(each.text for each in BLOCKS)
    printed = io.StringIO()
    found: dict[str, Any] = {"__name__": "python_client", "printed": printed}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(directory)
        for name in ("KMS_URL", "KMS_TOKEN"):
            patch.setenv(name, dev_server[name])
        exec(compile(program, "docs/python-client.md", "exec"), found)
    return found


def test_first_program_decrypts_what_it_encrypted(names: dict[str, Any]) -> None:
    assert names["opened"] == b"pay 12 EUR"
    assert set(names["sealed"].__slots__) == {"key", "data", "iv", "tag"}


def test_bob_decrypts_with_the_key_that_was_shared(
    names: dict[str, Any], dev_server: dict[str, str]
) -> None:
    with KMSClient(dev_server["KMS_URL"], dev_server["BOB"]) as bob:
        opened = bob.decrypt(names["key"], names["sealed"], additional_data=b"invoice 7")
    assert opened == b"pay 12 EUR"


def test_program_in_an_event_loop_gives_what_it_was_given(names: dict[str, Any]) -> None:
    assert names["everything"] == [b"one", b"two", b"three"]


def test_any_operation_and_a_batch_give_their_responses(names: dict[str, Any]) -> None:
    assert "ENCRYPT" in names["names"]
    assert names["found"].attributes.unique_identifier == names["key"]
    assert isinstance(names["missing"], client.ItemNotFound)


def test_error_is_printed_with_its_reason(names: dict[str, Any]) -> None:
    assert names["printed"].getvalue().startswith("Item Not Found: ")
    assert "no-such-key" in names["printed"].getvalue()


def test_program_with_bound_tokens_gets_in_where_no_others_do(
    names: dict[str, Any], tmp_path: Path
) -> None:
    def fetch(headers: dict[str, str]) -> str:
        header = json.loads(base64.urlsafe_b64decode(headers["DPoP"].split(".")[0] + "=="))
        return issuer.token(aud="kms", cnf={"jkt": compute_thumbprint(header["jwk"])})

    with Issuer("ES256") as issuer:
        flags = trusting(issuer, "--jwt-bound-tokens", "required")
        with serving(*flags, cwd=tmp_path) as server:
            tokens = names["BoundTokens"](f"{issuer.uri}/token", fetch)
            with KMSClient(server.url, tokens) as bound:
                assert bound.whoami()["name"] == "alice"


def test_table_of_calls_has_every_method() -> None:
    table = PAGE[PAGE.index("| for | calls |") : PAGE.index("Names of algorithms")]
    for cls in (KMSClient, AsyncKMSClient):
        methods = {name for name in dir(cls) if not name.startswith("_")} - {"close", "run"}
        assert set(re.findall(r"`(\w+)`", table)) == methods


def test_table_of_reasons_has_every_exception() -> None:
    rows = sorted({(cls.__name__, cls.reason) for cls in EXCEPTIONS.values()})
    expected = "".join(f"| `{name}` | {reason} |\n" for name, reason in rows)
    assert f"|---|---|\n{expected}\n" in PAGE


def test_table_of_client_errors_has_every_class() -> None:
    table = PAGE[PAGE.index("| exception | when |") : PAGE.index("`KMIPError` stands for")]
    classes = {
        name
        for name in client.__all__
        if isinstance(cls := getattr(client, name), type) and issubclass(cls, ClientError)
    }
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == classes - {"ClientError"}


def test_table_of_settings_has_every_field() -> None:
    table = PAGE[PAGE.index("| setting |") :]
    fields = set(ConnectionSettings.__dataclass_fields__)
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == fields


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    pauses = [repeats.BACKOFF_S * 2**number for number in range(1, repeats.MAX_REPEATS)]
    assert f"after 0, {', '.join(map(str, pauses[:-1]))} and {pauses[-1]} seconds" in PAGE
    assert f"up to {repeats.MAX_RETRY_AFTER_S} seconds" in PAGE
    assert f"At most {MAX_KEPT} requests of a client" in PAGE
