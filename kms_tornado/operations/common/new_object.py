"""A new managed object: the one way to it for every operation that makes or takes one.

Create, CreateKeyPair, Register, Import, DeriveKey and ReKey differ in where the material comes from;
which attributes a client may set, and what the server says of the object, is the same for all.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from ...crypto.material import KeyMaterial
from ...domain.dates import check_date_order, state_at
from ...domain.lifecycle import choose_activation_date
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from ...domain.usage import reset_usage_limits
from ...errors import InvalidField
from ...kmip.attributes import Attributes, parse_user_tags, without_tags
from ...kmip.enums import HashingAlgorithm, KeyFormatType, ObjectType, RNGAlgorithm, State
from ...kmip.structures import Digest, RandomNumberGenerator
from ..attributes import check_length, check_settable
from .call import Call

#: Added by the server, so that ``["invoices","_kk"]`` finds the key among objects with that tag.
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

#: Of the material of one object. Keys have a few KiB; a search by tags reads a hundred objects whole, and a
#: hundred of megabytes each would fill the memory.
MAX_OBJECT_BYTES = 256 * 1024

#: The operating system's, of which nothing more is known.
_GENERATOR = RandomNumberGenerator(RNGAlgorithm.UNSPECIFIED)


def new_object(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    wanted: Attributes,
    material: KeyMaterial,
    computed: Attributes | None = None,
    *,
    made: bool = False,
    tags: frozenset[str] = frozenset(),
) -> ManagedObject:
    """An object of the caller's, its material sealed, for `call.commit(Insert(…))`.

    wanted: what the client asked for. computed: what the server knows better (algorithm, length,
    format, digest, certificate's names, links of a pair); it wins over what was asked for.
    made: the server's own random numbers made it. tags: the server's own, besides that of the type.
    A symmetric key's digest is of its raw bytes, whatever its format, and made here.
    Raises InvalidAttribute for attributes that are not the client's to set, InvalidField.
    """
    if material.bits > 8 * MAX_OBJECT_BYTES:
        raise InvalidField(f"an object has at most {MAX_OBJECT_BYTES} bytes")
    check_object_type(object_type, wanted)
    check_settable(wanted)
    computed = computed or Attributes()
    if object_type is ObjectType.SYMMETRIC_KEY and STORED_WRAPPED_TAG not in tags:
        computed = computed.replace(digests=(digest(material.reveal(), KeyFormatType.RAW),))
    tags = parse_user_tags(wanted) | tags | {SYSTEM_TAGS[object_type]}
    sensitive = bool(wanted.sensitive)
    extractable = wanted.extractable is not False
    activation = choose_activation_date(
        wanted.activation_date, activates_at_once=call.client.activates_new_objects, now=call.now
    )
    attributes = overlaid(without_tags(wanted), computed).replace(
        unique_identifier=None,
        object_type=None,
        sensitive=sensitive,
        always_sensitive=sensitive,
        extractable=extractable,
        never_extractable=not extractable,
        initial_date=call.now,
        activation_date=activation,
        original_creation_date=call.now,
        last_change_date=call.now,
        random_number_generator=_GENERATOR if made else None,
        usage_limits=wanted.usage_limits and reset_usage_limits(wanted.usage_limits),
    )
    check_date_order(attributes)
    check_length(attributes, tags)
    new = ManagedObject(
        uid=uid,
        owner=call.principal,
        object_type=object_type,
        state=State.PRE_ACTIVE,
        attributes=attributes,
        tags=tags,
        sealed=None,
        created_at=call.now,
    )
    state = state_at(new, call.now)
    return dataclasses.replace(new, state=state, sealed=call.seal(new, material))


def check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    """Raises InvalidField where the attributes speak of another object type."""
    if attributes.object_type not in {None, object_type}:
        raise InvalidField("ObjectType and the one in Attributes differ")


def digest(octets: bytes, key_format: KeyFormatType) -> Digest:
    """SHA-256 over the key material in its format (KMIP 2.1 §4.20).

    For keys and certificates only: the digest of a password would be a way to guess it.
    """
    return Digest(HashingAlgorithm.SHA_256, hashlib.sha256(octets).digest(), key_format)


def merged(outer: Attributes, inner: Attributes) -> Attributes:
    """Both, the outer ones winning; None and () mean that an attribute is not set.

    Vendor attributes count one by one: an outer tag must not make an inner one of another name,
    which may ask for something, go without a word.
    """
    given = {(each.vendor_identification, each.attribute_name) for each in outer.vendor_attributes}
    vendor_attributes = outer.vendor_attributes + tuple(
        each
        for each in inner.vendor_attributes
        if (each.vendor_identification, each.attribute_name) not in given
    )
    return overlaid(inner, outer).replace(vendor_attributes=vendor_attributes)


def overlaid(base: Attributes, top: Attributes) -> Attributes:
    """The base with every attribute that the top one sets."""
    return base.replace(**top.set_fields())
