"""What people do with keys on the page: create, share, replace, revoke, destroy; each in a dialog."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.attributes import parse_user_tags
from kms_tornado.kmip.enums import State, WrappingMethod
from kms_tornado.kmip.objects import EncryptionKeyInformation, KeyWrappingSpecification

from .acting import enter, open_action, outcome, show
from .browser import find_violations
from .conftest import ALICE, BOB, Place

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tab: Any, place: Place) -> Any:
    """Alice's, for the whole module."""
    return enter(tab, place, ALICE)


@pytest.fixture(autouse=True)
def nothing_is_complained_of(page: Any) -> Iterator[None]:
    page.complaints.clear()
    yield
    assert page.complaints == []


@pytest.fixture(scope="module")
def bob(place: Place) -> Iterator[KMSClient]:
    with KMSClient(place.url, place.token(BOB)) as client:
        yield client


def named(client: KMSClient, name: str) -> dict[str, str]:
    """A new key, as the functions want it."""
    return {"uid": client.create_symmetric_key(name=name), "name": name}


# --- create ---------------------------------------------------------------------------------------


def test_key_with_nothing_but_a_name_is_an_active_aes_key_of_256_bits(
    page: Any, client: KMSClient
) -> None:
    dialog = open_action(page, "create", "createKey")
    assert find_violations(page) == []
    dialog.get_by_label("Name").fill("invoices")
    dialog.get_by_label("Tags").fill("paper,  paper, 2027")
    dialog.get_by_role("button", name="Create").click()
    attributes = client.get_attributes(outcome(page))
    assert attributes.cryptographic_algorithm.name == "AES"
    assert attributes.cryptographic_length == 256
    assert attributes.state is State.ACTIVE
    assert [name.name_value for name in attributes.names] == ["invoices"]
    assert sorted(parse_user_tags(attributes)) == ["2027", "paper"]


def test_every_kind_is_made(page: Any, client: KMSClient) -> None:
    """But for the one that takes seconds, and is like another."""
    dialog = open_action(page, "create", "createKey")
    kinds = (
        dialog.get_by_label("Kind").locator("option").evaluate_all("all => all.map(o => o.value)")
    )
    page.keyboard.press("Escape")
    assert outcome(page) is None
    kinds.remove("rsa-4096")
    made = []
    for kind in kinds:
        dialog = open_action(page, "create", "createKey")
        dialog.get_by_label("Kind").select_option(kind)
        dialog.get_by_label("Name").fill(kind)
        dialog.get_by_role("button", name="Create").click()
        made.append(client.get_attributes(outcome(page)))
    assert [attributes.state for attributes in made] == [State.ACTIVE] * len(kinds)
    assert [attributes.names[0].name_value for attributes in made] == kinds


def test_key_with_a_date_to_come_is_not_used_before_it(page: Any, client: KMSClient) -> None:
    dialog = open_action(page, "create", "createKey")
    dialog.get_by_text("Dates and limits").click()
    dialog.get_by_label("Used from").fill("2035-01-01T00:00")
    dialog.get_by_label("Used until").fill("2036-01-01T00:00")
    dialog.get_by_label("It never leaves the server in the clear").check()
    assert find_violations(page) == []
    dialog.get_by_role("button", name="Create").click()
    attributes = client.get_attributes(outcome(page))
    assert attributes.state is State.PRE_ACTIVE
    assert attributes.deactivation_date is not None
    assert attributes.sensitive is True


def test_refusal_is_shown_and_the_form_stays_as_it_was_filled_in(page: Any) -> None:
    dialog = open_action(page, "create", "createKey")
    dialog.get_by_label("Name").fill("backwards")
    dialog.get_by_text("Dates and limits").click()
    dialog.get_by_label("Used from").fill("2036-01-01T00:00")
    dialog.get_by_label("Used until").fill("2035-01-01T00:00")
    dialog.get_by_role("button", name="Create").click()
    dialog.get_by_role("alert").wait_for()
    assert dialog.get_by_label("Name").input_value() == "backwards"
    dialog.get_by_role("button", name="Cancel").click()
    assert outcome(page) is None


# --- share ----------------------------------------------------------------------------------------


def test_shared_key_is_used_and_no_more_once_the_right_is_taken_back(
    page: Any, client: KMSClient, bob: KMSClient
) -> None:
    key = named(client, "for bob")
    sealed = client.encrypt(key["uid"], b"data")
    dialog = open_action(page, "sharing", "shareKey", key)
    assert find_violations(page) == []
    dialog.get_by_label("With whom").fill(BOB)
    dialog.get_by_role("button", name="Share").click()
    assert outcome(page) is True
    assert bob.decrypt(key["uid"], sealed) == b"data"
    dialog = open_action(
        page, "sharing", "withdraw", {**key, "user": BOB, "operations": ["decrypt"]}
    )
    assert find_violations(page) == []
    assert BOB in dialog.inner_text()
    dialog.get_by_role("button", name="Take back").click()
    assert outcome(page) is True
    with pytest.raises(KMIPError):
        bob.decrypt(key["uid"], sealed)


def test_who_does_not_own_the_key_is_told_so(page: Any, bob: KMSClient) -> None:
    key = named(bob, "bob's")
    dialog = open_action(page, "sharing", "shareKey", key)
    dialog.get_by_label("With whom").fill(ALICE)
    dialog.get_by_role("button", name="Share").click()
    assert "nobody has granted it to you" in dialog.get_by_role("alert").inner_text()
    page.keyboard.press("Escape")
    assert outcome(page) is None


def test_everybody_is_asked_about(page: Any, client: KMSClient) -> None:
    dialog = open_action(page, "sharing", "shareKey", named(client, "for all"))
    dialog.get_by_label("With whom").fill("*")
    assert "Everybody who can sign in" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert outcome(page) is None


# --- replace --------------------------------------------------------------------------------------


def test_replaced_key_hands_on_its_name_and_its_rights(
    page: Any, client: KMSClient, bob: KMSClient
) -> None:
    key = named(client, "replaced")
    client.grant(key["uid"], BOB, ["encrypt", "decrypt"])
    dialog = open_action(page, "rekey", "rekey", key)
    dialog.get_by_text(BOB).wait_for()
    assert find_violations(page) == []
    dialog.get_by_role("button", name="Replace").click()
    made = outcome(page)
    assert client.get_attributes(made).names[0].name_value == "replaced"
    assert bob.encrypt(made, b"data").data


def test_pair_is_replaced_as_one(page: Any, client: KMSClient) -> None:
    pair = client.create_key_pair("EC", name="pair")
    dialog = open_action(page, "rekey", "rekey", {"uid": pair.private_key, "name": "pair"})
    dialog.get_by_role("button", name="Replace").click()
    assert client.get_attributes(outcome(page)).names[0].name_value == "pair"


# --- revoke and destroy ---------------------------------------------------------------------------


def test_revoke_says_before_who_loses_what(page: Any, client: KMSClient, bob: KMSClient) -> None:
    key = named(client, "in use")
    client.grant(key["uid"], BOB, ["encrypt"])
    bob.encrypt(key["uid"], b"data")
    wait_for_record(client, key["uid"], "Encrypt")
    dialog = open_action(page, "ending", "revokeKey", key)
    known = dialog.get_by_role("list", name="What is known about its use")
    known.wait_for()
    assert f"Others lose what they may do: {BOB} (encrypt)." in known.inner_text()
    assert f"by {BOB} (Encrypt)" in known.inner_text()
    assert find_violations(page) == []
    dialog.get_by_label("Why").select_option("KeyCompromise")
    dialog.get_by_label("In your words").fill("a laptop was stolen")
    dialog.get_by_role("button", name="Revoke").click()
    assert outcome(page) is True
    attributes = client.get_attributes(key["uid"])
    assert attributes.state is State.COMPROMISED
    assert attributes.revocation_reason.revocation_message == "a laptop was stolen"


def test_key_that_is_not_active_is_reported_as_compromised_and_nothing_else(
    page: Any, client: KMSClient
) -> None:
    key = named(client, "gone")
    client.revoke(key["uid"])
    dialog = open_action(page, "ending", "revokeKey", {**key, "state": "Deactivated"})
    assert dialog.get_by_label("Why").locator("option").count() == 1
    dialog.get_by_role("button", name="Report").click()
    assert outcome(page) is True
    assert client.get_attributes(key["uid"]).state is State.COMPROMISED


def test_destroy_wants_the_name_typed_and_names_what_is_lost(page: Any, client: KMSClient) -> None:
    key = named(client, "lost")
    inner = client.create_symmetric_key(name="wrapped by it")
    wrapping = KeyWrappingSpecification(
        WrappingMethod.ENCRYPT, EncryptionKeyInformation(key["uid"])
    )
    client.export(inner, wrapping=wrapping)
    wait_for_record(client, key["uid"], "Export")
    dialog = open_action(page, "ending", "destroyKey", key)
    dialog.get_by_role("list", name="What is known about its use").wait_for()
    assert inner in dialog.inner_text()
    assert "Everything that was encrypted with it is lost" in dialog.inner_text()
    assert find_violations(page) == []
    assert "Its public key" not in dialog.inner_text()
    button = dialog.get_by_role("button", name="Destroy for ever")
    dialog.get_by_label("Type lost to confirm").fill("los")
    assert button.is_disabled()
    page.keyboard.press("Enter")
    assert client.get_attributes(key["uid"]).state is State.ACTIVE
    dialog.get_by_label("Type lost to confirm").fill("lost")
    button.click()
    assert outcome(page) is True
    assert client.get_attributes(key["uid"]).state is State.DESTROYED


def test_private_key_that_is_destroyed_leaves_a_public_one_that_is_named(
    page: Any, client: KMSClient
) -> None:
    pair = client.create_key_pair("RSA", 2048, name="half")
    dialog = open_action(page, "ending", "destroyKey", {"uid": pair.private_key, "name": "half"})
    known = dialog.get_by_role("list", name="What is known about its use")
    known.wait_for()
    assert "Its public key goes on encrypting" in known.inner_text()
    assert pair.public_key in known.inner_text()
    dialog.get_by_label("Type half to confirm").fill(pair.private_key)
    dialog.get_by_role("button", name="Destroy for ever").click()
    assert outcome(page) is True
    assert client.get_attributes(pair.private_key).state is State.DESTROYED


# --- dialogs --------------------------------------------------------------------------------------


def test_dialog_keeps_the_focus_and_gives_it_back(page: Any, client: KMSClient) -> None:
    opener = page.get_by_role("button", name="Sign out")
    opener.focus()
    dialog = open_action(page, "ending", "destroyKey", named(client, "kept"))
    dialog.get_by_role("list", name="What is known about its use").wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    assert outcome(page) is None
    assert opener.evaluate("one => one === document.activeElement")


def test_dialog_has_the_keyboard_as_soon_as_it_is_there(page: Any) -> None:
    assert page.evaluate(
        """async () => {
            const base = document.querySelector('script[type="module"]').src.replace("main.js", "");
            const { createKey } = await import(`${base}actions/create.js`);
            createKey();
            return document.activeElement.closest("dialog") !== null;
        }"""
    )
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")


def test_key_is_made_by_the_keyboard_alone(page: Any, client: KMSClient) -> None:
    page.evaluate("() => { location.hash = '#/keys'; }")
    opener = page.get_by_role("button", name="Create a key").first
    opener.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Tab")  # from the kind to the name
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="typed").wait_for()
    uid = page.url.rpartition("/")[2]
    assert client.get_attributes(uid).state is State.ACTIVE


def test_names_are_text_and_nothing_else(page: Any, client: KMSClient, place: Place) -> None:
    page.evaluate("() => { window.alert = () => { window.isHacked = true; }; }")
    dialog = open_action(page, "create", "createKey")
    dialog.get_by_label("Name").fill(HOSTILE)
    dialog.get_by_label("Tags").fill(HOSTILE)
    dialog.get_by_role("button", name="Create").click()
    key = {"uid": outcome(page), "name": HOSTILE}
    dialog = open_action(page, "sharing", "shareKey", key)
    assert dialog.get_by_role("heading").inner_text() == f"Share {quoted(HOSTILE)}"
    dialog.get_by_label("With whom").fill(HOSTILE)
    dialog.get_by_label("Encrypt").check()
    dialog.get_by_role("button", name="Share").click()
    assert outcome(page) is True
    with KMSClient(place.url, place.token(HOSTILE)) as stranger:
        stranger.encrypt(key["uid"], b"data")
    wait_for_record(client, key["uid"], "Encrypt")
    dialog = open_action(page, "ending", "revokeKey", key)
    known = dialog.get_by_role("list", name="What is known about its use")
    known.wait_for()
    assert known.inner_text().count(HOSTILE) == 2
    dialog.get_by_label("In your words").fill(HOSTILE)
    dialog.get_by_role("button", name="Revoke").click()
    assert outcome(page) is True
    dialog = open_action(page, "ending", "destroyKey", key)
    dialog.get_by_label(f"Type {HOSTILE} to confirm").fill(HOSTILE)
    dialog.get_by_role("button", name="Destroy for ever").click()
    assert outcome(page) is True
    page.get_by_text(f"{quoted(HOSTILE)} was destroyed.").wait_for()
    for view in (f"keys/{key['uid']}", "keys", "audit", "access", "attention", ""):
        show(page, view)
        assert page.locator("img").count() == 0
    assert page.evaluate("window.isHacked ?? false") is False


def quoted(name: str) -> str:
    """As the page has a name within a sentence: in isolates."""
    return f"“\u2068{name}\u2069”"


def wait_for_record(client: KMSClient, uid: str, operation: str) -> None:
    """The audit tells of a use a moment after it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if any(record["operation"] == operation for record in client.read_audit(uid=uid).records):
            return
        time.sleep(0.1)
    raise AssertionError("the use is not recorded")
