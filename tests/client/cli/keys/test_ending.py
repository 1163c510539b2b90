"""activate, revoke, destroy and rekey: what is asked, what is done, what is refused."""

from __future__ import annotations

import json
import time

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.errors import ItemNotFound
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import State

from ..conftest import BOB
from ..runner import Kmsctl


@pytest.fixture
def key(client: KMSClient) -> str:
    return client.create_symmetric_key()


def state_of(client: KMSClient, key: str) -> State | None:
    return client.get_attributes(key).state


def test_activate_makes_a_waiting_key_active(alice: Kmsctl, client: KMSClient) -> None:
    later = Attributes(activation_date=int(time.time()) + 10_000)
    key = client.create_symmetric_key(attributes=later)
    assert state_of(client, key) is State.PRE_ACTIVE
    assert alice("sym", "keys", "activate", key).lines == [key]
    assert state_of(client, key) is State.ACTIVE


# --- revoke -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "state", "message"),
    [
        (["KEY"], State.DEACTIVATED, None),
        (["KEY", "no longer needed"], State.DEACTIVATED, "no longer needed"),
        (["--key-id", "KEY", "gone"], State.DEACTIVATED, "gone"),
        (["gone", "-k", "KEY", "-r", "superseded"], State.DEACTIVATED, "gone"),
        (["KEY", "--reason-code", "KEY-COMPROMISE"], State.COMPROMISED, None),
    ],
)
def test_revoke_ends_the_use_with_a_reason(
    alice: Kmsctl, client: KMSClient, key: str, argv: list[str], state: State, message: str | None
) -> None:
    argv = [key if word == "KEY" else word for word in argv]
    assert alice("sym", "keys", "revoke", *argv, "--yes").lines == [key]
    attributes = client.get_attributes(key)
    assert attributes.state is state
    assert attributes.revocation_reason is not None
    assert attributes.revocation_reason.revocation_message == message


def test_what_a_question_was_about_is_what_is_revoked(alice: Kmsctl, client: KMSClient) -> None:
    older, newer = (client.create_symmetric_key(tags=["twins"]) for _ in range(2))
    shown = alice.terminal("sym", "keys", "revoke", "--tag", "twins", answer="y").stdout
    assert newer in shown
    assert (state_of(client, older), state_of(client, newer)) == (
        State.ACTIVE,
        State.DEACTIVATED,
    )


@pytest.mark.parametrize("verb", ["revoke", "destroy", "rekey"])
def test_dangerous_verb_names_the_key_and_does_nothing_unless_told_to(
    alice: Kmsctl, client: KMSClient, verb: str
) -> None:
    name = f"dear-{verb}"
    key = client.create_symmetric_key(name=name)
    argv = ["sym", "keys", verb, name, *(["--revoke-first"] if verb == "destroy" else [])]
    shown = alice.terminal(*argv, answer="n").stdout
    assert f"symmetric key {key} (Name {name}, AES of 256 bits, Active)" in shown
    assert "nothing was done" in shown
    piped = alice(*argv)
    assert piped.code == 2
    assert "add --yes" in piped.stderr
    assert state_of(client, key) is State.ACTIVE
    assert client.locate(name=name) == [key]


# --- destroy ------------------------------------------------------------------------------------


def test_active_key_is_not_destroyed_and_the_error_says_what_mends_it(
    alice: Kmsctl, client: KMSClient, key: str
) -> None:
    outcome = alice("sym", "keys", "destroy", key, "--yes")
    assert outcome.code == 1
    assert f"run kmsctl sym keys revoke {key}, or add --revoke-first" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert state_of(client, key) is State.ACTIVE


def test_destroy_wipes_a_revoked_key_and_keeps_its_attributes(
    alice: Kmsctl, client: KMSClient, key: str
) -> None:
    client.revoke(key)
    assert alice("sym", "keys", "destroy", "-k", key, "--yes").lines == [key]
    assert state_of(client, key) is State.DESTROYED
    outcome = alice("sym", "keys", "export", key, "-", "--allow-revoked")
    assert outcome.code == 1
    assert "it was destroyed" in outcome.stderr


def test_remove_forgets_the_object(alice: Kmsctl, client: KMSClient, key: str) -> None:
    outcome = alice("sym", "keys", "destroy", key, "--revoke-first", "--remove", "--yes")
    assert outcome.lines == [key]
    with pytest.raises(ItemNotFound):
        client.get_attributes(key)


def test_pre_active_key_is_destroyed_without_being_revoked(
    alice: Kmsctl, client: KMSClient
) -> None:
    later = Attributes(activation_date=int(time.time()) + 10_000)
    key = client.create_symmetric_key(attributes=later)
    assert alice("sym", "keys", "destroy", key, "--yes", "--revoke-first").code == 0
    assert state_of(client, key) is State.DESTROYED


# --- rekey --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["rekey", "re-key"])
def test_rekey_puts_a_new_key_under_the_name(alice: Kmsctl, client: KMSClient, verb: str) -> None:
    old = client.create_symmetric_key(name=f"rotated-{verb}")
    (new,) = alice("sym", "keys", verb, f"rotated-{verb}", "--yes").lines
    assert new != old
    assert client.locate(name=f"rotated-{verb}") == [new]


def test_grants_on_the_old_key_do_not_go_over_to_the_new_one(
    alice: Kmsctl, client: KMSClient, key: str
) -> None:
    client.grant(key, BOB, ["decrypt"])
    (new,) = alice("sym", "keys", "rekey", key, "--yes").lines
    assert client.list_grants(new) == []


def test_rekey_of_a_pair_prints_both_new_keys(alice: Kmsctl, client: KMSClient) -> None:
    pair = client.create_key_pair("Ed25519", name="pair-to-rotate")
    outcome = alice("ec", "keys", "rekey", "pair-to-rotate", "--yes", "--json")
    new = json.loads(outcome.stdout)
    assert client.locate(name="pair-to-rotate") == [new["private_key"]]
    assert pair.public_key != new["public_key"]


# --- other people -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["sym", "keys", "activate", "KEY"],
        ["sym", "keys", "revoke", "KEY", "--yes"],
        ["sym", "keys", "destroy", "KEY", "--yes"],
        ["sym", "keys", "destroy", "-t", "hers", "--yes", "--revoke-first"],
        ["sym", "keys", "rekey", "KEY", "--yes"],
        ["sym", "keys", "export", "KEY", "-"],
        ["sym", "keys", "export", "her-name", "-"],
        ["rsa", "keys", "rekey", "KEY", "--yes"],
        ["rsa", "encrypt", "-k", "KEY", "-", "-o", "-"],
        ["rsa", "decrypt", "-k", "KEY", "-", "-o", "-"],
        ["rsa", "sign", "-k", "KEY", "-", "-o", "-"],
    ],
)
def test_what_is_not_yours_is_not_there(bob: Kmsctl, client: KMSClient, argv: list[str]) -> None:
    if not client.locate(name="her-name"):
        client.create_symmetric_key(name="her-name", tags=["hers"])
    (key,) = client.locate(name="her-name")
    for named in (key, "no-such-key"):
        outcome = bob(*(named if word == "KEY" else word for word in argv))
        assert (outcome.code, outcome.output) == (1, b""), outcome.stderr
        assert outcome.stderr.startswith("kmsctl: Item_Not_Found")
        assert len(outcome.stderr.splitlines()) == 1
    assert state_of(client, key) is State.ACTIVE


def test_grantee_of_revoke_alone_revokes_what_may_not_be_looked_at(
    bob: Kmsctl, client: KMSClient, key: str
) -> None:
    client.grant(key, BOB, ["revoke"])
    assert bob("sym", "keys", "revoke", key, "--yes").lines == [key]
    assert state_of(client, key) is State.DEACTIVATED


REFUSED = [
    (["sym", "keys", "revoke", "--yes"], 2, "no key is named"),
    (["sym", "keys", "revoke", "a", "b", "c", "--yes"], 2, "put the reason in quotes"),
    (["sym", "keys", "revoke", "-k", "a", "b", "c", "--yes"], 2, "put the reason in quotes"),
    (["sym", "keys", "revoke", "-k", "a", "-t", "b", "c"], 2, "or by --tag"),
    (["sym", "keys", "revoke", "a", "-r", "boredom"], 2, "'boredom' is not one of"),
    (["sym", "keys", "destroy", "a", "-k", "a"], 2, "named twice"),
    (["sym", "keys", "destroy"], 2, "no key is named"),
    (["sym", "keys", "rekey"], 2, "no key is named"),
    (["certificates", "rekey", "a"], 2, "no such command 'rekey'"),
    (["certificates", "certify", "a"], 2, "no such command 'certify'"),
    (["ec", "encrypt", "a"], 2, "no such command 'encrypt'"),
]


@pytest.mark.parametrize(("argv", "code", "words"), REFUSED)
def test_wrong_usage_is_one_line(alice: Kmsctl, argv: list[str], code: int, words: str) -> None:
    outcome = alice(*argv)
    assert (outcome.code, outcome.output) == (code, b"")
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
