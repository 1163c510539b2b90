"""share, unshare, access-rights."""

from __future__ import annotations

import json

import pytest

from kms_tornado.client import KMSClient

from ..conftest import BOB
from ..runner import Kmsctl


@pytest.fixture
def key(client: KMSClient) -> str:
    return client.create_symmetric_key()


def test_share_grants_and_prints_what_the_user_may_do_now(
    alice: Kmsctl, bob: Kmsctl, key: str
) -> None:
    assert alice("share", key, BOB, "decrypt").lines == ["decrypt"]
    assert alice("share", key, BOB, "encrypt").lines == ["decrypt", "encrypt"]
    assert json.loads(bob("access-rights", "obtained", "--json").stdout)[0] == {
        "unique_identifier": key,
        "owner": "alice@example.com",
        "state": "Active",
        "operations": ["decrypt", "encrypt"],
        "granted_to": [BOB],
        "is_wrapped": False,
    }


def test_share_in_a_terminal_says_it_in_a_sentence(alice: Kmsctl, key: str) -> None:
    assert alice.terminal("share", key, BOB, "decrypt", "get").stdout == (
        f"bob@example.com may decrypt, get with {key}\n"
    )
    assert alice.terminal("share", key, "*", "encrypt").stdout == (
        f"everybody may encrypt with {key}\n"
    )
    assert alice.terminal("unshare", key, BOB).stdout == (
        f"bob@example.com may do nothing with {key}\n"
    )


def test_share_finds_a_key_by_its_name(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(name="shared by name")
    outcome = alice("share", "shared by name", BOB, "decrypt", "--json")
    assert json.loads(outcome.stdout) == {
        "unique_identifier": key,
        "user": BOB,
        "operations": ["decrypt"],
    }


def test_share_and_unshare_find_a_key_by_its_tags(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(tags=["to share", "2024"])
    argv = ("--tag", "to share", "-t", "2024", BOB, "decrypt")
    assert alice("share", *argv).lines == ["decrypt"]
    assert alice("access-rights", "list", key).lines == [f"{BOB}\tdecrypt"]
    assert alice("unshare", "--tag", "to share", BOB).lines == []
    assert alice("access-rights", "list", key).lines == []


def test_unshare_takes_the_named_operations_or_all(alice: Kmsctl, key: str) -> None:
    alice("share", key, BOB, "decrypt", "encrypt", "get")
    assert alice("unshare", key, BOB, "get").lines == ["decrypt", "encrypt"]
    outcome = alice("unshare", key, BOB)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert alice("unshare", key, BOB).code == 0  # nothing left to take is no error
    assert alice("access-rights", "list", key).stdout == ""


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((BOB, "KEY", "decrypt", "encrypt"), id="as ckms 4"),
        pytest.param((BOB, "--object-uid", "KEY", "decrypt", "encrypt"), id="as ckms 5"),
        pytest.param(("-i", "KEY", BOB, "decrypt", "encrypt"), id="as ckms 5, short"),
    ],
)
def test_access_rights_take_ckms_s_arguments(
    alice: Kmsctl, key: str, order: tuple[str, ...]
) -> None:
    words = [key if word == "KEY" else word for word in order]
    assert alice("access-rights", "grant", *words).lines == ["decrypt", "encrypt"]
    assert alice("access-rights", "list", key).lines == [f"{BOB}\tdecrypt,encrypt"]
    assert alice("access-rights", "revoke", *words).stdout == ""
    assert alice("access-rights", "list", key).stdout == ""


def test_owned_lists_what_is_mine(alice: Kmsctl, key: str) -> None:
    rows = [line.split("\t") for line in alice("access-rights", "owned").lines]
    assert [key, "Active", "SymmetricKey", "AES", "256", "false", "0", ""] in rows


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        pytest.param(["share", "KEY", BOB, "decrpt"], 1, "Invalid_Field", id="unknown operation"),
        pytest.param(["share", "KEY", "alice@example.com", "get"], 1, "owner", id="to oneself"),
        pytest.param(["share", "no-such-key", BOB, "get"], 1, "Item_Not_Found", id="no such key"),
        pytest.param(["share", "KEY", BOB], 2, "OPERATION is missing", id="no operation"),
        pytest.param(["share", "KEY"], 2, "USER is missing", id="no user"),
        pytest.param(
            ["share", "--tag", "t", BOB], 2, "OPERATION is missing", id="by tag, no operation"
        ),
        pytest.param(["unshare", "KEY"], 2, "USER is missing", id="nobody to take it from"),
        pytest.param(["access-rights", "grant", BOB, "KEY"], 2, "OPERATION", id="ckms, too few"),
        pytest.param(["access-rights", "grnt", BOB], 2, "did you mean grant?", id="misspelt verb"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    alice: Kmsctl, key: str, argv: list[str], code: int, words: str
) -> None:
    outcome = alice(*(key if word == "KEY" else word for word in argv))
    assert (outcome.code, outcome.stdout) == (code, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("kmsctl: ")
    assert words in line


def test_somebody_else_s_key_cannot_be_shared(alice: Kmsctl, bob: Kmsctl, key: str) -> None:
    alice("share", key, BOB, "decrypt")
    outcome = bob("share", key, "carol@example.com", "decrypt")
    assert outcome.code == 1
    assert "Item_Not_Found" in outcome.stderr
