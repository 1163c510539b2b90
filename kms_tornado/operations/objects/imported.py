"""Imported objects: their attributes and their state are as supplied (KMIP 2.1 §6.1.25).

`domain.import_rules` has the table of what Import takes and Register does not. This module compares what can be
compared with the key material, and makes the object, with material or, of a destroyed one, without.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ...crypto.keys.formats import read_public
from ...domain.attribute_changes import check_distinct
from ...domain.attribute_rules import check_quantum_safe
from ...domain.dates import apply_dates, has_come
from ...domain.import_rules import (
    check_importable,
    check_matches,
    choose_state,
    keep_usage_limits,
    select_kept,
    without_import_only,
)
from ...domain.lifecycle import PRE_ACTIVE
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from ...errors import InvalidAttributeValue, NotQuantumSafe
from ...kmip.attributes import Attributes, parse_user_tags
from ...kmip.enums import KeyFormatType, ObjectType, State
from ...kmip.key_material import KeyMaterialField
from ...kmip.objects import Certificate, KeyValue, Object, OpaqueObject
from ...kmip.structures import Digest
from ..common.call import Call
from ..common.identifiers import check_tag_lengths
from ..common.new_object import (
    check_material_size,
    check_object_type,
    make_first_attributes,
    make_unsealed_object,
)
from ..common.object_attributes import (
    check_attributes_length,
    check_references,
    check_revocation_message,
)
from .digests import digest_key, select_true_digests
from .incoming import ParsedObject
from .outgoing import render_material

#: The types of which the attribute KeyFormatType chooses the format that they are given out in.
_OF_SEVERAL_FORMATS = frozenset(
    {ObjectType.PRIVATE_KEY, ObjectType.PUBLIC_KEY, ObjectType.SECRET_DATA}
)
#: The types of which digests are kept: there is nothing to find out about them.
_PUBLIC = frozenset({ObjectType.PUBLIC_KEY, ObjectType.CERTIFICATE})


def make_imported_object(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    parsed: ParsedObject,
    incoming: Object | None,
) -> ManagedObject:
    """A new object of the caller's, its material sealed, with the attributes and the state that it came with.

    incoming: the object as it was sent, of which `parsed` was made.
    Raises AttributeSingleValued, InvalidAttribute, InvalidAttributeValue, InvalidField, KeyFormatTypeNotSupported.
    """
    check_material_size(parsed.material)
    shown = _choose_format(object_type, parsed).replace(key_value_present=True)
    shown = shown.replace(digests=_compare_digests(object_type, parsed, shown, incoming))
    new = _make_unsealed(call, uid, object_type, parsed.requested, shown, parsed.system_tags)
    return dataclasses.replace(new, sealed=call.seal(new, parsed.material))


def make_destroyed_object(
    call: Call, uid: UniqueIdentifier, object_type: ObjectType, supplied: Attributes
) -> ManagedObject:
    """A new object that was destroyed elsewhere: what is known about it, without material.

    Raises the errors of `make_imported_object`.
    """
    return _make_unsealed(call, uid, object_type, supplied, Attributes(), frozenset())


def _make_unsealed(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    supplied: Attributes,
    shown: Attributes,
    system_tags: frozenset[str],
) -> ManagedObject:
    """The new object without its material.

    shown: the attributes that the object itself shows; none where it was destroyed.
    """
    check_object_type(object_type, supplied)
    check_importable(supplied)
    check_references(supplied)
    check_distinct(supplied)
    check_matches(supplied, shown)
    has_material = bool(shown.key_value_present)
    state = choose_state(supplied, has_material=has_material, now=call.now)
    attributes = _make_attributes(call, object_type, supplied, shown, state)
    _check_quantum_safe(attributes)
    tags = parse_user_tags(supplied) | system_tags
    check_tag_lengths(tags)
    if attributes.revocation_reason is not None:
        check_revocation_message(attributes.revocation_reason.revocation_message)
    # As for objects of this server, the reason of a revocation does not count.
    check_attributes_length(attributes.replace(revocation_reason=None), tags)
    new = make_unsealed_object(call, uid, object_type, attributes, tags)
    return apply_dates(dataclasses.replace(new, state=state), call.now)


def _check_quantum_safe(attributes: Attributes) -> None:
    """Check a claim of Quantum Safe.

    The profiles want the reason NotQuantumSafe only where a key is created (case QS-M-2).
    """
    try:
        check_quantum_safe(attributes)
    except NotQuantumSafe as exc:
        raise InvalidAttributeValue(str(exc)) from exc


def _make_attributes(
    call: Call, object_type: ObjectType, supplied: Attributes, shown: Attributes, state: State
) -> Attributes:
    attributes = make_first_attributes(
        object_type,
        without_import_only(supplied),
        shown.replace(key_value_present=None),
        is_generated=False,
        activates_at_once=call.client.activates_new_objects,
        now=call.now,
    )
    changes: dict[str, Any] = select_kept(supplied)
    changes["usage_limits"] = keep_usage_limits(supplied.usage_limits)
    if supplied.state is not None or state is not PRE_ACTIVE:
        changes["activation_date"] = supplied.activation_date
    elif supplied.activation_date is None and has_come(supplied.deactivation_date, call.now):
        # It would begin after its end, where the client's objects are Active at once.
        changes["activation_date"] = attributes.activation_date and supplied.deactivation_date
    return attributes.replace(**changes)


# --- what the material says -----------------------------------------------------------------------


def _choose_format(object_type: ObjectType, parsed: ParsedObject) -> Attributes:
    """The attributes that the server determined, with the supplied KeyFormatType if the object has that format.

    The published clients call any format of a key pair's octets Raw, so for such keys it says nothing. Raises
    KeyFormatTypeNotSupported.
    """
    shown, requested = parsed.server_attributes, parsed.requested.key_format_type
    if (
        requested in {None, shown.key_format_type}
        or object_type not in _OF_SEVERAL_FORMATS
        or STORED_WRAPPED_TAG in parsed.system_tags
        or (requested is KeyFormatType.RAW and object_type is not ObjectType.SECRET_DATA)
    ):
        return shown
    assert requested is not None
    render_material(object_type, parsed.material, requested)
    if object_type is ObjectType.PUBLIC_KEY:
        key = read_public(parsed.material.reveal())
        shown = shown.replace(digests=(digest_key(key, requested),))
    return shown.replace(key_format_type=requested)


def _compare_digests(
    object_type: ObjectType, parsed: ParsedObject, shown: Attributes, incoming: Object | None
) -> tuple[Digest, ...]:
    """The digests to store: the server's own and, for public material, those of the supplied ones that are right.

    For an object that came wrapped, the comparison would tell whoever may unwrap it which of two guesses is right. So
    it is made only if that user may get the object in the clear. Raises InvalidAttributeValue.
    """
    supplied = parsed.requested
    was_wrapped = _is_wrapped(incoming)
    is_readable = not supplied.sensitive and supplied.extractable is not False
    if STORED_WRAPPED_TAG in parsed.system_tags or (was_wrapped and not is_readable):
        return shown.digests
    sent = None if was_wrapped else _octets_sent(incoming)
    true_digests = select_true_digests(object_type, parsed.material, sent, supplied.digests)
    if object_type not in _PUBLIC:
        return shown.digests
    return (*shown.digests, *(each for each in true_digests if each not in shown.digests))


def _is_wrapped(incoming: Object | None) -> bool:
    return (
        incoming is not None
        and not isinstance(incoming, Certificate | OpaqueObject)
        and incoming.key_block.key_wrapping_data is not None
    )


def _octets_sent(incoming: Object | None) -> bytes | None:
    """An object's material as the octets that were sent; None where it has none, or consists of numbers."""
    match incoming:
        case None | Certificate() | OpaqueObject():
            return None  # stored as they came
    value = incoming.key_block.key_value
    if isinstance(value, KeyValue) and isinstance(value.key_material, KeyMaterialField):
        return value.key_material.octets
    return None
