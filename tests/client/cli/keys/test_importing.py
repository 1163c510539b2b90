"""The verb import of keys and secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from kms_tornado.client import KMSClient
from kms_tornado.client.key_files.writing import write_key_file
from kms_tornado.kmip.attributes import Attributes, parse_user_tags
from kms_tornado.kmip.enums import CryptographicAlgorithm, LinkType, State, UsageLimitsUnit
from kms_tornado.kmip.structures import UsageLimits

from ....outside_keys import openssl
from ...key_files.samples import native, sample
from ..conftest import BOB
from ..runner import Kmsctl

A = CryptographicAlgorithm
NOUNS = {"rsa": "rsa", "p256": "ec", "p384": "ec", "p521": "ec", "ed25519": "ec", "x25519": "ec"}


def imported(outcome) -> str:
    assert outcome.code == 0, outcome.stderr
    return outcome.lines[0]


@pytest.mark.parametrize("kind", NOUNS)
@pytest.mark.parametrize("half", ["private", "public"])
def test_key_comes_back_as_it_was_brought(
    alice: Kmsctl, tmp_path: Path, kind: str, half: str
) -> None:
    noun = NOUNS[kind]
    for file_format in ("pem", "der", "jwk", "json-ttlv"):
        octets = write_key_file(sample(f"{kind} {half}"), file_format)
        path = tmp_path / file_format
        path.write_bytes(octets)
        key = imported(alice(noun, "keys", "import", path))
        again = alice(noun, "keys", "export", key, "-", "-f", "der").output
        assert again == write_key_file(sample(f"{kind} {half}"), "der")


@pytest.mark.parametrize(
    ("noun", "argv", "is_kept"),
    [
        ("rsa", ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048",
                 "-pkeyopt", "rsa_pss_keygen_md:sha384"], True),
        ("ec", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP320t1"], True),
        ("ec", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], True),
        ("ec", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp384r1",
                "-pkeyopt", "ec_param_enc:explicit"], False),
        ("ec", ["-algorithm", "Ed448"], True),
        ("ec", ["-algorithm", "X448"], True),
    ],
    ids=["RSA-PSS", "brainpool", "secp256k1", "explicit", "Ed448", "X448"],
)  # fmt: skip
def test_file_of_openssl_comes_back_as_it_was(
    alice: Kmsctl, noun: str, argv: list[str], is_kept: bool
) -> None:
    private = openssl("genpkey", *argv)
    for octets in (private, openssl("pkey", "-pubout", stdin=private)):
        key = imported(alice(noun, "keys", "import", "-", stdin=octets))
        again = alice(noun, "keys", "export", key, "-", "-f", "pem").output
        assert (again == octets) is is_kept
    if not is_kept:
        named = ("pkey", "-pubin", "-pubout", "-ec_param_enc", "named_curve")
        assert openssl(*named, stdin=octets) == again


@pytest.mark.parametrize(
    ("argv", "octets", "algorithm"),
    [
        ([], bytes(32), A.AES),
        (["-f", "aes"], bytes(16), A.AES),
        (["-f", "chacha20"], bytes(32), A.CHACHA20),
        (["-f", "raw", "-a", "hmac-sha256"], bytes(40), A.HMAC_SHA256),
        (["-a", "CHACHA20"], b"A" * 43 + b"=", A.CHACHA20),
        (["-f", "base64"], b"AAAAAAAAAAAAAAAAAAAAAA==", A.AES),
        ([], write_key_file(sample("hmac"), "jwk"), A.HMAC_SHA512),
    ],
)
def test_symmetric_key_is_brought_as_what_it_is_named(
    alice: Kmsctl, client: KMSClient, argv: list[str], octets: bytes, algorithm
) -> None:
    key = imported(alice("sym", "keys", "import", "-", *argv, stdin=octets))
    assert client.get_attributes(key).cryptographic_algorithm is algorithm


def test_import_describes_the_key_by_its_options(alice: Kmsctl, client: KMSClient) -> None:
    argv = ("--name", "brought", "-t", "x", "--key-usage", "sign", "--sensitive")
    links = ("-p", "its-public-key", "-c", "its-certificate")
    octets = write_key_file(sample("p256 private"), "pem")
    key = imported(alice("ec", "keys", "import", "-", "my-own", *argv, *links, stdin=octets))
    attributes = client.get_attributes(key)
    assert key == "my-own"
    assert [name.name_value for name in attributes.names] == ["brought"]
    assert parse_user_tags(attributes) == {"x"}
    assert (attributes.cryptographic_usage_mask, attributes.sensitive) == (1, True)
    assert {link.link_type: link.linked_object_identifier for link in attributes.links} == {
        LinkType.PUBLIC_KEY_LINK: "its-public-key",
        LinkType.CERTIFICATE_LINK: "its-certificate",
    }


@pytest.mark.parametrize("flag", ["--replace", "-r", "--replace-existing"])
def test_existing_object_is_replaced_only_where_that_is_said(alice: Kmsctl, flag: str) -> None:
    uid = f"replaced-{flag}"
    imported(alice("sym", "keys", "import", "-", "--", uid, stdin=bytes(32)))
    again = alice("sym", "keys", "import", "-", uid, stdin=bytes(range(32)))
    assert again.code == 1
    assert "Object_Already_Exists" in again.stderr
    imported(alice("sym", "keys", "import", "-", uid, flag, stdin=bytes(range(32))))
    assert alice("sym", "keys", "export", uid, "-", "-f", "raw").output == bytes(range(32))


def test_what_others_have_is_not_replaced(alice: Kmsctl, bob: Kmsctl) -> None:
    imported(alice("sym", "keys", "import", "-", "hers", stdin=bytes(32)))
    outcome = bob("sym", "keys", "import", "-", "hers", "-r", stdin=bytes(range(32)))
    assert outcome.code == 1
    assert alice("sym", "keys", "export", "hers", "-", "-f", "raw").output == bytes(32)


def test_keys_of_a_jwk_set_are_brought_one_by_one(alice: Kmsctl) -> None:
    keys = [
        json.loads(write_key_file(sample(f"{kind} public"), "jwk")) for kind in ("p256", "ed25519")
    ]
    octets = json.dumps({"keys": keys}).encode()
    outcome = alice("ec", "keys", "import", "-", "--json", stdin=octets)
    objects = json.loads(outcome.stdout)
    assert [one["object"] for one in objects] == ["an elliptic-curve public key"] * 2
    assert len(alice("ec", "keys", "import", "-", stdin=octets).lines) == 2
    named = alice("ec", "keys", "import", "-", "one", stdin=octets)
    assert named.code == 2
    assert "holds 2 keys" in named.stderr


def test_secret_is_brought_to_the_byte(alice: Kmsctl) -> None:
    for octets in (b"hunter2\n", b"aGVsbG8=", os.urandom(100)):
        secret = imported(alice("secret-data", "import", "-", "-t", "x", stdin=octets))
        assert alice("secret-data", "export", secret, "-", "-f", "raw").output == octets


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("PreActive", State.ACTIVE),
        ("Active", State.ACTIVE),
        ("Deactivated", State.DEACTIVATED),
        ("Compromised", State.COMPROMISED),
    ],
)
def test_file_of_ckms_is_brought_without_what_its_server_had_determined_but_its_end(
    alice: Kmsctl, client: KMSClient, state: str, after: State
) -> None:
    """As version 5 writes them: structures without a type, and all attributes that its server knows."""
    attributes = [
        {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"},
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": 12},
        {"tag": "ActivationDate", "type": "DateTime", "value": "2025-01-01T00:00:00Z"},
        {"tag": "InitialDate", "type": "DateTime", "value": "2025-01-01T00:00:00Z"},
        {"tag": "Sensitive", "type": "Boolean", "value": False},
        {"tag": "State", "type": "Enumeration", "value": state},
        {"tag": "UniqueIdentifier", "type": "TextString", "value": "theirs"},
        {"tag": "Attribute", "value": [
            {"tag": "VendorIdentification", "type": "TextString", "value": "cosmian"},
            {"tag": "AttributeName", "type": "TextString", "value": "tag"},
            {"tag": "AttributeValue", "type": "TextString", "value": '["_kk","moved"]'}]},
    ]  # fmt: skip
    tree = {"tag": "SymmetricKey", "value": [{"tag": "KeyBlock", "value": [
        {"tag": "KeyFormatType", "type": "Enumeration", "value": "Raw"},
        {"tag": "KeyValue", "value": [
            {"tag": "KeyMaterial", "type": "ByteString", "value": bytes(range(32)).hex()},
            {"tag": "Attributes", "value": attributes}]},
        {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"},
        {"tag": "CryptographicLength", "type": "Integer", "value": 256}]}]}  # fmt: skip
    key = imported(alice("sym", "keys", "import", "-", stdin=json.dumps(tree).encode()))
    assert key != "theirs"
    assert alice("sym", "keys", "export", key, "-", "-f", "raw", "-i").output == bytes(range(32))
    found = client.get_attributes(key)
    assert found.state is after
    assert found.cryptographic_usage_mask == 12
    assert parse_user_tags(found) == {"moved"}


def test_key_that_left_as_json_ttlv_comes_back_with_its_tags_and_uses(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    argv = ("--name", "goes-and-comes", "-t", "kept", "--key-usage", "wrap-key")
    alice("sym", "keys", "create", *argv)
    alice("sym", "keys", "export", "goes-and-comes", tmp_path / "key.json")
    found = client.get_attributes(imported(alice("sym", "keys", "import", tmp_path / "key.json")))
    assert parse_user_tags(found) == {"kept"}
    assert found.cryptographic_usage_mask == 0x10


@pytest.mark.parametrize("reason", ["Key Compromise", "Superseded"])
@pytest.mark.parametrize("file_format", ["json-ttlv", "wrapped"])
def test_revoked_key_that_left_as_json_ttlv_comes_back_revoked(
    alice: Kmsctl, client: KMSClient, tmp_path: Path, reason: str, file_format: str
) -> None:
    """With why and when; it was Active again, and encrypted."""
    key, kek = client.create_symmetric_key(), client.create_symmetric_key()
    client.revoke(key, reason, "lost")
    path = tmp_path / "key.json"
    wrapped = ["--wrap-key-id", kek] if file_format == "wrapped" else []
    assert alice("sym", "keys", "export", key, path, "-i", *wrapped).code == 0
    more = ["--unwrap"] if wrapped else []
    copy = client.get_attributes(imported(alice("sym", "keys", "import", path, *more)))
    original = client.get_attributes(key)
    for name in ("state", "revocation_reason", "compromise_date", "deactivation_date"):
        assert getattr(copy, name) == getattr(original, name), name


def test_limits_of_a_key_that_left_as_json_ttlv_come_with_it(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    limits = UsageLimits(10, None, UsageLimitsUnit.OBJECT)
    key = client.create_symmetric_key(attributes=Attributes(usage_limits=limits))
    client.encrypt(key, b"once")
    alice("sym", "keys", "export", key, tmp_path / "key.json")
    copy = client.get_attributes(imported(alice("sym", "keys", "import", tmp_path / "key.json")))
    assert copy.usage_limits is not None
    assert copy.usage_limits.usage_limits_count == 9
    assert copy.state is State.ACTIVE


# --- encrypted files ----------------------------------------------------------------------------


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(
        native("p256").private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
    )
    return path


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_password_comes_from_a_file(
    alice: Kmsctl, encrypted: Path, tmp_path: Path, ending: bytes
) -> None:
    (tmp_path / "pw").write_bytes(b"hunter2" + ending)
    imported(alice("ec", "keys", "import", encrypted, "--password-file", tmp_path / "pw"))


def test_password_is_asked_for_at_a_terminal_and_not_shown(alice: Kmsctl, encrypted: Path) -> None:
    outcome = alice.terminal("ec", "keys", "import", encrypted, answer="hunter2")
    assert outcome.code == 0
    assert "hunter2" not in outcome.stdout
    assert "is encrypted. Password:" in outcome.stdout


def test_without_a_terminal_the_error_names_the_option(alice: Kmsctl, encrypted: Path) -> None:
    for outcome in (
        alice("ec", "keys", "import", encrypted),
        alice("ec", "keys", "import", "-", stdin=encrypted.read_bytes()),
    ):
        assert (outcome.code, outcome.output) == (2, b"")
        assert "give its password with --password-file" in outcome.stderr


def test_wrong_password_is_refused(alice: Kmsctl, encrypted: Path, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter3")
    outcome = alice("ec", "keys", "import", encrypted, "--password-file", tmp_path / "pw")
    assert outcome.code == 1
    assert "the password does not open" in outcome.stderr
    assert "hunter3" not in outcome.stderr


# --- wrapped ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kek(client: KMSClient) -> str:
    return client.create_symmetric_key(unique_identifier="kek", name="the-kek")


def test_key_that_another_program_wrapped_is_unwrapped_by_the_server(
    alice: Kmsctl, kek: str
) -> None:
    wrapping = alice("sym", "keys", "export", kek, "-", "-f", "raw").output
    octets = aes_key_wrap_with_padding(wrapping, bytes(range(32)))
    argv = ("sym", "keys", "import", "-", "--unwrapping-key-id", "the-kek")
    key = imported(alice(*argv, stdin=octets))
    assert alice("sym", "keys", "export", key, "-", "-f", "raw").output == bytes(range(32))


def test_key_that_was_encrypted_by_a_public_key_is_decrypted_by_the_server(
    alice: Kmsctl, client: KMSClient
) -> None:
    pair = client.create_key_pair("RSA", 2048)
    spki = alice("rsa", "keys", "export", pair.public_key, "-", "-f", "spki-der").output
    public = serialization.load_der_public_key(spki)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    octets = public.encrypt(bytes(range(16)), oaep)
    argv = ("sym", "keys", "import", "-", "--unwrapping-key-id", pair.private_key, "-m", "rsa-oaep")
    key = imported(alice(*argv, stdin=octets))
    assert alice("sym", "keys", "export", key, "-", "-f", "raw").output == bytes(range(16))


def test_wrapped_file_stays_wrapped_unless_told_otherwise(
    alice: Kmsctl, client: KMSClient, kek: str, tmp_path: Path
) -> None:
    key = client.create_symmetric_key()
    path = tmp_path / "wrapped.json"
    alice("sym", "keys", "export", key, path, "-w", kek)
    brought = imported(alice("sym", "keys", "import", path))
    assert alice("sym", "keys", "export", brought, "-", "-f", "jwk").code == 1
    raw = ("-", "-f", "raw")
    assert alice("sym", "keys", "export", brought, *raw, "-u").output == (
        alice("sym", "keys", "export", key, *raw).output
    )


def test_wrapped_file_is_no_use_to_who_may_not_use_the_wrapping_key(
    alice: Kmsctl, bob: Kmsctl, client: KMSClient, kek: str, tmp_path: Path
) -> None:
    key = client.create_symmetric_key()
    path = tmp_path / "wrapped.json"
    alice("sym", "keys", "export", key, path, "-w", kek)
    outcome = bob("sym", "keys", "import", path, "--unwrap")
    assert outcome.code == 1
    assert outcome.stderr.startswith("kmsctl: Item_Not_Found")
    client.grant(kek, BOB, ["decrypt"])
    imported(bob("sym", "keys", "import", path, "--unwrap"))


def test_unwrap_has_nothing_to_do_where_the_key_is_not_wrapped(alice: Kmsctl) -> None:
    imported(alice("sym", "keys", "import", "-", "--unwrap", stdin=bytes(32)))


# --- refused ------------------------------------------------------------------------------------

PEM = {
    kind: write_key_file(sample(kind), "pem")
    for kind in ("rsa private", "certificate", "p256 public")
}
REFUSED = [
    ("sym", [], PEM["rsa private"], 1, "RSA private key: kmsctl rsa keys import brings it"),
    ("ec", [], PEM["rsa private"], 1, "RSA private key: kmsctl rsa keys import brings it"),
    ("rsa", [], PEM["p256 public"], 1, "public key: kmsctl ec keys import brings it"),
    ("rsa", [], PEM["certificate"], 1, "a certificate: kmsctl certificates import brings it"),
    ("rsa", [], write_key_file(sample("aes"), "jwk"), 1, "kmsctl sym keys import brings it"),
    ("rsa", [], b"", 1, "the file is empty"),
    ("rsa", [], b"hello", 1, "the file is none of PEM"),
    ("sym", [], bytes(17), 1, "nor a raw key of 16"),
    ("sym", [], b"00" * 32, 1, "name --key-format base64 or raw"),
    ("sym", ["-f", "raw"], bytes(17), 1, "128, 192 or 256 bits"),
    ("sym", ["-f", "p12"], bytes(32), 2, "'p12' is not one of"),
    ("sym", ["-m", "aes-gcm"], bytes(32), 2, "goes with --unwrapping-key-id"),
    ("sym", ["--unwrapping-key-id", "no-such-key"], bytes(32), 1, "Item_Not_Found"),
    ("sym", ["--unwrapping-key-id", "kek"], bytes(40), 1, "unwrapping failed"),
    ("sym", ["-t", "_kk"], bytes(32), 1, "underscore"),
    ("sym", ["--password-file", "/nowhere"], bytes(32), 1, "/nowhere: No such file"),
    ("rsa", [], b"0" * 1_100_000, 1, "that is no key file"),
]  # fmt: skip


@pytest.mark.parametrize(("noun", "argv", "octets", "code", "words"), REFUSED)
def test_refused_import_is_one_line(
    alice: Kmsctl, kek: str, noun: str, argv: list[str], octets: bytes, code: int, words: str
) -> None:
    outcome = alice(noun, "keys", "import", "-", *argv, stdin=octets)
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_file_that_is_not_there_is_named(alice: Kmsctl) -> None:
    outcome = alice("sym", "keys", "import", "/nowhere/key")
    assert (outcome.code, outcome.stderr) == (
        1, "kmsctl: /nowhere/key: No such file or directory\n"
    )  # fmt: skip
