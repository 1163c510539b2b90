"""LifePlay: the state of keys, their attributes, and the keys that replace them."""

from __future__ import annotations

from typing import Any

from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import Operation, RevocationReasonCode, State
from kms_tornado.kmip.payloads import (
    ActivateRequest,
    AddAttributeRequest,
    AttributeReference,
    DeleteAttributeRequest,
    DestroyRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    ReKeyRequest,
    RevokeRequest,
    SetAttributeRequest,
)
from kms_tornado.kmip.structures import RevocationReason

from .model import (
    ALIVE,
    DATES,
    OWNERS_ALONE,
    Key,
    Overreach,
    check_as_protected,
    visible_attributes,
)
from .play import Play

Op, S = Operation, State

CHANGES = {
    "add": (Op.ADD_ATTRIBUTE, AddAttributeRequest),
    "set": (Op.SET_ATTRIBUTE, SetAttributeRequest),
    "modify": (Op.MODIFY_ATTRIBUTE, ModifyAttributeRequest),
}


class LifePlay(Play):
    def re_key(
        self, user: str, uid: str, attributes: Attributes, offset: int | None = None
    ) -> str | None:
        outcome = self.act(user, Op.RE_KEY, ReKeyRequest(uid, offset, attributes))
        if not outcome.is_done:
            return None
        self.see(user, outcome, "ReKey")
        old = self.keys[uid]
        old.check_right(user, Op.RE_KEY)
        if old.state not in ALIVE:
            raise Overreach(f"{user} replaced {uid}, which is {old.state.name}")
        new = self.adopt(old.owner, outcome.response.unique_identifier)
        names = old.attributes.names
        old.set(names=())
        self._check_replacement(user, old, new, names)
        return new.uid

    def _check_replacement(self, user: str, old: Key, new: Key, names: tuple[Any, ...]) -> None:
        if new.owner != old.owner:
            raise Overreach(f"{user} has {old.owner}'s key replaced by one of {new.owner}'s")
        check_as_protected(user, new, old)
        fixed = ["cryptographic_usage_mask"]
        if user != old.owner:
            fixed += ["cryptographic_parameters", "object_groups"]
            if new.tags != old.tags or new.attributes.names != names:
                raise Overreach(f"{user} chose tags or a Name for {new.owner}'s {new.uid}")
            if new.total != old.total:
                raise Overreach(f"{user} replaced {old.uid}, and its limit")
        for name in fixed:
            before, after = getattr(old.attributes, name), getattr(new.attributes, name)
            if before != after:
                raise Overreach(f"{user} replaced {old.uid}, and its {name}: {before} → {after}")

    # --- life -----------------------------------------------------------------------------------

    def activate(self, user: str, uid: str) -> bool:
        outcome = self.act(user, Op.ACTIVATE, ActivateRequest(uid))
        if not outcome.is_done:
            return False
        key = self.keys[uid]
        key.check_right(user, Op.ACTIVATE)
        if key.state is not S.PRE_ACTIVE:
            raise Overreach(f"{user} activated {uid}, which was {key.state.name}")
        key.set(activation_date=self.now)
        key.settle(self.now)
        return True

    def revoke(self, user: str, uid: str, *, compromised: bool = False) -> bool:
        code = RevocationReasonCode.KEY_COMPROMISE if compromised else None
        reason = RevocationReason(code or RevocationReasonCode.SUPERSEDED)
        if not self.act(user, Op.REVOKE, RevokeRequest(uid, reason)).is_done:
            return False
        key = self.keys[uid]
        key.check_right(user, Op.REVOKE)
        if compromised:
            key.state = S.COMPROMISED if key.state in ALIVE else S.DESTROYED_COMPROMISED
        elif key.state is S.ACTIVE:
            key.state = S.DEACTIVATED
            key.set(deactivation_date=self.now)
        return True

    def destroy(self, user: str, uid: str, *, remove: bool = False) -> bool:
        if not self.act(user, Op.DESTROY, DestroyRequest(uid, remove)).is_done:
            return False
        key = self.keys[uid]
        key.check_right(user, Op.DESTROY)
        if key.state is S.ACTIVE:
            raise Overreach(f"{user} destroyed {uid}, which was Active")
        if remove:
            self.removed[uid] = key.owner
            del self.keys[uid]
        elif key.state in ALIVE:
            is_bad = key.state is S.COMPROMISED
            key.state = S.DESTROYED_COMPROMISED if is_bad else S.DESTROYED
        return True

    # --- attributes -----------------------------------------------------------------------------

    def attributes_of(self, user: str, what: str) -> Attributes | None:
        """Told only to who may know, and true."""
        outcome = self.act(user, Op.GET_ATTRIBUTES, GetAttributesRequest(what))
        if not outcome.is_done:
            return None
        key = self.mean(user, what, outcome.response.unique_identifier, Op.GET_ATTRIBUTES)
        key.check_right(user, Op.GET_ATTRIBUTES)
        self.see(user, outcome, "GetAttributes")
        told: Attributes = outcome.response.attributes
        expected = {**visible_attributes(key.attributes), "state": key.state}
        wrong = {name: (getattr(told, name), value) for name, value in expected.items() if getattr(told, name) != value}  # fmt: skip
        assert not wrong, f"of {key.uid} was told (and is so): {wrong}"
        left = told.usage_limits and told.usage_limits.usage_limits_count
        assert key.left is None or (left is not None and left <= key.left)
        return told

    def change(self, user: str, uid: str, way: str, field: str, value: Any) -> bool:
        operation, request = CHANGES[way]
        instance = AttributeInstance(field, value)
        outcome = self.act(user, operation, request(instance, unique_identifier=uid))
        if not outcome.is_done:
            return False
        self.see(user, outcome, operation.name)
        key = self.keys[uid]
        key.check_right(user, operation)
        self._check_change(user, key, field, value)
        values = (*key.attributes.names, value) if field == "names" else value
        key.set(**{field: values})
        key.settle(self.now)
        self.hide(key)
        return True

    def delete(self, user: str, uid: str, name: str, field: str) -> bool:
        request = DeleteAttributeRequest(uid, attribute_reference=AttributeReference(name))
        outcome = self.act(user, Op.DELETE_ATTRIBUTE, request)
        if not outcome.is_done:
            return False
        key = self.keys[uid]
        key.check_right(user, Op.DELETE_ATTRIBUTE)
        self._check_change(user, key, field, None)
        key.set(**{field: () if field == "names" else None})
        return True

    def _check_change(self, user: str, key: Key, field: str, value: Any) -> None:
        if key.state not in ALIVE:
            raise Overreach(f"{user} changed {key.uid}, which is {key.state.name}")
        if (field, value) in {("sensitive", False), ("extractable", True)} and (
            key.is_sensitive if field == "sensitive" else not key.is_extractable
        ):
            raise Overreach(f"{user} took {field} of {key.uid} back")
        if field in {"state", "cryptographic_usage_mask", "always_sensitive", "digests"}:
            raise Overreach(f"{user} changed {field} of {key.uid}")
        if field == "usage_limits" and key.left != key.total:
            raise Overreach(f"{user} changed the limit of {key.uid} after its first use")
        if user == key.owner:
            return
        if field in OWNERS_ALONE:
            raise Overreach(f"{user} changed {field} of {key.owner}'s {key.uid}")
        if field == "usage_limits" or (field in DATES and not self._tightens(key, field, value)):
            raise Overreach(f"{user} loosened {field} of {key.owner}'s {key.uid} to {value}")
        is_past = field in DATES and value is not None and value <= self.now
        if field == "deactivation_date" and is_past and not key.may(user, Op.REVOKE):
            raise Overreach(f"{user} revoked {key.owner}'s {key.uid} by a date")

    def _tightens(self, key: Key, field: str, value: int | None) -> bool:
        """Whether the date leaves no use that the old one did not leave; activation takes its own right."""
        old = getattr(key.attributes, field)
        if value is None:
            return False
        if field == "activation_date":
            return any(key.may(user, Op.ACTIVATE) for user in key.grants)
        if old is None:
            return True
        return value >= old if field == "process_start_date" else value <= old
