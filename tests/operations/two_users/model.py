"""What the owner allowed: a model of objects, rights, uses and limits that reads no row.

Every success of a user is held against it. It says what is allowed at most: the server may refuse more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kms_tornado.domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CryptographicUsageMask,
    ObjectType,
    Operation,
    State,
    UsageLimitsUnit,
)
from kms_tornado.kmip.structures import CryptographicParameters

M, Op, S = CryptographicUsageMask, Operation, State

ALIVE = frozenset({S.PRE_ACTIVE, S.ACTIVE, S.DEACTIVATED, S.COMPROMISED})
DATES = ("activation_date", "process_start_date", "protect_stop_date", "deactivation_date")
EVERYONE = "*"
#: What the right to Get covers (docs/http.md, "Access rights").
COVERED_BY_GET = frozenset(
    {Op.ENCRYPT, Op.DECRYPT, Op.SIGN, Op.SIGNATURE_VERIFY, Op.MAC, Op.MAC_VERIFY, Op.EXPORT, Op.GET_ATTRIBUTES}
)  # fmt: skip
#: What nobody but the owner may set on an object, whatever was granted.
OWNERS_ALONE = frozenset({"sensitive", "extractable", "cryptographic_parameters"})
WRAPPING_ONLY = M.WRAP_KEY | M.UNWRAP_KEY | M.EXPORT


class Overreach(AssertionError):
    """Somebody did what the owner, the mask, a date, the limit or the state does not allow."""


@dataclass
class Key:
    """One object as its owner left it. left: units; None where there is no limit."""

    uid: str
    owner: str
    kind: ObjectType
    material: bytes
    state: State
    attributes: Attributes
    tags: frozenset[str]
    is_wrapped: bool
    is_generated: bool
    total: int | None
    left: int | None
    unit: UsageLimitsUnit | None
    grants: dict[str, set[Operation]] = field(default_factory=dict)
    #: Whether the database writer took the row away: nobody may expect anything of the identifier.
    is_lost: bool = False
    wrapped_by: str | None = None

    @classmethod
    def of(cls, target: ManagedObject, material: bytes) -> Key:
        attributes, limits = target.attributes, target.attributes.usage_limits
        return cls(
            uid=target.uid,
            owner=target.owner,
            kind=target.object_type,
            material=material,
            state=target.state,
            attributes=attributes,
            tags=target.tags,
            is_wrapped=STORED_WRAPPED_TAG in target.tags,
            is_generated=attributes.random_number_generator is not None,
            total=None if limits is None else limits.usage_limits_total,
            left=None if limits is None else limits.usage_limits_count,
            unit=None if limits is None else limits.usage_limits_unit,
        )

    @property
    def mask(self) -> int | None:
        return self.attributes.cryptographic_usage_mask

    @property
    def is_sensitive(self) -> bool:
        return bool(self.attributes.sensitive)

    @property
    def is_extractable(self) -> bool:
        return self.attributes.extractable is not False

    @property
    def is_hidden(self) -> bool:
        return self.is_sensitive or not self.is_extractable

    @property
    def parameters(self) -> CryptographicParameters | None:
        return self.attributes.cryptographic_parameters

    def set(self, **values: Any) -> None:
        self.attributes = self.attributes.replace(**values)
        if "usage_limits" in values:
            limits = values["usage_limits"]
            self.total = self.left = None if limits is None else limits.usage_limits_total
            self.unit = None if limits is None else limits.usage_limits_unit

    def settle(self, now: int) -> None:
        """The dates that have come move the state."""
        begin, end = self.attributes.activation_date, self.attributes.deactivation_date
        if self.state is S.PRE_ACTIVE and begin is not None and begin <= now:
            self.state = S.ACTIVE
        if self.state is S.ACTIVE and end is not None and end <= now:
            self.state = S.DEACTIVATED

    # --- rights ---------------------------------------------------------------------------------

    def has_right(self, user: str, *operations: Operation, by_name: bool = False) -> bool:
        """As owner, or by any of these rights."""
        granted = set(self.grants.get(user, ()))
        if not by_name:
            granted |= self.grants.get(EVERYONE, set())
        return user == self.owner or bool(granted & set(operations))

    def may(self, user: str, operation: Operation) -> bool:
        enough = (operation, Op.GET) if operation in COVERED_BY_GET else (operation,)
        return self.has_right(user, *enough)

    def is_found_by(self, user: str) -> bool:
        return self.has_right(user, *Operation)

    def may_read_attributes(self, user: str) -> bool:
        return self.may(user, Op.GET_ATTRIBUTES)

    # --- use ------------------------------------------------------------------------------------

    def check_right(self, user: str, operation: Operation) -> None:
        if self.is_lost or not self.may(user, operation):
            raise Overreach(f"{user} did {operation.name} on {self.owner}'s {self.uid}")

    def check_bit(self, needed: CryptographicUsageMask, user: str) -> None:
        if self.mask is not None and not self.mask & (needed | M.UNRESTRICTED):
            raise Overreach(f"{user} did {needed.name} with {self.uid}, mask {self.mask:#x}")

    def protect(self, user: str, needed: CryptographicUsageMask, size: int, now: int) -> None:
        """One protection of so many bytes, additional data included, is counted."""
        self.check_bit(needed, user)
        stop = self.attributes.protect_stop_date
        if self.state is not S.ACTIVE or (stop is not None and stop <= now):
            raise Overreach(f"{user} did {needed.name} with {self.uid}, {self.state.name}, {stop}")
        if self.left is None:
            return
        units = max(1, size) if self.unit is UsageLimitsUnit.BYTE else 1
        if units > self.left:
            raise Overreach(f"{user} used {units} of {self.uid}, which has {self.left} left")
        self.left -= units

    def process(self, user: str, needed: CryptographicUsageMask, now: int) -> None:
        self.check_bit(needed, user)
        start = self.attributes.process_start_date
        if self.state not in ALIVE - {S.PRE_ACTIVE} or (start is not None and start > now):
            raise Overreach(f"{user} did {needed.name} with {self.uid}, {self.state.name}, {start}")

    def check_parameters(self, user: str, used: CryptographicParameters | None) -> None:
        """A request may repeat what the key says, and say what the key leaves open."""
        if self.parameters is None or used is None:
            return
        own, asked = vars(self.parameters), vars(used)
        changed = sorted(
            name
            for name, value in asked.items()
            if value is not None and own.get(name) is not None and own[name] != value
        )
        if changed:
            raise Overreach(f"{user} used {self.uid} with another {', '.join(changed)}")

    def wraps_secretly(self) -> bool:
        """Whether nobody has known the key, and wrapping is all that it does."""
        return (
            self.is_generated
            and self.is_sensitive
            and bool(self.attributes.always_sensitive)
            and self.mask is not None
            and not self.mask & ~WRAPPING_ONLY
        )


@dataclass(frozen=True)
class Carried:
    """What a wrapped key brings along under its wrap: the rules of the key at that moment."""

    owner: str
    material: bytes
    attributes: Attributes
    left: int | None
    is_sensitive: bool

    @classmethod
    def of(cls, key: Key) -> Carried:
        return cls(key.owner, key.material, key.attributes, key.left, key.is_sensitive)


def check_as_protected(user: str, new: Key, than: Carried | Key) -> None:
    """What came of a hidden key is hidden as well; of a Sensitive one that was wrapped, it has all rules."""
    old = than.attributes
    if old.sensitive and not new.is_sensitive:
        raise Overreach(f"{user} made {new.uid} of a Sensitive key, and it is not Sensitive")
    if old.extractable is False and new.is_extractable:
        raise Overreach(f"{user} made {new.uid} of a key that is not Extractable, and it is")


def check_came_back(user: str, new: Key, carried: Carried) -> None:
    """A Sensitive key that was wrapped comes back to its owner alone, with all of its rules."""
    check_as_protected(user, new, carried)
    if not carried.is_sensitive:
        return
    if new.owner != carried.owner:
        raise Overreach(f"{user} has {carried.owner}'s Sensitive key back as {new.uid}")
    for name in ("cryptographic_usage_mask", "cryptographic_parameters", *DATES):
        told, kept = getattr(new.attributes, name), getattr(carried.attributes, name)
        if told != kept and not (name == "activation_date" and kept is None):
            raise Overreach(f"{user} has {new.uid} back with {name} {told}, it was {kept}")
    if carried.left is not None and (new.left is None or new.left > carried.left):
        raise Overreach(f"{user} has {new.uid} back with {new.left} uses, {carried.left} were left")


def visible_attributes(attributes: Attributes) -> Mapping[str, Any]:
    """What decides, for a comparison of what is told with what is so."""
    names = ("sensitive", "extractable", "cryptographic_usage_mask", "cryptographic_parameters")
    return {name: getattr(attributes, name) for name in (*names, *DATES)}
