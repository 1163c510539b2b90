"""Any order of operations of two users, against a model of a few lines (Hypothesis)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ..kms import KMS, Sealed, import_items, name, number, octets, tagged, text, uid

ALIVE = ("Active", "Deactivated", "Compromised")
USERS = st.integers(0, 1)
TAGS = st.sets(st.sampled_from(["a", "b"]))


@dataclass
class Key:
    owner: int
    state: str
    material: bytes
    tags: frozenset[str]


def machine(kms: KMS) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        uids = Bundle("uids")
        sealed = Bundle("sealed")

        @initialize()
        def begin(self) -> None:
            self.users = [kms.user(), kms.user()]
            self.model: dict[str, Key] = {}

        def teardown(self) -> None:
            for user in getattr(self, "users", []):
                user.close()

        def usable(self, user: int, wanted: str) -> Key | None:
            key = self.model.get(wanted)
            return key if key is not None and key.owner == user else None

        def refused(self, user: int, reason: str, operation: str, *items: dict) -> None:
            line = self.users[user].refused(operation, *items)
            assert line.startswith(f"{reason}: "), line

        @rule(target=uids, user=USERS, tags=TAGS)
        def create(self, user, tags):
            wanted = self.users[user].create(tags=sorted(tags))
            material = self.users[user].key_of(wanted)
            self.model[wanted] = Key(user, "Active", material, frozenset(tags))
            return wanted

        @rule(wanted=uids, user=USERS, fill=st.integers(0, 255), replace=st.booleans(), tags=TAGS)
        def import_over(self, wanted, user, fill, replace, tags):
            items = import_items(wanted, bytes([fill] * 32), tagged(*tags), replace=replace)
            known = self.model.get(wanted)
            if known is not None and not (replace and known.owner == user):
                self.refused(user, "Object_Already_Exists", "Import", *items)
                return
            assert self.users[user].do("Import", *items).uid == wanted
            self.model[wanted] = Key(user, "Active", bytes([fill] * 32), frozenset(tags))

        @rule(wanted=uids, user=USERS, compromised=st.booleans())
        def revoke(self, wanted, user, compromised):
            reason = number("RevocationReason", 2) if compromised else text("RevocationReason", "")
            key = self.usable(user, wanted)
            if key is None:
                self.refused(user, "Item_Not_Found", "Revoke", uid(wanted), reason)
                return
            assert self.users[user].revoke(wanted, reason) == wanted
            if compromised:
                gone = key.state.startswith("Destroyed")
                key.state = "Destroyed_Compromised" if gone else "Compromised"
            elif key.state == "Active":
                key.state = "Deactivated"

        @rule(wanted=uids, user=USERS, remove=st.booleans())
        def destroy(self, wanted, user, remove):
            key = self.usable(user, wanted)
            if key is None:
                self.refused(user, "Item_Not_Found", "Destroy", uid(wanted))
            elif key.state == "Active":
                self.refused(user, "Wrong_Key_Lifecycle_State", "Destroy", uid(wanted))
            else:
                self.users[user].destroy(wanted, remove=remove)
                if remove:
                    del self.model[wanted]
                elif key.state == "Deactivated":
                    key.state = "Destroyed"
                elif key.state == "Compromised":
                    key.state = "Destroyed_Compromised"

        @rule(target=sealed, wanted=uids, user=USERS)
        def encrypt(self, wanted, user):
            key = self.usable(user, wanted)
            if key is not None and key.state == "Active":
                return self.users[user].encrypt(wanted, b"data"), key.material
            reason = "Item_Not_Found"
            if key is not None:
                reason = "Wrong_Key_Lifecycle_State" if key.state in ALIVE else "Object_Destroyed"
            self.refused(user, reason, "Encrypt", uid(wanted), octets("Data", b"data"))
            return Sealed(wanted, b"", bytes(12), bytes(16)), b""

        @rule(held=sealed, user=USERS)
        def decrypt(self, held, user):
            box, material = held
            key = self.usable(user, box.uid)
            if key is None:
                self.refused(user, "Item_Not_Found", "Decrypt", uid(box.uid), *box.items())
            elif key.state not in ALIVE:
                self.refused(user, "Object_Destroyed", "Decrypt", uid(box.uid), *box.items())
            elif key.material != material:
                self.refused(user, "Cryptographic_Failure", "Decrypt", uid(box.uid), *box.items())
            else:
                assert self.users[user].decrypt(box.uid, box) == b"data"

        @rule(wanted=uids, user=USERS)
        def get(self, wanted, user):
            key = self.usable(user, wanted)
            if key is None:
                self.refused(user, "Item_Not_Found", "Get", uid(wanted))
            elif key.state not in ALIVE:
                self.refused(user, "Object_Destroyed", "Get", uid(wanted))
            else:
                assert self.users[user].key_of(wanted) == key.material
            if key is not None:
                assert self.users[user].state_of(wanted) == key.state

        @rule(user=USERS, tags=TAGS, state=st.sampled_from([None, *ALIVE, "Destroyed"]))
        def locate(self, user, tags, state):
            wanted = [tagged(*tags)] if tags else []
            if state:
                wanted.append(name("State", state))
            expected = {
                each
                for each, key in self.model.items()
                if key.owner == user and tags <= key.tags
                if (key.state == state if state else key.state in ALIVE)
            }
            total, found = self.users[user].locate(*wanted)
            assert (total, set(found)) == (len(expected), expected)

        @invariant()
        def tag_list_means_an_active_key_of_the_caller_or_none(self):
            for user in range(2):
                active = {
                    each
                    for each, key in getattr(self, "model", {}).items()
                    if key.owner == user and key.state == "Active" and "a" in key.tags
                }
                if active:
                    assert self.users[user].encrypt(["a"], b"").uid in active

    return Machine


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_any_order_of_operations_agrees_with_the_model(kms):
    run_state_machine_as_test(
        machine(kms),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
