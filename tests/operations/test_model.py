"""Any order of operations of two users, against a model of a few lines (Hypothesis)."""

from __future__ import annotations

from dataclasses import dataclass, field

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

from ..kmip_items import Sealed, import_items, name, number, octets, tagged, text, uid
from ..kms import KMS

ALIVE = ("Active", "Deactivated", "Compromised")
USERS = st.integers(0, 1)
RIGHTS = st.sets(
    st.sampled_from(["get", "encrypt", "decrypt", "revoke", "destroy", "get_attributes"]),
    min_size=1,
)
COVERED_BY_GET = {"encrypt", "decrypt", "get_attributes"}
TAGS = st.sets(st.sampled_from(["a", "b"]))


@dataclass
class Key:
    owner: int
    state: str
    material: bytes
    tags: frozenset[str]
    granted: set[str] = field(default_factory=set)  # to the other user

    def is_for(self, user: int, right: str) -> bool:
        enough = {right, "get"} if right in COVERED_BY_GET else {right}
        return self.owner == user or bool(enough & self.granted)

    def is_found_by(self, user: int) -> bool:
        return self.owner == user or bool(self.granted)


def machine(kms: KMS) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        uids = Bundle("uids")
        sealed = Bundle("sealed")

        @initialize()
        def begin(self) -> None:
            self.users = [kms.user(), kms.user()]
            self.model: dict[str, Key] = {}
            #: Identifier of an object that was removed → whose it stays.
            self.removed: dict[str, int] = {}

        def teardown(self) -> None:
            for user in getattr(self, "users", []):
                user.close()

        def usable(self, user: int, wanted: str, right: str) -> Key | None:
            key = self.model.get(wanted)
            return key if key is not None and key.is_for(user, right) else None

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
            is_taken = known is not None and not (replace and known.owner == user)
            if is_taken or self.removed.get(wanted, user) != user:
                self.refused(user, "Object_Already_Exists", "Import", *items)
                return
            assert self.users[user].do("Import", *items).uid == wanted
            self.removed.pop(wanted, None)
            granted = known.granted if known is not None else set()
            self.model[wanted] = Key(user, "Active", bytes([fill] * 32), frozenset(tags), granted)

        @rule(wanted=uids, user=USERS, rights=RIGHTS, withdrawn=st.booleans())
        def change_access(self, wanted, user, rights, withdrawn):
            key = self.model.get(wanted)
            other = self.users[1 - user]
            if key is None or key.owner != user:
                body = {
                    "unique_identifier": wanted,
                    "user_id": other.name,
                    "operation_types": [*rights],
                }
                answer = self.users[user].change_access("revoke" if withdrawn else "grant", body)
                assert answer.text.startswith("Item_Not_Found: ")
            elif withdrawn:
                self.users[user].withdraw(wanted, other, *rights)
                key.granted -= rights
            else:
                self.users[user].grant(wanted, other, *rights)
                key.granted |= rights

        @rule(user=USERS)
        def listings(self, user):
            mine = {wanted: key for wanted, key in self.model.items() if key.owner == user}
            owned = {each["object_id"]: each for each in self.users[user].listed("owned")}
            assert {wanted: each["state"] for wanted, each in owned.items()} == {
                wanted: key.state for wanted, key in mine.items()
            }
            for wanted, key in mine.items():
                expected = {self.users[1 - user].name: sorted(key.granted)} if key.granted else {}
                assert self.users[user].grants_on(wanted) == expected
            obtained = self.users[1 - user].listed("obtained")
            assert {each["object_id"]: each["operations"] for each in obtained} == {
                wanted: sorted(key.granted) for wanted, key in mine.items() if key.granted
            }

        @rule(wanted=uids, user=USERS, compromised=st.booleans())
        def revoke(self, wanted, user, compromised):
            reason = number("RevocationReason", 2) if compromised else text("RevocationReason", "")
            key = self.usable(user, wanted, "revoke")
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
            key = self.usable(user, wanted, "destroy")
            if key is None:
                self.refused(user, "Item_Not_Found", "Destroy", uid(wanted))
            elif key.state == "Active":
                self.refused(user, "Wrong_Key_Lifecycle_State", "Destroy", uid(wanted))
            else:
                self.users[user].destroy(wanted, remove=remove)
                if remove:
                    del self.model[wanted]
                    self.removed[wanted] = key.owner
                elif key.state == "Deactivated":
                    key.state = "Destroyed"
                elif key.state == "Compromised":
                    key.state = "Destroyed_Compromised"

        @rule(target=sealed, wanted=uids, user=USERS)
        def encrypt(self, wanted, user):
            key = self.usable(user, wanted, "encrypt")
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
            key = self.usable(user, box.uid, "decrypt")
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
            key = self.usable(user, wanted, "get")
            if key is None:
                self.refused(user, "Item_Not_Found", "Get", uid(wanted))
            elif key.state not in ALIVE:
                self.refused(user, "Object_Destroyed", "Get", uid(wanted))
            else:
                assert self.users[user].key_of(wanted) == key.material
            key = self.usable(user, wanted, "get_attributes")
            if key is None:
                self.refused(user, "Item_Not_Found", "GetAttributes", uid(wanted))
            else:
                assert self.users[user].state_of(wanted) == key.state

        @rule(user=USERS, tags=TAGS, state=st.sampled_from([None, *ALIVE, "Destroyed"]))
        def locate(self, user, tags, state):
            wanted = [tagged(*tags)] if tags else []
            if state:
                wanted.append(name("State", state))
            expected = {
                each
                for each, key in self.model.items()
                if key.is_found_by(user) and tags <= key.tags
                if (key.state == state if state else key.state in ALIVE)
                if key.is_for(user, "get_attributes") or not state  # whose state they may know
            }
            total, found = self.users[user].locate(*wanted)
            assert (total, set(found)) == (len(expected), expected)

        @invariant()
        def tag_list_means_an_own_key_or_else_one_that_was_granted(self):
            for user in range(2):
                tagged_a = {k: v for k, v in getattr(self, "model", {}).items() if "a" in v.tags}
                own = {each for each, key in tagged_a.items() if key.owner == user}
                granted = {each for each, key in tagged_a.items() if key.is_for(user, "encrypt")}
                active = {
                    each for each in own or granted if tagged_a[each].state == "Active"
                }  # fmt: skip
                if active:
                    assert self.users[user].encrypt(["a"], b"").uid in active
                elif tagged_a:
                    self.users[user].refused("Encrypt", uid(["a"]), octets("Data", b""))

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
