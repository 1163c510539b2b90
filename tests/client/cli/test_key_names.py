"""A text names one's own key, whatever others have called theirs: names and identifiers are chosen by whoever makes a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from ...server import eventually
from .conftest import ALICE, BOB, Place
from .runner import Kmsctl, Outcome


@pytest.fixture(scope="module")
def bobs(place: Place) -> Iterator[KMSClient]:
    with KMSClient(place.url, place.token(BOB)) as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "f"
    path.write_bytes(b"data")
    return path


def key_of(file: Path) -> str:
    """The identifier of the key that an encrypted file is for."""
    data = file.with_name(f"{file.name}.kms").read_bytes()
    return data[48 : 48 + int.from_bytes(data[46:48])].decode()


def test_name_of_ones_own_key_is_not_the_identifier_of_another(
    alice: Kmsctl, client: KMSClient, bobs: KMSClient, file: Path
) -> None:
    own = client.create_symmetric_key(name="payroll")
    trap = bobs.create_symmetric_key(unique_identifier="payroll")
    bobs.grant(trap, "*", ["encrypt", "decrypt", "get_attributes"])
    assert alice("encrypt", file, "--for", "payroll").code == 0
    assert key_of(file) == own


def test_identifier_of_ones_own_key_is_not_the_name_of_another(
    alice: Kmsctl, client: KMSClient, bobs: KMSClient, file: Path
) -> None:
    own = client.create_symmetric_key(unique_identifier="invoices-key")
    trap = bobs.create_symmetric_key(name=own)
    bobs.grant(trap, ALICE, ["encrypt", "get_attributes"])
    assert alice("encrypt", file, "--for", own).code == 0
    assert key_of(file) == own


def test_ones_own_key_is_meant_where_others_have_its_name(
    alice: Kmsctl, client: KMSClient, bobs: KMSClient, file: Path
) -> None:
    own = client.create_symmetric_key(name="shared name")
    bobs.grant(bobs.create_symmetric_key(name="shared name"), ALICE, ["get"])
    assert alice("encrypt", file, "--for", "shared name").code == 0
    assert key_of(file) == own


@pytest.mark.parametrize("rights", [["encrypt"], ["get"]])
def test_key_of_somebody_else_is_named_by_its_identifier(
    alice: Kmsctl, bobs: KMSClient, file: Path, rights: list[str]
) -> None:
    key = bobs.create_symmetric_key(unique_identifier=f"for alice to {rights[0]}")
    bobs.grant(key, ALICE, rights)
    assert alice("encrypt", file, "--for", key).code == 0
    assert key_of(file) == key


def test_text_that_fits_two_keys_of_others_names_neither(
    alice: Kmsctl, bobs: KMSClient, file: Path
) -> None:
    one = bobs.create_symmetric_key(unique_identifier="which")
    other = bobs.create_symmetric_key(name="which")
    bobs.grant(one, ALICE, ["encrypt"])
    bobs.grant(other, "*", ["encrypt", "get_attributes"])
    outcome = alice("encrypt", file, "--for", "which")
    assert outcome.code == 2
    assert one in outcome.stderr
    assert other in outcome.stderr


def test_key_that_is_named_leaves_no_refusal_in_the_audit(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    own = client.create_symmetric_key(name="named in the audit")
    assert alice("encrypt", file, "--for", "named in the audit").code == 0
    assert key_of(file) == own
    # Of the question behind it: records of reads are written together, in their order.
    assert eventually(lambda: client.read_audit(uid=own, operation="AccessList").records)
    assert client.read_audit(uid="named in the audit").records == []


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["encrypt", "FILE", "--for", ""], id="encrypt"),
        pytest.param(["encrypt", "FILE", "--tag", ""], id="a tag"),
        pytest.param(["sym", "keys", "export", "-k", "", "out"], id="export"),
        pytest.param(["sym", "keys", "revoke", "", "--yes"], id="revoke"),
        pytest.param(["share", "", "bob@example.com", "decrypt"], id="share"),
        pytest.param(["share", "KEY", "", "decrypt"], id="user"),
        pytest.param(["attributes", "get", ""], id="attributes"),
        pytest.param(["create", ""], id="new Name"),
        pytest.param(["sym", "keys", "create", ""], id="new identifier"),
        pytest.param(["sym", "keys", "create", "--tag", ""], id="new tag"),
        pytest.param(["rsa", "keys", "create", "--name", ""], id="new pair"),
    ],
)
def test_empty_text_names_nothing(
    alice: Kmsctl, client: KMSClient, file: Path, argv: list[str]
) -> None:
    """It stands where a variable of the shell was not set, and one object may have the empty Name."""
    key = client.create_symmetric_key(name="")
    before = client.locate()
    words = {"FILE": str(file), "KEY": key}
    outcome = alice(*[words.get(word, word) for word in argv])
    assert outcome.code == 2
    assert "is empty: is a variable of the shell not set?" in outcome.stderr
    assert client.locate() == before
    client.revoke(key)
    client.destroy(key)


def test_half_of_a_pair_that_is_meant_is_found_by_the_name_of_the_other(
    alice: Kmsctl, client: KMSClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair has its Name at the private key, and people call both keys by it."""
    monkeypatch.chdir(tmp_path)
    pair = client.create_key_pair("RSA", 2048, name="half")
    text, name, public = tmp_path / "text", ("-k", "half"), ("-k", pair.public_key)
    text.write_text("hello")

    def kmsctl(*argv: str) -> Outcome:
        outcome = alice(*argv)
        assert (outcome.code, outcome.stderr) == (0, ""), outcome.stderr
        return outcome

    kmsctl("rsa", "sign", "text", *public, "-o", "signature")
    assert kmsctl("rsa", "sign-verify", "text", "signature", *name).lines == ["valid"]
    kmsctl("rsa", "encrypt", "text", *name, "-o", "sealed")
    assert kmsctl("rsa", "decrypt", "sealed", *public, "-o", "-").stdout == "hello"
    kmsctl("encrypt", "text", "--for", "half")
    assert kmsctl("decrypt", "text.kms", "-o", "-").stdout == "hello"
    for key in (pair.private_key, pair.public_key):
        client.revoke(key)
        client.destroy(key)


def test_half_without_the_other_is_refused_in_words(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    pair = client.create_key_pair("RSA", 2048)
    assert alice("attributes", "delete", pair.private_key, "Link").code == 0
    outcome = alice("rsa", "encrypt", file, "-k", pair.private_key, "-o", "o")
    assert outcome.code == 1
    assert outcome.stderr.endswith(" is a private key, and this takes the public one\n")


def test_what_is_no_half_of_a_pair_is_refused_as_it_is(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    outcome = alice("rsa", "sign", file, "-k", key, "-o", "o")
    assert outcome.stderr == "kmsctl: Invalid_Field: the object is not a PrivateKey\n"
