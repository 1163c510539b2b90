"""New managed objects: the rules that every operation which creates or stores one has in common.

Create, CreateKeyPair, Register, Import, DeriveKey and ReKey differ in where the material comes from.
The attributes that a client may set, and those that the server sets, are the same for all.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ...crypto.material import KeyMaterial
from ...domain.attribute_rules import check_quantum_safe
from ...domain.dates import check_date_order, state_at
from ...domain.lifecycle import choose_activation_date
from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.usage import default_usage_mask, reset_usage_limits
from ...errors import InvalidField
from ...kmip.attributes import Attributes, parse_user_tags, without_tags
from ...kmip.enums import HashingAlgorithm, KeyFormatType, ObjectType, RNGAlgorithm, State
from ...kmip.structures import Digest, RandomNumberGenerator
from .call import Call
from .identifiers import check_tag_lengths
from .object_attributes import check_attributes_length, check_settable, overlay_attributes

#: Object type → the tag that the server adds, so that ``["invoices","_kk"]`` finds the key among the
#: objects with the tag ``invoices``.
SYSTEM_TAGS: Mapping[ObjectType, str] = MappingProxyType(
    {
        ObjectType.CERTIFICATE: "_cert",
        ObjectType.SYMMETRIC_KEY: "_kk",
        ObjectType.PUBLIC_KEY: "_pk",
        ObjectType.PRIVATE_KEY: "_sk",
        ObjectType.SECRET_DATA: "_sd",
        ObjectType.OPAQUE_OBJECT: "_oo",
    }
)

#: Most bytes of one object's material. Keys have a few KiB; a search by tags reads a hundred whole objects,
#: and with megabytes in each they would fill the memory.
MAX_OBJECT_BYTES = 256 * 1024

#: The operating system's and OpenSSL's generators, whose algorithms the server does not know.
SERVER_RNG = RandomNumberGenerator(RNGAlgorithm.UNSPECIFIED)


def make_object(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    requested: Attributes,
    material: KeyMaterial,
    server_attributes: Attributes | None = None,
    *,
    is_generated: bool = False,
    system_tags: frozenset[str] = frozenset(),
) -> ManagedObject:
    """A new object of the caller's, its material sealed, for `call.commit(Insert(…))`.

    requested: the client's attributes. server_attributes: those that the server determined (algorithm,
    length, format, digest, the names in a certificate, the links of a pair); they take precedence.
    is_generated: whether the server generated the material. system_tags: tags of the server's own, besides
    the one for the type.
    Raises InvalidAttribute for attributes that a client may not set, InvalidField.
    """
    check_material_size(material)
    check_object_type(object_type, requested)
    tags = parse_user_tags(requested) | system_tags
    check_tag_lengths(tags)
    attributes = _find_first_attributes(
        object_type,
        requested,
        server_attributes or Attributes(),
        is_generated,
        call.client.activates_new_objects,
        call.now,
    )
    check_attributes_length(attributes, tags)
    new = make_unsealed_object(call, uid, object_type, attributes, tags)
    return _seal_in_first_state(call, new, material)


def _find_first_attributes(
    object_type: ObjectType, requested: Attributes, server_attributes: Attributes, *more: Any
) -> Attributes:
    """The attributes of a new object, made or shared.

    Raises what `check_settable`, `check_date_order` and `check_quantum_safe` raise.
    Most keys that are made in one second have no names, links or tags, and equal attributes. These are then made and
    checked once, and, as they are one object, also formatted once. That saves a third of a Create.
    """
    requested_fields = tuple(vars(requested).items())
    determined = tuple(vars(server_attributes).items())
    if all(isinstance(value, int) for _, value in requested_fields + determined):
        return _recall_first_attributes(object_type, requested_fields, determined, *more)
    return _make_checked_attributes(object_type, requested, server_attributes, *more)


#: (name, value) of the fields that are set.
_Fields = tuple[tuple[str, int], ...]


@lru_cache(maxsize=64)
def _recall_first_attributes(
    object_type: ObjectType, requested_fields: _Fields, determined: _Fields, *more: Any
) -> Attributes:
    requested: dict[str, Any] = dict(requested_fields)
    server_attributes: dict[str, Any] = dict(determined)
    return _make_checked_attributes(
        object_type, Attributes(**requested), Attributes(**server_attributes), *more
    )


def _make_checked_attributes(
    object_type: ObjectType, requested: Attributes, *more: Any
) -> Attributes:
    check_settable(requested)
    attributes = make_first_attributes(object_type, requested, *more)
    check_date_order(attributes)
    check_quantum_safe(attributes)
    return attributes


def check_material_size(material: KeyMaterial) -> None:
    """Raises InvalidField for more than MAX_OBJECT_BYTES."""
    if material.bits > 8 * MAX_OBJECT_BYTES:
        raise InvalidField(f"an object has at most {MAX_OBJECT_BYTES} bytes")


def make_unsealed_object(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    attributes: Attributes,
    tags: frozenset[str],
) -> ManagedObject:
    """A new Pre-Active object of the caller's, without material. tags: the ones besides that of the type."""
    return ManagedObject(
        uid=uid,
        owner=call.principal,
        object_type=object_type,
        state=State.PRE_ACTIVE,
        attributes=attributes,
        tags=tags | {SYSTEM_TAGS[object_type]},
        sealed=None,
        created_at=call.now,
    )


def make_first_attributes(
    object_type: ObjectType,
    requested: Attributes,
    server_attributes: Attributes,
    is_generated: bool,
    activates_at_once: bool,
    now: int,
) -> Attributes:
    """All attributes of the new object except identifier, type, state and tags, which are stored separately.

    activates_at_once: whether an object without an Activation Date is Active. now: seconds since the Unix epoch.
    """
    sensitive = bool(requested.sensitive)
    extractable = requested.extractable is not False
    attributes = overlay_attributes(without_tags(requested), server_attributes)
    mask = attributes.cryptographic_usage_mask
    if mask is None:
        mask = default_usage_mask(object_type, attributes.cryptographic_algorithm) or None
    return attributes.replace(
        unique_identifier=None,
        object_type=None,
        sensitive=sensitive,
        always_sensitive=sensitive,
        extractable=extractable,
        never_extractable=not extractable,
        cryptographic_usage_mask=mask,
        initial_date=now,
        activation_date=choose_activation_date(
            requested.activation_date, activates_at_once=activates_at_once, now=now
        ),
        original_creation_date=now,
        last_change_date=now,
        fresh=requested.fresh is not False,
        digests=server_attributes.digests,  # never a client's: it would be a secret's, in clear
        random_number_generator=SERVER_RNG if is_generated else None,
        usage_limits=requested.usage_limits and reset_usage_limits(requested.usage_limits),
    )


def _seal_in_first_state(call: Call, new: ManagedObject, material: KeyMaterial) -> ManagedObject:
    """The object with the state that its dates give it as of now, and with its material sealed."""
    state = state_at(new, call.now)
    return dataclasses.replace(new, state=state, sealed=call.seal(new, material))


def check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    """Raises InvalidField where the attributes name another object type."""
    if attributes.object_type not in {None, object_type}:
        raise InvalidField("ObjectType and the one in Attributes differ")


def make_digest(octets: bytes, key_format: KeyFormatType) -> Digest:
    """The SHA-256 digest of the key material in its format (KMIP 2.1 §4.20). `objects.digests` says who may know it."""
    return Digest(HashingAlgorithm.SHA_256, hashlib.sha256(octets).digest(), key_format)
