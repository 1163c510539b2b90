"""The verb export: formats, wrapping, and what a file with a secret is like."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from kms_tornado.client import KMSClient
from kms_tornado.client.key_files.kmip_objects import octets_of
from kms_tornado.client.key_files.reading import ReadingOptions, read_key_file
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
)
from kms_tornado.kmip.key_material import KeyMaterialField
from kms_tornado.kmip.objects import KeyBlock, KeyValue, SymmetricKey

from ..runner import Kmsctl

SYMMETRIC = ReadingOptions(raw_type=ObjectType.SYMMETRIC_KEY)


@pytest.fixture(scope="module")
def pairs(client: KMSClient) -> dict[str, str]:
    """A pair of each kind under the identifiers KIND and KIND_pk."""
    for name, arguments in {
        "rsa": {"algorithm": "RSA", "length": 2048},
        "p256": {"algorithm": "EC", "curve": "P-256"},
        "ed25519": {"algorithm": "Ed25519"},
        "x25519": {"algorithm": "ECDH", "curve": "CURVE25519"},
    }.items():
        client.create_key_pair(
            **arguments, unique_identifier=name, public_key_identifier=f"{name}_pk"
        )
    return {}


FORMATS = {
    "rsa": ["json-ttlv", "pem", "der", "pkcs8-pem", "pkcs8-der", "pkcs1-pem", "pkcs1-der", "jwk"],
    "rsa_pk": ["json-ttlv", "pem", "der", "spki-pem", "spki-der", "pkcs1-pem", "pkcs1-der", "jwk"],
    "p256": ["json-ttlv", "pem", "sec1-pem", "sec1-der", "pkcs8-pem", "jwk", "jwk-set", "raw"],
    "p256_pk": ["json-ttlv", "pem", "spki-pem", "jwk", "base64"],
    "ed25519": ["json-ttlv", "pem", "pkcs8-der", "jwk"],
    "x25519": ["json-ttlv", "pem", "jwk"],
    "x25519_pk": ["json-ttlv", "spki-der", "jwk"],
}


@pytest.mark.parametrize("key", FORMATS)
def test_key_is_the_same_in_every_format(alice: Kmsctl, pairs, key: str) -> None:
    noun = "rsa" if key.startswith("rsa") else "ec"
    found = set()
    for file_format in FORMATS[key]:
        outcome = alice(noun, "keys", "export", key, "-", "-f", file_format)
        assert outcome.code == 0, outcome.stderr
        (managed,) = read_key_file(outcome.output, ReadingOptions())
        found.add((type(managed), octets_of(managed)))
    assert len(found) == 1


@pytest.mark.parametrize("file_format", ["pkcs8-pem", "pkcs8-der", "sec1-pem"])
def test_openssl_reads_an_exported_key(
    alice: Kmsctl, pairs, tmp_path: Path, file_format: str
) -> None:
    path = tmp_path / "key"
    alice("ec", "keys", "export", "p256", path, "-f", file_format)
    form = "DER" if file_format.endswith("der") else "PEM"
    command = ["openssl", "pkey", "-inform", form, "-in", str(path), "-noout"]
    assert subprocess.run(command, check=True, capture_output=True).returncode == 0


# --- the file -----------------------------------------------------------------------------------


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("noun", "key", "is_secret"),
    [("rsa", "rsa", True), ("rsa", "rsa_pk", False), ("ec", "p256", True)],
)
def test_file_with_a_secret_is_for_its_owner_alone(
    alice: Kmsctl, pairs, tmp_path: Path, noun: str, key: str, is_secret: bool
) -> None:
    path = tmp_path / "key.pem"
    assert alice(noun, "keys", "export", key, path, "-f", "pem").code == 0
    assert (mode_of(path) == 0o600) is is_secret
    assert list(tmp_path.iterdir()) == [path]


def test_secret_file_is_for_its_owner_alone_in_place_of_one_that_others_read(
    alice: Kmsctl, pairs, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    path.write_text("public")
    path.chmod(0o644)
    assert alice("rsa", "keys", "export", "rsa", path, "-f", "pem", "--force").code == 0
    assert mode_of(path) == 0o600


def test_file_that_is_there_stays_and_no_request_is_made(alice: Kmsctl, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("dear")
    outcome = alice("rsa", "keys", "export", "no-such-key", path)
    assert outcome.code == 1
    assert "exists: name another file, or replace it with --force" in outcome.stderr
    assert path.read_text() == "dear"


@pytest.mark.parametrize(
    ("file", "options", "warning"),
    [
        ("key.pem", [], "key.pem is JSON, whatever its name says: -f chooses another format"),
        ("KEY.DER", [], "KEY.DER is JSON, whatever its name says: -f chooses another format"),
        ("key.json", [], ""),
        ("key.pem", ["-f", "pem"], ""),
    ],
    ids=["PEM", "DER", "JSON", "as its name says"],
)
def test_file_in_another_format_than_its_name_says_is_warned_of(
    alice: Kmsctl, pairs, tmp_path: Path, monkeypatch, file: str, options: list[str], warning: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = alice("rsa", "keys", "export", "rsa_pk", file, *options)
    assert outcome.code == 0
    assert outcome.stderr == (f"kmsctl: {warning}\n" if warning else "")
    assert (tmp_path / file).exists()


def test_binary_is_not_shown_on_a_terminal(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key()
    outcome = alice.terminal("sym", "keys", "export", key, "-", "-f", "raw", "--yes")
    assert outcome.code == 2
    assert "this is binary" in outcome.stdout


def test_key_is_shown_on_a_terminal_only_after_a_question(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key()
    base64 = alice("sym", "keys", "export", key, "-", "-f", "base64").stdout.strip()
    refused = alice.terminal("sym", "keys", "export", key, "-", "-f", "base64", answer="n").stdout
    assert "will be shown on this terminal in the clear" in refused
    assert base64 not in refused
    assert base64 in alice.terminal(
        "sym", "keys", "export", key, "-", "-f", "base64", "--yes"
    ).stdout  # fmt: skip


def test_json_names_the_object_and_the_file(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    key, path = client.create_symmetric_key(name="as-json"), tmp_path / "key.json"
    outcome = alice("sym", "keys", "export", "as-json", path, "--json")
    assert json.loads(outcome.stdout) == {"unique_identifier": key, "file": str(path)}


# --- which object -------------------------------------------------------------------------------


def test_key_is_named_by_identifier_name_or_tags(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(name="named", tags=["t1", "t2"])
    octets = {
        alice("sym", "keys", "export", *argv, "-", "-f", "raw").output
        for argv in ([key], ["named"], ["-k", key], ["-t", "t1", "-t", "t2"])
    }  # fmt: skip
    assert len(octets) == 1
    assert len(octets.pop()) == 32


def test_identifier_becomes_the_kid_of_a_jwk(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(name="for-jose")
    outcome = alice("sym", "keys", "export", "for-jose", "-", "-f", "jwk")
    assert json.loads(outcome.stdout)["kid"] == key


def test_revoked_key_is_exported_only_where_that_is_allowed(
    alice: Kmsctl, client: KMSClient
) -> None:
    key = client.create_symmetric_key()
    client.revoke(key)
    outcome = alice("sym", "keys", "export", key, "-", "-f", "raw")
    assert (outcome.code, outcome.output) == (1, b"")
    assert "is Deactivated: add --allow-revoked" in outcome.stderr
    assert len(alice("sym", "keys", "export", key, "-", "-f", "raw", "-i").output) == 32


# --- wrapped ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kek(client: KMSClient) -> str:
    return client.create_symmetric_key(unique_identifier="kek", name="the-kek")


def test_key_is_wrapped_by_rfc_5649_unless_told_otherwise(
    alice: Kmsctl, client: KMSClient, kek: str
) -> None:
    key = client.create_symmetric_key()
    plain, wrapping = (
        alice("sym", "keys", "export", one, "-", "-f", "raw").output for one in (key, kek)
    )
    argv = ("sym", "keys", "export", key, "-", "-f", "raw", "--wrap-key-id", "the-kek")
    for more in ([], ["-m", "nist-key-wrap"], ["-m", "aes-key-wrap-padding"]):
        wrapped = alice(*argv, *more).output
        assert aes_key_unwrap_with_padding(wrapping, wrapped) == plain


@pytest.mark.parametrize("algorithm", [None, "aes-gcm"])
def test_wrapped_file_says_how_it_is_wrapped_and_comes_back(
    alice: Kmsctl, client: KMSClient, kek: str, tmp_path: Path, algorithm: str | None
) -> None:
    key = client.create_symmetric_key()
    path = tmp_path / "wrapped.json"
    argv = ["-m", algorithm] if algorithm else []
    outcome = alice("sym", "keys", "export", key, path, "-w", kek, *argv)
    assert outcome.code == 0, outcome.stderr
    plain = alice("sym", "keys", "export", key, "-", "-f", "raw").output
    assert plain.hex().upper() not in path.read_text().upper()
    brought = alice("sym", "keys", "import", path, "--unwrap").lines[0]
    assert alice("sym", "keys", "export", brought, "-", "-f", "raw").output == plain


def test_private_key_is_wrapped_by_a_symmetric_one_and_comes_back(
    alice: Kmsctl, client: KMSClient, kek: str, pairs, tmp_path: Path
) -> None:
    path = tmp_path / "wrapped.json"
    assert alice("rsa", "keys", "export", "rsa", path, "-w", kek).code == 0
    (brought,) = alice("rsa", "keys", "import", path, "-u").lines
    argv = ("rsa", "keys", "export", "-", "-f", "pkcs8-der", "-k")
    assert alice(*argv, brought).output == alice(*argv, "rsa").output


@pytest.mark.parametrize("algorithm", [None, "rsa-oaep", "rsa-aes-key-wrap"])
def test_symmetric_key_is_wrapped_by_an_rsa_key_and_comes_back(
    alice: Kmsctl, client: KMSClient, pairs, tmp_path: Path, algorithm: str | None
) -> None:
    key = client.create_symmetric_key()
    path = tmp_path / "wrapped.json"
    argv = ["-m", algorithm] if algorithm else []
    outcome = alice("sym", "keys", "export", key, path, "-w", "rsa_pk", *argv)
    assert outcome.code == 0, outcome.stderr
    (brought,) = alice("sym", "keys", "import", path, "-u").lines
    raw = ("sym", "keys", "export", "-", "-f", "raw", "-k")
    assert alice(*raw, brought).output == alice(*raw, key).output


@pytest.mark.parametrize(
    ("algorithm", "hashing"),
    [("rsa-aes-key-wrap", hashes.SHA256()), ("rsa-aes-key-wrap-sha1", hashes.SHA1())],
)
def test_private_key_leaves_for_a_cloud_provider_and_comes_in_from_one(
    alice: Kmsctl, pairs, algorithm: str, hashing: hashes.HashAlgorithm
) -> None:
    """CKM_RSA_AES_KEY_WRAP, to and from somebody who has the RSA key without this program."""
    plain = alice("ec", "keys", "export", "p256", "-", "-f", "pkcs8-der").output
    theirs = load_der_private_key(
        alice("rsa", "keys", "export", "rsa", "-", "-f", "pkcs8-der").output, None
    )
    argv = ("-f", "raw", "-w", "rsa_pk", "-m", algorithm)
    wrapped = alice("ec", "keys", "export", "p256", "-", *argv).output
    oaep = padding.OAEP(padding.MGF1(hashing), hashing, None)
    ephemeral = theirs.decrypt(wrapped[:256], oaep)
    assert aes_key_unwrap_with_padding(ephemeral, wrapped[256:]) == plain
    argv = ("-", "--unwrapping-key-id", "rsa", "-m", algorithm)
    (brought,) = alice("ec", "keys", "import", *argv, stdin=wrapped).lines
    assert alice("ec", "keys", "export", brought, "-", "-f", "pkcs8-der").output == plain


def test_sensitive_key_leaves_wrapped_with_its_rights_and_comes_back_sensitive(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    usages = ("--key-usage", "wrap-key", "--key-usage", "unwrap-key")
    alice("sym", "keys", "create", "sensitive-kek", "--sensitive", *usages)
    alice("sym", "keys", "create", "sensitive", "--sensitive")
    outcome = alice("sym", "keys", "export", "sensitive", "-", "-f", "raw", "-w", "sensitive-kek")
    assert outcome.code == 1
    assert "choose -f json-ttlv" in outcome.stderr
    path = tmp_path / "wrapped.json"
    argv = ("sym", "keys", "export", "sensitive", path, "-w", "sensitive-kek")
    assert alice(*argv).code == 0
    (brought,) = alice("sym", "keys", "import", path, "-u").lines
    attributes = client.get_attributes(brought)
    assert attributes.sensitive is True
    assert alice("sym", "keys", "export", brought, "-", "-f", "raw").code == 1


def test_key_that_is_kept_wrapped_leaves_as_it_is_or_unwrapped(
    alice: Kmsctl, client: KMSClient, kek: str
) -> None:
    assert alice("sym", "keys", "create", "kept-wrapped", "-w", kek).code == 0
    whole = alice("sym", "keys", "export", "kept-wrapped", "-").output
    (managed,) = read_key_file(whole, SYMMETRIC)
    data = managed.key_block.key_wrapping_data
    assert data.encryption_key_information.unique_identifier == kek
    plain = alice("sym", "keys", "export", "kept-wrapped", "-", "-u", "-f", "raw").output
    wrapping = alice("sym", "keys", "export", kek, "-", "-f", "raw").output
    assert aes_key_unwrap_with_padding(wrapping, octets_of(managed)) == plain


def test_key_that_came_wrapped_leaves_with_all_that_unwrapping_takes(
    alice: Kmsctl, client: KMSClient, kek: str, tmp_path: Path
) -> None:
    key = client.create_symmetric_key()
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    alice("sym", "keys", "export", key, first, "-w", kek, "-m", "aes-gcm")
    (kept,) = alice("sym", "keys", "import", first).lines
    alice("sym", "keys", "export", kept, second)
    (managed,) = read_key_file(second.read_bytes(), SYMMETRIC)
    information = managed.key_block.key_wrapping_data.encryption_key_information
    assert information.cryptographic_parameters.block_cipher_mode is BlockCipherMode.GCM
    (brought,) = alice("sym", "keys", "import", second, "--unwrap").lines
    raw = ("-", "-f", "raw")
    assert alice("sym", "keys", "export", brought, *raw).output == (
        alice("sym", "keys", "export", key, *raw).output
    )


REFUSED = [
    (["KEY", "-f", "pkcs8-pem"], 1, "PKCS#8 holds private keys, and this is a symmetric key"),
    (["KEY", "-f", "docx"], 2, "'docx' is not one of"),
    (["KEY", "-f", "jwk", "-w", "kek"], 2, "a wrapped key is written as json-ttlv, raw or base64"),
    (["KEY", "-m", "aes-gcm"], 2, "--wrapping-algorithm goes with --wrap-key-id"),
    (["KEY", "-w", "no-such-key"], 1, "Item_Not_Found"),
    (["KEY", "-w", "KEY"], 1, "a key does not wrap itself"),
    (["KEY", "-w", "for-encryption-alone"], 1, "Usage_Mask"),
    (["sensitive-one"], 1, "name the key to wrap it with by --wrap-key-id"),
    (["KEY", "-k", "KEY"], 2, "named twice"),
    (["KEY", "-t", "tag"], 2, "or by --tag: give one of the two"),
    (["a", "b"], 2, "give the key and the file"),
    ([], 2, "no key is named"),
    (["kept-wrapped-too", "-f", "jwk"], 1, "add --unwrap to have it in the clear"),
    (["kept-wrapped-too", "-f", "raw", "-w", "kek"], 1, "wrapped already"),
]


@pytest.mark.parametrize(("argv", "code", "words"), REFUSED)
def test_refused_export_is_one_line_and_writes_nothing(
    alice: Kmsctl,
    client: KMSClient,
    kek: str,
    tmp_path: Path,
    argv: list[str],
    code: int,
    words: str,
) -> None:
    known = client.locate()
    key = client.create_symmetric_key()
    if "for-encryption-alone" not in known:
        mask = Attributes(cryptographic_usage_mask=int(CryptographicUsageMask.ENCRYPT))
        client.create_symmetric_key(unique_identifier="for-encryption-alone", attributes=mask)
        alice("sym", "keys", "create", "kept-wrapped-too", "-w", kek)
        alice("sym", "keys", "create", "sensitive-one", "--sensitive")
    argv = [key if word == "KEY" else word for word in argv]
    outcome = alice("sym", "keys", "export", *argv, tmp_path / "out")
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_opaque_key_is_exported_to_the_byte(alice: Kmsctl, client: KMSClient) -> None:
    value = KeyValue(KeyMaterialField(b"only we know what this is"))
    managed = SymmetricKey(KeyBlock(KeyFormatType.OPAQUE, key_value=value))
    key = client.register(managed)
    outcome = alice("sym", "keys", "export", key, "-", "-f", "raw")
    assert (outcome.code, outcome.output) == (0, b"only we know what this is")
