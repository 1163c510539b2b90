"""derive-key."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kms_tornado.client import KMSClient
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicUsageMask

from .runner import Kmsctl


@pytest.fixture(scope="module")
def base(client: KMSClient) -> str:
    mask = int(CryptographicUsageMask.DERIVE_KEY)
    return client.create_symmetric_key(
        name="master", attributes=Attributes(cryptographic_usage_mask=mask)
    )


def material(client: KMSClient, key: str) -> bytes:
    octets: bytes = client.get(key).object.key_block.key_value.key_material.octets
    return octets


def test_hkdf_gives_what_rfc_5869_says(alice: Kmsctl, client: KMSClient, base: str) -> None:
    outcome = alice(
        "derive-key",
        "--key-id",
        base,
        "-m",
        "HKDF",
        "-s",
        "00ff",
        "-n",
        "6261636b7570",
        "-l",
        "128",
    )
    (key,) = outcome.lines
    assert material(client, key) == HKDF(SHA256(), 16, b"\x00\xff", b"backup").derive(
        material(client, base)
    )
    by_name = alice("derive-key", "master", "-m", "hkdf", "-s", "00ff", "-n", "6261636b7570")
    assert material(client, by_name.lines[0])[:16] == material(client, key)


@pytest.mark.parametrize("way", ["--password", "--password-file", "stdin"])
def test_password_is_at_the_server_only_as_long_as_it_is_needed(
    alice: Kmsctl, client: KMSClient, tmp_path: Path, way: str
) -> None:
    before = set(client.locate())
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    source = {"--password": "correct horse", "--password-file": str(file), "stdin": "-"}[way]
    option = way if way != "stdin" else "--password-file"
    argv = ("derive-key", option, source, "-s", "0011223344556677", "-i", "1000", "--json")
    outcome = alice(*argv, "--derived-key-id", f"by-{way}", stdin=b"correct horse\n")
    assert json.loads(outcome.stdout) == {"unique_identifier": f"by-{way}"}
    assert material(client, f"by-{way}") == hashlib.pbkdf2_hmac(
        "sha256", b"correct horse", bytes.fromhex("0011223344556677"), 1000
    )
    assert set(client.locate()) - before == {f"by-{way}"}
    assert len([item for item in client.list_owned() if item.state == "Destroyed"]) == 0


def test_password_leaves_the_server_when_the_derivation_fails(
    alice: Kmsctl, client: KMSClient
) -> None:
    before = set(client.locate())
    outcome = alice("derive-key", "--password", "x", "-s", "00", "-a", "RSA")
    assert outcome.code == 1
    assert set(client.locate()) == before


def test_password_file_that_is_a_program_is_refused(alice: Kmsctl) -> None:
    outcome = alice("derive-key", "--password-file", sys.executable)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.endswith(": the file is no text in UTF-8\n")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param([], "no key is named", id="no base"),
        pytest.param(["k", "--password", "p"], "exclude one another", id="two bases"),
        pytest.param(["k", "-k", "k"], "twice", id="key twice"),
        pytest.param(["--password", ""], "empty", id="empty password"),
        pytest.param(["k", "-n", "00"], "PBKDF2 takes no --info", id="info for PBKDF2"),
        pytest.param(["k", "-m", "scrypt"], "the values are PBKDF2", id="no such method"),
    ],
)
def test_mistakes_are_told_in_one_line(alice: Kmsctl, argv: list[str], words: str) -> None:
    outcome = alice("derive-key", *argv)
    assert (outcome.code, outcome.stdout) == (2, "")
    (line,) = outcome.stderr.splitlines()
    assert words in line
