"""Create and Import: new symmetric keys (KMIP 2.1 §6.1.8, §6.1.21; KMIP.md §8)."""

from __future__ import annotations

import dataclasses
import uuid

from ..crypto.material import KeyMaterial
from ..crypto.symmetric import check_key_length, generate
from ..domain.access import owns
from ..domain.managed_object import ManagedObject, UniqueIdentifier
from ..errors import (
    FeatureNotSupported,
    InvalidAttributeValue,
    InvalidField,
    KeyFormatTypeNotSupported,
    MissingData,
    ObjectAlreadyExists,
)
from ..kmip.attributes import Attributes, dump_attributes, user_tags, without_tags
from ..kmip.enums import KeyFormatType, ObjectType, State
from ..kmip.objects import KeyBlock, SymmetricKey
from ..kmip.payloads import CreateRequest, CreateResponse, ImportRequest, ImportResponse
from ..store.base import Conflict, Insert, Replace
from .attributes import check_settable
from .call import MAX_IDENTIFIER_LENGTH, Call

DEFAULT_LENGTH = 256  # bits; cloudproof_kms_js asks for none
#: Added by the server, so that ``["invoices","_kk"]`` finds the key among objects with that tag.
SYSTEM_TAGS = {ObjectType.SYMMETRIC_KEY: "_kk"}
#: Attributes and tags of one object, in characters as they are stored: readers keep thousands of
#: them in memory, and a key is no place for documents.
MAX_ATTRIBUTES_LENGTH = 64 * 1024
_FORMATS = frozenset({None, KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})


async def create(call: Call, request: CreateRequest) -> CreateResponse:
    """Make a symmetric key, Active at once."""
    call.check_may_create()
    _check_object_type(request.object_type, request.attributes)
    wanted = request.attributes
    if wanted.cryptographic_algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing in Attributes")
    if wanted.key_format_type not in _FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    length = DEFAULT_LENGTH if wanted.cryptographic_length is None else wanted.cryptographic_length
    material = generate(wanted.cryptographic_algorithm, length)
    uid = _new_identifier(wanted.unique_identifier)
    attributes = dataclasses.replace(
        wanted,
        cryptographic_length=length,
        key_format_type=wanted.key_format_type or KeyFormatType.RAW,
    )
    await call.commit(Insert(_new_object(call, uid, attributes, material)))
    return CreateResponse(object_type=request.object_type, unique_identifier=uid)


async def import_(call: Call, request: ImportRequest) -> ImportResponse:
    """Take a key from outside under the identifier that the client chose, or a new one for ""."""
    call.check_may_create()
    attributes, material = _imported_key(request)
    uid = _new_identifier(request.unique_identifier or attributes.unique_identifier)
    new = _new_object(call, uid, attributes, material)
    known = await call.store.get(uid)
    if known is None:
        try:
            await call.commit(Insert(new))
        except ObjectAlreadyExists:
            if request.replace_existing:  # it came in between, and may be the caller's to replace
                raise Conflict from None
            raise
    elif request.replace_existing and owns(call.principal, known):
        new = dataclasses.replace(new, version=known.version + 1)
        new = dataclasses.replace(new, sealed=call.seal(new, material))
        await call.commit(Replace(new, seen=known.generation))
    else:
        # The same words whoever owns it; that the identifier is taken cannot be hidden.
        raise ObjectAlreadyExists("the identifier is taken")
    return ImportResponse(unique_identifier=uid)


def _new_object(
    call: Call, uid: UniqueIdentifier, wanted: Attributes, material: KeyMaterial
) -> ManagedObject:
    """An Active symmetric key of the caller's. Raises for attributes that are not theirs to set."""
    check_settable(wanted)
    tags = user_tags(wanted) | {SYSTEM_TAGS[ObjectType.SYMMETRIC_KEY]}
    sensitive = bool(wanted.sensitive)
    extractable = wanted.extractable is not False
    attributes = dataclasses.replace(
        without_tags(wanted),
        unique_identifier=None,
        object_type=None,
        sensitive=sensitive,
        always_sensitive=sensitive,
        extractable=extractable,
        never_extractable=not extractable,
        initial_date=call.now,
        activation_date=call.now,
        original_creation_date=call.now,
        last_change_date=call.now,
    )
    if len(dump_attributes(attributes)) + sum(map(len, tags)) > MAX_ATTRIBUTES_LENGTH:
        raise InvalidField(f"attributes and tags have more than {MAX_ATTRIBUTES_LENGTH} characters")
    new = ManagedObject(
        uid=uid,
        owner=call.principal,
        object_type=ObjectType.SYMMETRIC_KEY,
        state=State.ACTIVE,
        attributes=attributes,
        tags=tags,
        sealed=None,
        created_at=call.now,
    )
    return dataclasses.replace(new, sealed=call.seal(new, material))


def _imported_key(request: ImportRequest) -> tuple[Attributes, KeyMaterial]:
    """The key and its attributes: those outside win, then those in the key value, then the block's."""
    _check_object_type(request.object_type, request.attributes)
    if not isinstance(request.object, SymmetricKey):
        raise MissingData("Object with a KeyBlock is missing")
    block = request.object.key_block
    material = _material(block)
    inner = block.key_value.attributes if block.key_value else None
    attributes = _merged(request.attributes, inner or Attributes())
    algorithm = attributes.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing")
    check_key_length(algorithm, material.bits)  # the key's own bits; clients state other lengths
    if attributes.key_format_type not in _FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    attributes = dataclasses.replace(
        attributes,
        cryptographic_algorithm=algorithm,
        cryptographic_length=material.bits,
        key_format_type=attributes.key_format_type or block.key_format_type,
    )
    return attributes, material


def _material(block: KeyBlock) -> KeyMaterial:
    if block.key_wrapping_data is not None:
        raise FeatureNotSupported("importing wrapped keys is not supported")
    if block.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")
    if block.key_format_type not in _FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    if block.key_value is None:
        raise MissingData("KeyValue is missing in KeyBlock")
    return KeyMaterial(block.key_value.key_material.octets)


def _merged(outer: Attributes, inner: Attributes) -> Attributes:
    """Both, the outer ones winning; None and () mean that an attribute is not set.

    Vendor attributes count one by one: an outer tag must not make an inner one of another name,
    which may ask for something, go without a word.
    """
    given = {(each.vendor_identification, each.attribute_name) for each in outer.vendor_attributes}
    merged = {
        each.name: value
        for each in dataclasses.fields(outer)
        if (value := getattr(outer, each.name)) not in (None, ())
    }
    merged["vendor_attributes"] = outer.vendor_attributes + tuple(
        each
        for each in inner.vendor_attributes
        if (each.vendor_identification, each.attribute_name) not in given
    )
    return dataclasses.replace(inner, **merged)


def _check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    if object_type is not ObjectType.SYMMETRIC_KEY:
        raise FeatureNotSupported("only symmetric keys are supported")
    if attributes.object_type not in {None, object_type}:
        raise InvalidField("ObjectType and the one in Attributes differ")


def _new_identifier(wanted: str | None) -> UniqueIdentifier:
    """The client's choice, or a random one; nobody can guess the next."""
    if not wanted:
        return UniqueIdentifier(str(uuid.uuid4()))
    if wanted.startswith("["):
        raise InvalidAttributeValue("an identifier may not start with [, which means a tag list")
    if len(wanted) > MAX_IDENTIFIER_LENGTH or "\0" in wanted:
        raise InvalidAttributeValue(
            f"an identifier has at most {MAX_IDENTIFIER_LENGTH} characters and no null character"
        )
    return UniqueIdentifier(wanted)
