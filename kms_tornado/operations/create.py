"""Create: new symmetric keys (KMIP 2.1 §6.1.8)."""

from __future__ import annotations

from ..crypto.keys.symmetric import NEW_KEY_TECHNIQUES, generate_key
from ..domain.lifecycle import Use
from ..domain.protection_storage import check_protection_storage
from ..errors import (
    FeatureNotSupported,
    KeyFormatTypeNotSupported,
    MissingData,
)
from ..kmip.attributes import Attributes
from ..kmip.enums import KeyFormatType, ObjectType
from ..kmip.payloads import CreateRequest, CreateResponse
from ..store.interface.changes import Insert
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import make_object
from .objects.stored_wrapped import extract_wrapping_key_id, wrap_new_object

DEFAULT_LENGTH = 256  # bits; cloudproof_kms_js sends no length
_FORMATS = frozenset({None, KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})


async def create(call: Call, request: CreateRequest) -> CreateResponse:
    """Create a symmetric key, stored wrapped if the request names a wrapping key."""
    call.check_may_create()
    check_protection_storage(request.protection_storage_masks)
    if request.object_type is not ObjectType.SYMMETRIC_KEY:
        raise FeatureNotSupported("Create makes symmetric keys; CreateKeyPair makes the others")
    wrapping_uid, requested = extract_wrapping_key_id(request.attributes)
    algorithm, length = requested.cryptographic_algorithm, requested.cryptographic_length
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing in Attributes")
    if requested.key_format_type not in _FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    if length is None:
        length = DEFAULT_LENGTH
    technique = NEW_KEY_TECHNIQUES.get(algorithm)
    if technique is not None:
        call.check_allowed(technique, Use.PROTECT)
    material = generate_key(algorithm, length)
    uid = new_identifier(requested.unique_identifier)
    server_attributes = Attributes(
        cryptographic_length=length,
        key_format_type=requested.key_format_type or KeyFormatType.RAW,
    )
    new = make_object(
        call, uid, request.object_type, requested, material, server_attributes, is_generated=True
    )
    if wrapping_uid is not None:
        new = await wrap_new_object(call, new, wrapping_uid)
    await call.commit(Insert(new, is_uid_random=not requested.unique_identifier))
    return CreateResponse(object_type=request.object_type, unique_identifier=uid)
