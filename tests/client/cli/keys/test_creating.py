"""The verb create, and the short create."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.kmip.attributes import parse_user_tags
from kms_tornado.kmip.enums import CryptographicAlgorithm, LinkType, ObjectType

from ..runner import Kmsctl

A = CryptographicAlgorithm


def created(outcome) -> str:
    assert outcome.code == 0, outcome.stderr
    return outcome.lines[0]


@pytest.mark.parametrize(
    ("argv", "algorithm", "length"),
    [
        ([], A.AES, 256),
        (["--number-of-bits", "128"], A.AES, 128),
        (["-a", "chacha20"], A.CHACHA20, 256),
        (["-a", "AES", "-l", "192"], A.AES, 192),
        (["-a", "hmac-sha512"], A.HMAC_SHA512, 512),
    ],
)
def test_symmetric_key_is_made_as_its_options_say(
    alice: Kmsctl, client: KMSClient, argv: list[str], algorithm, length: int
) -> None:
    attributes = client.get_attributes(created(alice("sym", "keys", "create", *argv)))
    assert attributes.cryptographic_algorithm is algorithm
    assert attributes.cryptographic_length == length


def test_key_is_described_by_its_options(alice: Kmsctl, client: KMSClient) -> None:
    argv = ["--name", "described", "-t", "a", "--tag", "b", "--sensitive"]
    usage = ["--key-usage", "encrypt", "--key-usage", "decrypt"]
    uid = created(alice("sym", "keys", "create", "billing-1", *argv, *usage))
    attributes = client.get_attributes(uid)
    assert uid == "billing-1"
    assert [name.name_value for name in attributes.names] == ["described"]
    assert parse_user_tags(attributes) == {"a", "b"}
    assert attributes.cryptographic_usage_mask == 12
    assert attributes.sensitive is True


def test_key_is_kept_wrapped_by_the_key_that_is_named(alice: Kmsctl, client: KMSClient) -> None:
    created(alice("sym", "keys", "create", "--name", "kek"))
    uid = created(alice("sym", "keys", "create", "--wrapping-key-id", "kek"))
    links = {link.link_type: link for link in client.get_attributes(uid).links}
    assert LinkType.WRAPPING_KEY_LINK in links


def test_bytes_in_the_arguments_are_taken_with_a_warning(alice: Kmsctl) -> None:
    text = base64.b64encode(bytes(range(16))).decode()
    outcome = alice("sym", "keys", "create", "-k", text)
    assert "seen by every user of this machine" in outcome.stderr
    assert text not in outcome.stderr
    exported = alice("sym", "keys", "export", created(outcome), "-", "-f", "raw")
    assert exported.output == bytes(range(16))


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [
        ("nist-p256", A.EC),
        ("nist-p521", A.EC),
        ("ed25519", A.ED25519),
        ("x25519", A.ECDH),
        ("ed448", A.ED448),
        ("x448", A.ECDH),
        ("secp256k1", A.EC),
        ("brainpoolp384r1", A.EC),
    ],
)
def test_pair_on_a_curve_is_private_then_public(
    alice: Kmsctl, client: KMSClient, curve: str, algorithm
) -> None:
    outcome = alice("ec", "keys", "create", "--curve", curve)
    private, public = outcome.lines
    attributes = client.get_attributes(private)
    assert attributes.object_type is ObjectType.PRIVATE_KEY
    assert attributes.cryptographic_algorithm is algorithm
    assert client.get_attributes(public).object_type is ObjectType.PUBLIC_KEY


def test_public_key_has_the_identifier_of_the_private_one_with_pk(
    alice: Kmsctl, client: KMSClient
) -> None:
    argv = ("--size_in_bits", "2048", "--name", "signing", "--sensitive", "--json")
    outcome = alice("rsa", "keys", "create", "signer", *argv)
    assert json.loads(outcome.stdout) == {"private_key": "signer", "public_key": "signer_pk"}
    assert client.get_attributes("signer").sensitive is True
    assert not client.get_attributes("signer_pk").sensitive
    assert client.get_attributes("signer").cryptographic_length == 2048


def test_seed_is_random_and_a_password_is_what_was_given(alice: Kmsctl, tmp_path: Path) -> None:
    seeds = {
        alice("secret-data", "export", created(alice("secret-data", "create")), "-", "-f", "raw").output
        for _ in range(2)
    }  # fmt: skip
    assert [len(seed) for seed in seeds] == [32, 32]
    (tmp_path / "pw").write_bytes(b"hunter2\n")
    argv = ("--type", "password", "--value-file", tmp_path / "pw")
    uid = created(alice("secret-data", "create", "db", *argv))
    assert alice("secret-data", "export", uid, "-", "-f", "raw").output == b"hunter2\n"
    uid = created(
        alice("secret-data", "create", "--type", "password", "--value-file", "-", stdin=b"x")
    )
    assert alice("secret-data", "export", uid, "-", "-f", "raw").output == b"x"


def test_secret_in_the_arguments_is_taken_with_a_warning(alice: Kmsctl) -> None:
    outcome = alice("secret-data", "create", "--value", "correct horse", "--type", "password")
    assert "seen by every user" in outcome.stderr
    assert "horse" not in outcome.stderr
    uid = created(outcome)
    assert alice("secret-data", "export", uid, "-", "-f", "raw").output == b"correct horse"


def test_short_create_names_an_aes_key(alice: Kmsctl, client: KMSClient) -> None:
    uid = created(alice("create", "short", "--tag", "t"))
    attributes = client.get_attributes(uid)
    assert attributes.cryptographic_length == 256
    assert [name.name_value for name in attributes.names] == ["short"]


def test_terminal_says_what_to_do_next(alice: Kmsctl) -> None:
    shown = alice.terminal("create", "next").stdout
    assert "kmsctl encrypt FILE --for next" in shown
    assert len(shown.splitlines()) == 2


REFUSED = [
    (["sym", "keys", "create", "-a", "des"], 2, "'des' is not one of"),
    (["sym", "keys", "create", "-l", "100"], 1, "AES"),
    (["sym", "keys", "create", "-l", "0"], 2, "--number-of-bits"),
    (["sym", "keys", "create", "taken"], 1, "Object_Already_Exists"),
    (["sym", "keys", "create", "--tag", "_kk"], 1, "underscore"),
    (["sym", "keys", "create", "-w", "nobody-s"], 1, "Item_Not_Found"),
    (["sym", "keys", "create", "-l", "x"], 2, "'x' is not a valid whole number"),
    (["sym", "keys", "create", "-k", "%%"], 2, "not base64"),
    (["sym", "keys", "create", "-k", "äöü"], 2, "not base64"),
    (["sym", "keys", "create", "-k", "AAAA", "-w", "taken"], 2, "that the server makes"),
    (["sym", "keys", "create", "--key-usage", "fly"], 2, "'fly' is not one of"),
    (["sym", "keys", "create", "a", "b"], 2, "unexpected extra argument"),
    (["sym", "keys", "crate"], 2, "did you mean create"),
    (["create"], 2, "Missing argument"),
    (["create", "taken-name"], 1, "Name"),
    (["rsa", "keys", "create", "-s", "1024"], 1, "bits"),
    (["ec", "keys", "create", "-c", "nist-p192"], 2, "'nist-p192' is not one of"),
    (["secret-data", "create", "--type", "password"], 2, "give --value-file"),
    (["secret-data", "create", "--value", ""], 2, "the secret is empty"),
    (["secret-data", "create", "--value", "a", "--value-file", "-"], 2, "give one of them"),
    (["secret-data", "create", "--value-file", "/nowhere"], 1, "/nowhere: No such file"),
]


@pytest.mark.parametrize(("argv", "code", "words"), REFUSED)
def test_refusal_is_one_line(
    alice: Kmsctl, client: KMSClient, argv: list[str], code: int, words: str
) -> None:
    for uid, name in (("taken", None), ("taken-2", "taken-name")):
        if not client.locate(name=name) if name else uid not in client.locate():
            client.create_symmetric_key(unique_identifier=uid, name=name)
    outcome = alice(*argv)
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr.splitlines()[-1]
    assert len([line for line in outcome.stderr.splitlines() if "warning" not in line]) == 1
