"""Revoke, Destroy and what each state allows, as a user meets it (docs/dialects.md, "Life cycle")."""

from __future__ import annotations

import pytest

from ..kmip_items import flag, import_items, name, number, octets, structure, text, uid
from ..rows import each_row

ROTATED = text("RevocationReason", "rotated")
COMPROMISED = number("RevocationReason", 2)

#: State → how a new key gets there.
WAYS = {
    "Active": (),
    "Deactivated": (("Revoke", ROTATED),),
    "Compromised": (("Revoke", COMPROMISED),),
    "Destroyed": (("Revoke", ROTATED), ("Destroy",)),
    "Destroyed_Compromised": (("Revoke", COMPROMISED), ("Destroy",)),
}

GONE = "Object_Destroyed"
WRONG = "Wrong_Key_Lifecycle_State"

#: §10's table: (state, what is done) → the state afterwards, or the reason of the refusal.
TABLE = {
    "encrypt": {"Active": None, "Deactivated": WRONG, "Compromised": WRONG,
                "Destroyed": GONE, "Destroyed_Compromised": GONE},
    "decrypt": {"Active": None, "Deactivated": None, "Compromised": None,
                "Destroyed": GONE, "Destroyed_Compromised": GONE},
    "get": {"Active": None, "Deactivated": None, "Compromised": None,
            "Destroyed": GONE, "Destroyed_Compromised": GONE},
    "export": dict.fromkeys(WAYS),
    "get attributes": dict.fromkeys(WAYS),
    "revoke": {"Active": "Deactivated", "Deactivated": None, "Compromised": None,
               "Destroyed": None, "Destroyed_Compromised": None},
    "compromise": {"Active": "Compromised", "Deactivated": "Compromised", "Compromised": None,
                   "Destroyed": "Destroyed_Compromised", "Destroyed_Compromised": None},
    "destroy": {"Active": WRONG, "Deactivated": "Destroyed", "Compromised": "Destroyed_Compromised",
                "Destroyed": None, "Destroyed_Compromised": None},
    "remove": {"Active": WRONG, "Deactivated": "nothing", "Compromised": "nothing",
               "Destroyed": "nothing", "Destroyed_Compromised": "nothing"},
}  # fmt: skip

ROWS = [
    pytest.param(deed, state, outcome, id=f"{deed}-{state}")
    for deed, row in TABLE.items()
    for state, outcome in row.items()
]


def brought_to(user, state):
    """A key in that state, and what was encrypted with it before."""
    key = user.create(tags=["t"])
    sealed = user.encrypt(key, b"data")
    for operation, *items in WAYS[state]:
        user.do(operation, uid(key), *items)
    return key, sealed


@pytest.mark.parametrize(("deed", "state", "outcome"), ROWS)
def test_state_decides(alice, deed, state, outcome):
    key, sealed = brought_to(alice, state)
    assert alice.state_of(key) == state
    requests = {
        "encrypt": ("Encrypt", octets("Data", b"")),
        "decrypt": ("Decrypt", *sealed.items()),
        "get": ("Get",),
        "export": ("Export",),
        "get attributes": ("GetAttributes",),
        "revoke": ("Revoke", ROTATED),
        "compromise": ("Revoke", COMPROMISED),
        "destroy": ("Destroy",),
        "remove": ("Destroy", flag("Remove", True)),
    }
    operation, *items = requests[deed]
    if outcome in {WRONG, GONE}:
        line = alice.refused(operation, uid(key), *items)
        assert line.startswith(f"{outcome}: ")
        assert alice.state_of(key) == state
        return
    for _ in range(2 if deed != "remove" else 1):  # again: no effect, the same answer
        if deed != "remove" or outcome:
            assert alice.do(operation, uid(key), *items).uid == key
    if outcome == "nothing":
        assert alice.refused("GetAttributes", uid(key)).startswith("Item_Not_Found: ")
        assert alice.locate(name("State", state)) == (0, [])
    else:
        assert alice.state_of(key) == (outcome or state)


@pytest.mark.parametrize("state", WAYS)
def test_only_what_is_not_destroyed_is_located_unless_asked_for(alice, state):
    key, _ = brought_to(alice, state)
    alive = not state.startswith("Destroyed")
    assert alice.locate() == ((1, [key]) if alive else (0, []))
    for each in WAYS:
        assert alice.locate(name("State", each)) == ((1, [key]) if each == state else (0, []))


@pytest.mark.parametrize("state", ["Destroyed", "Destroyed_Compromised"])
def test_destroyed_key_keeps_its_record_and_no_bytes(alice, state):
    key, _ = brought_to(alice, state)
    found = alice.do("Export", uid(key))
    assert found.get("Object") is None
    assert found["ObjectType"] == "SymmetricKey"
    for answer in (found, alice.do("GetAttributes", uid(key))):
        assert answer["Attributes", "State"] == state
        assert answer["Attributes", "CryptographicLength"] == 256
        assert answer["Attributes", "DestroyDate"]
        assert answer.tags("Attributes") == ["t"]


@each_row(
    ("reason", "state", "code", "message"),
    [
        pytest.param(None, "Deactivated", "Unspecified", None, id="none"),
        pytest.param(ROTATED, "Deactivated", "Unspecified", "rotated", id="text"),
        pytest.param(
            text("RevocationReason", ""), "Deactivated", "Unspecified", "", id="empty text"
        ),
        pytest.param(
            text("RevocationReason", "KeyCompromise"),
            "Deactivated", "Unspecified", "KeyCompromise", id="a text that sounds like a reason",
        ),
        *(
            pytest.param(
                number("RevocationReason", code),
                "Compromised" if code in {2, 3} else "Deactivated", spelling, None, id=f"{code}",
            )
            for code, spelling in enumerate(
                ["Unspecified", "KeyCompromise", "CACompromise", "AffiliationChanged",
                 "Superseded", "CessationOfOperation", "PrivilegeWithdrawn"], 1,
            )
        ),
        pytest.param(
            name("RevocationReason", "KeyCompromise"), "Compromised", "KeyCompromise", None,
            id="enumeration",
        ),
        pytest.param(
            structure(
                "RevocationReason",
                name("RevocationReasonCode", "Superseded"),
                text("RevocationMessage", "by another"),
            ),
            "Deactivated", "Superseded", "by another", id="KMIP's structure",
        ),
        pytest.param(
            structure("RevocationReason", name("RevocationReasonCode", 3)),
            "Compromised", "CACompromise", None, id="structure with a code alone",
        ),
    ],
)  # fmt: skip
def test_reason_decides_and_is_kept(alice, reason, state, code, message):
    key = alice.create()
    alice.do("Revoke", uid(key), *([reason] if reason else []))
    found = alice.do("GetAttributes", uid(key))
    assert found["Attributes", "State"] == state
    assert found["Attributes", "RevocationReason", "RevocationReasonCode"] == code
    assert found.get("Attributes", "RevocationReason", "RevocationMessage") == message
    date = "CompromiseDate" if state == "Compromised" else "DeactivationDate"
    assert found["Attributes", date]


@each_row(
    "items",
    [
        pytest.param([number("RevocationReason", 0)], id="reason 0"),
        pytest.param([number("RevocationReason", 8)], id="reason 8"),
        pytest.param([number("RevocationReason", -1)], id="reason -1"),
        pytest.param([name("RevocationReason", "Boredom")], id="unknown reason"),
        pytest.param([flag("RevocationReason", True)], id="boolean"),
        pytest.param([octets("RevocationReason", b"x")], id="bytes"),
        pytest.param(
            [
                ROTATED,
                {"tag": "CompromiseOccurrenceDate", "type": "DateTime", "value": "0x" + 16 * "0"},
            ],
            id="date of a compromise that is none",
        ),
        pytest.param(
            [
                COMPROMISED,
                {
                    "tag": "CompromiseOccurrenceDate",
                    "type": "DateTime",
                    "value": "2999-01-01T00:00:00Z",
                },
            ],
            id="compromise to come",
        ),
    ],
)
def test_revocation_with_nonsense_is_refused_and_changes_nothing(alice, items):
    key = alice.create()
    assert alice.refused("Revoke", uid(key), *items).startswith("Invalid_Field: ")
    assert alice.state_of(key) == "Active"


def test_revocation_with_two_reasons_is_refused_and_changes_nothing(alice):
    key = alice.create()
    line = alice.refused("Revoke", uid(key), ROTATED, ROTATED)
    assert line == "Invalid_Message: RevocationReason is given twice in Revoke"
    assert alice.state_of(key) == "Active"


def test_date_of_a_compromise_is_kept(alice):
    key = alice.create()
    when = {
        "tag": "CompromiseOccurrenceDate",
        "type": "DateTime",
        "value": "2026-01-02T03:04:05+01:00",
    }
    alice.do("Revoke", uid(key), COMPROMISED, when)
    found = alice.do("GetAttributes", uid(key))
    assert found["Attributes", "CompromiseOccurrenceDate"] == "2026-01-02T02:04:05+00:00"


def test_first_reason_stays_when_revoked_again(alice):
    key = alice.create()
    alice.revoke(key, text("RevocationReason", "first"))
    alice.revoke(key, text("RevocationReason", "second"))
    found = alice.do("GetAttributes", uid(key))
    assert found["Attributes", "RevocationReason", "RevocationMessage"] == "first"


def test_refusal_to_destroy_says_what_to_do_first(alice):
    line = alice.refused("Destroy", uid(alice.create()))
    assert line == "Wrong_Key_Lifecycle_State: the object is Active: revoke it first"


def test_removed_key_is_as_if_it_had_never_been(alice):
    key = alice.create(tags=["t"])
    never = alice.refused("Get", uid("0" * len(key))).replace("0" * len(key), "…")
    alice.revoke(key)
    alice.destroy(key, remove=True)
    for operation in ("Get", "Export", "GetAttributes", "Revoke", "Destroy"):
        assert alice.refused(operation, uid(key)).replace(key, "…") == never
    assert alice.refused("Destroy", uid(key), flag("Remove", True)).replace(key, "…") == never
    alice.import_key(key, bytes(16))
    assert alice.key_of(key) == bytes(16)


def test_destroyed_identifier_stays_taken_until_its_owner_replaces_it(alice, bob):
    key = alice.create()
    alice.revoke(key)
    alice.destroy(key)
    for user, replace in ((alice, False), (bob, False), (bob, True)):
        line = user.refused("Import", *import_items(key, bytes(16), replace=replace))
        assert line.startswith("Object_Already_Exists: ")
    alice.import_key(key, bytes(16), replace=True)
    assert alice.state_of(key) == "Active"


def test_destroy_without_remove_is_destroy(alice):
    key = alice.create()
    alice.revoke(key)
    alice.do("Destroy", uid(key), flag("Remove", False))
    assert alice.state_of(key) == "Destroyed"
