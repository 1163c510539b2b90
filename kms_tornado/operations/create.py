"""Create and Import: new symmetric keys (KMIP 2.1 §6.1.8, §6.1.21; KMIP.md §8)."""

from __future__ import annotations

import dataclasses

from ..crypto.material import KeyMaterial
from ..crypto.symmetric import NEW_KEY_TECHNIQUES, check_key_length, generate
from ..domain.access import owns
from ..domain.lifecycle import Use
from ..errors import (
    FeatureNotSupported,
    KeyFormatTypeNotSupported,
    MissingData,
    ObjectAlreadyExists,
)
from ..kmip.attributes import Attributes
from ..kmip.enums import KeyFormatType, ObjectType
from ..kmip.objects import EncodedKeyValue, KeyBlock, KeyValue, SymmetricKey
from ..kmip.objects import KeyMaterial as KeyMaterialField
from ..kmip.payloads import CreateRequest, CreateResponse, ImportRequest, ImportResponse
from ..store.base import Conflict, Insert, Replace
from .call import Call
from .new_object import check_object_type, merged, new_identifier, new_object

DEFAULT_LENGTH = 256  # bits; cloudproof_kms_js asks for none
_FORMATS = frozenset({None, KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})


async def create(call: Call, request: CreateRequest) -> CreateResponse:
    """Make a symmetric key."""
    call.check_may_create()
    _check_object_type(request.object_type, request.attributes)
    wanted = request.attributes
    if wanted.cryptographic_algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing in Attributes")
    if wanted.key_format_type not in _FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    length = DEFAULT_LENGTH if wanted.cryptographic_length is None else wanted.cryptographic_length
    technique = NEW_KEY_TECHNIQUES.get(wanted.cryptographic_algorithm)
    if technique is not None:
        call.check_allowed(technique, Use.PROTECT)
    material = generate(wanted.cryptographic_algorithm, length)
    uid = new_identifier(wanted.unique_identifier)
    computed = Attributes(
        cryptographic_length=length,
        key_format_type=wanted.key_format_type or KeyFormatType.RAW,
    )
    await call.commit(
        Insert(new_object(call, uid, request.object_type, wanted, material, computed))
    )
    return CreateResponse(object_type=request.object_type, unique_identifier=uid)


async def import_(call: Call, request: ImportRequest) -> ImportResponse:
    """Take a key from outside under the identifier that the client chose, or a new one for ""."""
    call.check_may_create()
    attributes, material = _imported_key(request)
    uid = new_identifier(request.unique_identifier or attributes.unique_identifier)
    new = new_object(call, uid, request.object_type, attributes, material)
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


def _imported_key(request: ImportRequest) -> tuple[Attributes, KeyMaterial]:
    """The key and its attributes: those outside win, then those in the key value, then the block's."""
    _check_object_type(request.object_type, request.attributes)
    if not isinstance(request.object, SymmetricKey):
        raise MissingData("Object with a KeyBlock is missing")
    block = request.object.key_block
    material = _material(block)
    inner = block.key_value.attributes if isinstance(block.key_value, KeyValue) else None
    attributes = merged(request.attributes, inner or Attributes())
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
    if isinstance(block.key_value, EncodedKeyValue):
        raise FeatureNotSupported("a KeyValue in TTLV encoding is not supported")
    if not isinstance(block.key_value.key_material, KeyMaterialField):
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    return KeyMaterial(block.key_value.key_material.octets)


def _check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    if object_type is not ObjectType.SYMMETRIC_KEY:
        raise FeatureNotSupported("only symmetric keys are supported")
    check_object_type(object_type, attributes)
