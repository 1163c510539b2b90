"""What Import does with attributes and states that no other operation takes from a client (KMIP 2.1 §6.1.25).

Pure. Import sets attributes to the supplied values, even those that Register leaves to the server. IMPORT_RULES
lists all attributes for which the two differ; for the others `attribute_rules.RULES` has the rule of both. An
attribute that is in neither table is refused by both.

What a supplied value would say about this server, or about key material that disagrees, is not taken over: who
imports a key must not be able to claim that it was made here, or that it is another key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from ..errors import InvalidAttribute, InvalidAttributeValue, InvalidField
from ..kmip.attributes import Attributes
from ..kmip.enums import RevocationReasonCode, State
from ..kmip.schema import tag_of
from ..kmip.structures import UsageLimits
from .attribute_rules import rule_for
from .dates import check_date_range, has_come
from .lifecycle import (
    ACTIVE,
    COMPROMISED,
    DEACTIVATED,
    DESTROYED,
    DESTROYED_COMPROMISED,
    DESTROYED_STATES,
    PRE_ACTIVE,
)
from .usage import reset_usage_limits


class OnImport(Enum):
    """What Import does with a supplied value."""

    KEPT = "it is kept as supplied"
    CHECKED = "it must be that of the object, where the object shows one"
    OWN = "it is passed over: the server tells its own"


_KEPT, _CHECKED, _OWN = OnImport.KEPT, OnImport.CHECKED, OnImport.OWN

#: The parts of the two names in a certificate, each of which is an attribute.
_NAME_PARTS = (
    *("cn", "o", "ou", "email", "c", "st", "l", "uid", "serial_number", "title", "dc"),
    "dn_qualifier",
)

#: Attribute → what Import does with it, where Register refuses it.
IMPORT_RULES: Mapping[str, OnImport] = MappingProxyType(
    {
        # True is told again, and counts for nothing where the server asks whether it made a key itself.
        "always_sensitive": _KEPT,
        # Import puts the object on-line, wherever it was before.
        "archive_date": _OWN,
        **{
            f"certificate_{entity}_{part}": _KEPT
            for entity in ("issuer", "subject")
            for part in _NAME_PARTS
        },
        "certificate_length": _CHECKED,
        "compromise_date": _KEPT,
        "compromise_occurrence_date": _KEPT,
        "destroy_date": _KEPT,
        # Of a secret none is stored, right or not (`operations.objects.digests`).
        "digests": _CHECKED,
        "digital_signature_algorithms": _KEPT,
        "initial_date": _KEPT,
        "key_value_location": _KEPT,
        "key_value_present": _CHECKED,
        "last_change_date": _KEPT,
        "lease_time": _KEPT,
        "never_extractable": _KEPT,
        "nist_key_types": _KEPT,
        "opaque_data_type": _CHECKED,
        "original_creation_date": _KEPT,
        # How this server keeps the object, not how another one did.
        "protection_storage_mask": _OWN,
        # Its presence says that this server made the key, and keys that it made may wrap Sensitive ones.
        "random_number_generator": _OWN,
        "revocation_reason": _KEPT,
        "rotate_automatic": _KEPT,
        "rotate_date": _KEPT,
        "rotate_generation": _KEPT,
        "rotate_latest": _KEPT,
        # Computed from the unique identifier, which may be another one here.
        "short_unique_identifier": _OWN,
        "state": _KEPT,
        "x_509_certificate_identifier": _KEPT,
        "x_509_certificate_issuer": _KEPT,
        "x_509_certificate_subject": _KEPT,
    }
)  # fmt: skip

#: Dates that come in no order: those of the server that the object comes from were true there.
_DATES = tuple(
    field.name for field in dataclasses.fields(Attributes) if field.name.endswith("_date")
)


# --- attributes ---------------------------------------------------------------------------------


def check_importable(supplied: Attributes) -> None:
    """Raises InvalidAttribute, naming the first attribute that Import does not accept.

    Raises InvalidAttributeValue for dates outside the years 1 to 9999, and for values that contradict each other.
    """
    for field in supplied.set_fields():
        if field not in IMPORT_RULES and not rule_for(field).create:
            raise InvalidAttribute(f"{tag_of(Attributes, field)} is no attribute of an object here")
    for field in _DATES:
        check_date_range(getattr(supplied, field), tag_of(Attributes, field))
    if supplied.always_sensitive and not supplied.sensitive:
        raise InvalidAttributeValue("AlwaysSensitive is true only where Sensitive is")
    if supplied.never_extractable and supplied.extractable is not False:
        raise InvalidAttributeValue("NeverExtractable is true only where Extractable is false")
    if (supplied.rotate_generation or 0) < 0:
        raise InvalidAttributeValue("RotateGeneration may not be negative")


def check_matches(supplied: Attributes, shown: Attributes) -> None:
    """Check the supplied attributes that can be compared with the object.

    shown: the attributes that the object itself shows. Digests are compared in `operations.objects.digests`.
    Raises InvalidAttributeValue.
    """
    for field, rule in IMPORT_RULES.items():
        if rule is OnImport.CHECKED and field != "digests":
            value, own = getattr(supplied, field), getattr(shown, field)
            if None not in (value, own) and value != own:
                raise InvalidAttributeValue(
                    f"{tag_of(Attributes, field)} is not that of the object: leave it out"
                )


def select_kept(supplied: Attributes) -> dict[str, Any]:
    """{field: value} of the supplied attributes that are kept, or were checked, in place of the server's values."""
    return {
        field: value
        for field, value in supplied.set_fields().items()
        if IMPORT_RULES.get(field) in {OnImport.KEPT, OnImport.CHECKED}
        and field not in {"state", "digests"}
    }


def without_import_only(supplied: Attributes) -> Attributes:
    """The attributes that Register would take as well."""
    values = supplied.set_fields()
    return Attributes(
        **{field: value for field, value in values.items() if field not in IMPORT_RULES}
    )


def keep_usage_limits(supplied: UsageLimits | None) -> UsageLimits | None:
    """The limits with the count that the client supplied; all of the total where there is none.

    Raises InvalidAttributeValue where more would be left than there ever was, or less than nothing.
    """
    if supplied is None:
        return None
    whole = reset_usage_limits(supplied)
    count = supplied.usage_limits_count
    if count is None:
        return whole
    if not 0 <= count <= whole.usage_limits_total:
        raise InvalidAttributeValue("UsageLimitsCount lies outside 0 to UsageLimitsTotal")
    return dataclasses.replace(whole, usage_limits_count=count)


# --- states -------------------------------------------------------------------------------------

_COMPROMISES = frozenset({RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE})


def is_supplied_destroyed(supplied: Attributes) -> bool:
    """Whether the attributes say that the object was destroyed, so that it has no key material."""
    if supplied.state is None:
        return supplied.destroy_date is not None
    return supplied.state in DESTROYED_STATES


def choose_state(supplied: Attributes, *, has_material: bool, now: int) -> State:
    """The state in which an object is imported, before dates that have passed since then advance it.

    It is the supplied one, or the one that follows from the other attributes. If these say that the object was
    compromised or destroyed, nothing makes it usable again.
    now: seconds since the Unix epoch.
    Raises InvalidAttributeValue for a State that the other attributes contradict, and InvalidField for key material of
    a destroyed object.
    """
    state = supplied.state or _infer_state(supplied)
    if has_material and (state in DESTROYED_STATES or supplied.destroy_date is not None):
        raise InvalidField(
            "a destroyed object has no key material: leave the object out, or State and DestroyDate"
        )
    if _tells_of_compromise(supplied) and state not in {COMPROMISED, DESTROYED_COMPROMISED}:
        raise InvalidAttributeValue(
            "State contradicts the date or the reason of a compromise, which stands beside it"
        )
    starts = supplied.activation_date
    if state is ACTIVE and starts is not None and not has_come(starts, now):
        raise InvalidAttributeValue("State is Active, but ActivationDate has not come yet")
    return state


def _infer_state(supplied: Attributes) -> State:
    compromised = _tells_of_compromise(supplied)
    if supplied.destroy_date is not None:
        return DESTROYED_COMPROMISED if compromised else DESTROYED
    if compromised:
        return COMPROMISED
    return PRE_ACTIVE if supplied.revocation_reason is None else DEACTIVATED


def _tells_of_compromise(supplied: Attributes) -> bool:
    reason = supplied.revocation_reason
    return (
        supplied.compromise_date is not None
        or supplied.compromise_occurrence_date is not None
        or (reason is not None and reason.revocation_reason_code in _COMPROMISES)
    )
