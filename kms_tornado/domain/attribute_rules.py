"""Which attributes a client may set, change and delete, when, and who: one table (KMIP 2.1 §4).

Pure. An attribute is named by its field of `Attributes`. The tags are a vendor attribute here, as on
the wire. An attribute without a row can be set by the server only: clients may read it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from ..errors import AttributeReadOnly, NotQuantumSafe, PermissionDenied, WrongKeyLifecycleState
from ..kmip.attribute_index import Retired
from ..kmip.attributes import TAG_VENDOR, Attributes
from ..kmip.enums import CryptographicAlgorithm, Operation, State
from ..kmip.schema import is_repeated, tag_of
from .dates import has_come
from .usage import is_partly_consumed

#: The values of an attribute that is not set.
UNSET_VALUES = (None, ())


@dataclass(frozen=True, slots=True)
class AttributeState:
    """The attributes of an object at one moment.

    attributes: tags included.
    now: seconds since the Unix epoch.
    state: the state at that time, after the dates that have come.
    retired_indices: of the object.
    """

    attributes: Attributes
    state: State
    now: int
    retired_indices: Retired = ()


#: (the attributes now, the new value or None to delete it) → None, or raises KMIPError.
Condition = Callable[[AttributeState, Any], None]


class Grantees(Enum):
    """What a caller who is not the owner, but has the right to the operation, may do with an attribute."""

    # The default for an attribute that decides how the key may be used, or by what name others find it.
    NOTHING = "it is the owner's to change"
    EVERYTHING = "the right to the operation is enough"
    END_USE = "an earlier end needs the right revoke; a later one is the owner's"
    BEGIN_USE = "an earlier begin needs the right activate; a later one is the owner's"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a client may do with an attribute.

    create: set it on a new object.
    add: give an existing object its first value, or a further one if there may be several.
    modify: change a value.
    delete: remove it.
    when: the condition for the last three.
    modify_sets: whether ModifyAttribute may give it its first value, which is how published clients activate keys.
    grantees: how much of add, modify and delete is allowed to others than the owner.
    """

    create: bool = False
    add: bool = False
    modify: bool = False
    delete: bool = False
    when: Condition | None = None
    modify_sets: bool = False
    grantees: Grantees = Grantees.NOTHING


# --- conditions ---------------------------------------------------------------------------------


def _check_pre_active(current: AttributeState, _: Any) -> None:
    if current.state is not State.PRE_ACTIVE:
        raise WrongKeyLifecycleState("the object is no longer Pre-Active")


def _check_not_deactivated(current: AttributeState, _: Any) -> None:
    if current.state not in {State.PRE_ACTIVE, State.ACTIVE}:
        raise WrongKeyLifecycleState("the object is neither Pre-Active nor Active")


def _make_date_check(field: str) -> Condition:
    """A check that the present date of the field has not passed."""

    def check(current: AttributeState, value: Any) -> None:
        _check_not_deactivated(current, value)
        if has_come(getattr(current.attributes, field), current.now):
            raise WrongKeyLifecycleState("the date that is set has passed")

    return check


def _make_tightening_check(tightened: bool, field: str) -> Condition:
    """A check that the field, once it restricts the object, is not relaxed again."""

    def check(current: AttributeState, value: Any) -> None:
        if value is not tightened and getattr(current.attributes, field) is tightened:
            raise AttributeReadOnly(f"{tag_of(Attributes, field)} cannot be taken back")

    return check


def _check_nothing_consumed(current: AttributeState, _: Any) -> None:
    limits = current.attributes.usage_limits
    if limits is not None and is_partly_consumed(limits):
        raise AttributeReadOnly("UsageLimits cannot change once some of them are used")


# --- the table ----------------------------------------------------------------------------------

_SERVER = Rule()
_AT_CREATION = Rule(create=True)
_FREE = Rule(create=True, add=True, modify=True, delete=True)
_DATE = Rule(create=True, add=True, modify=True, modify_sets=True)
#: For an attribute that only tells people something: the server and its clients decide nothing by it.
_DESCRIPTIVE = dataclasses.replace(_FREE, grantees=Grantees.EVERYTHING)

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "activation_date": dataclasses.replace(
            _DATE, when=_check_pre_active, grantees=Grantees.BEGIN_USE
        ),
        "alternative_names": _FREE,
        "application_specific_information": _FREE,
        "certificate_type": _AT_CREATION,
        "comment": _DESCRIPTIVE,
        "contact_information": _DESCRIPTIVE,
        "cryptographic_algorithm": _AT_CREATION,
        "cryptographic_domain_parameters": _AT_CREATION,
        "cryptographic_length": _AT_CREATION,
        "cryptographic_parameters": _FREE,
        "cryptographic_usage_mask": _AT_CREATION,
        "deactivation_date": dataclasses.replace(
            _DATE, when=_check_not_deactivated, grantees=Grantees.END_USE
        ),
        "description": _DESCRIPTIVE,
        "extractable": Rule(
            create=True, add=True, modify=True, when=_make_tightening_check(False, "extractable")
        ),
        "fresh": _AT_CREATION,
        "key_format_type": _AT_CREATION,
        "links": _FREE,
        "names": _FREE,
        "object_groups": _FREE,
        "object_type": _AT_CREATION,
        "pkcs_12_friendly_name": _FREE,
        "process_start_date": dataclasses.replace(
            _DATE, when=_make_date_check("process_start_date")
        ),
        "protect_stop_date": dataclasses.replace(
            _DATE, when=_make_date_check("protect_stop_date"), grantees=Grantees.END_USE
        ),
        "protection_level": _AT_CREATION,
        "protection_period": _AT_CREATION,
        "quantum_safe": _AT_CREATION,
        # rotate_automatic has no row: the server rotates nothing by itself, so a client must not be
        # led to rely on it. The others are kept for the client that rotates.
        "rotate_interval": _FREE,
        "rotate_name": _FREE,
        "rotate_offset": _FREE,
        "sensitive": Rule(
            create=True, add=True, modify=True, when=_make_tightening_check(True, "sensitive")
        ),
        "unique_identifier": _AT_CREATION,
        "usage_limits": dataclasses.replace(_FREE, when=_check_nothing_consumed),
        # Tags are among them, and are the owner's alone: they decide which key a list of tags means.
        "vendor_attributes": _DESCRIPTIVE,
    }
)


def rule_for(field: str) -> Rule:
    """The rule of an attribute; for clients, one without a row in RULES is read-only."""
    return RULES.get(field, _SERVER)


def check_grantee(
    current: AttributeState, field: str, value: Any, vendor: str | None = None
) -> Operation | None:
    """The further right that a caller who is not the owner needs for a change; None where the operation's is enough.

    value: the new one, None to delete it. vendor: of a vendor attribute.
    Raises PermissionDenied where only the owner may make the change.
    """
    rule = rule_for(field)
    if not (rule.add or rule.modify or rule.delete):
        return None  # nobody's: the change itself is refused as such
    if may_grantees_choose(field, vendor):
        return None
    if rule.grantees in _RIGHT_TO_EARLIER:
        present = getattr(current.attributes, field)
        if value is not None and (present is None or value <= present):
            return _RIGHT_TO_EARLIER[rule.grantees]
    raise PermissionDenied(
        f"{tag_of(Attributes, field)} is changed by the owner of the object alone"
    )


def may_grantees_choose(field: str, vendor: str | None = None) -> bool:
    """Whether others than the owner may choose the attribute's value. vendor: of a vendor attribute."""
    return rule_for(field).grantees is Grantees.EVERYTHING and vendor != TAG_VENDOR


_RIGHT_TO_EARLIER = {Grantees.END_USE: Operation.REVOKE, Grantees.BEGIN_USE: Operation.ACTIVATE}


def is_set(attributes: Attributes, field: str) -> bool:
    return getattr(attributes, field) not in UNSET_VALUES


def is_multi_instance(field: str) -> bool:
    return is_repeated(Attributes, field)


#: A quantum computer halves the strength of these (Grover's search); half of 256 bits is enough.
_SAFE_AT_256_BITS = frozenset(
    {
        CryptographicAlgorithm.AES,
        CryptographicAlgorithm.CHACHA20,
        CryptographicAlgorithm.CHACHA20_POLY1305,
        CryptographicAlgorithm.HMAC_SHA256,
        CryptographicAlgorithm.HMAC_SHA384,
        CryptographicAlgorithm.HMAC_SHA512,
    }
)


def check_quantum_safe(attributes: Attributes) -> None:
    """Raises NotQuantumSafe where the client claims Quantum Safe for a key that is not (case QS-M-2)."""
    if attributes.quantum_safe and (
        attributes.cryptographic_algorithm not in _SAFE_AT_256_BITS
        or (attributes.cryptographic_length or 0) < 256
    ):
        raise NotQuantumSafe("a key of this algorithm and length is not quantum safe")
