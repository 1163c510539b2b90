"""Calls that make, bring, fetch, find and end objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kmip.attributes import Attributes
from ...kmip.enums import (
    CryptographicAlgorithm,
    DerivationMethod,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    RecommendedCurve,
    RevocationReasonCode,
)
from ...kmip.objects import OBJECT_CLASSES, KeyWrappingSpecification, Object
from ...kmip.payloads import (
    ActivateRequest,
    CreateKeyPairRequest,
    CreateKeyPairResponse,
    CreateRequest,
    CreateResponse,
    DeriveKeyRequest,
    DeriveKeyResponse,
    DestroyRequest,
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
    ImportRequest,
    ImportResponse,
    LocateCriteria,
    LocateRequest,
    RegisterRequest,
    RegisterResponse,
    ReKeyKeyPairRequest,
    ReKeyRequest,
    RevokeRequest,
)
from ...kmip.schema import to_node
from ...kmip.structures import (
    CryptographicDomainParameters,
    DerivationParameters,
    RevocationReason,
)
from ...kmip.ttlv import children_of
from ..exchanges import Exchange, perform
from .arguments import Key, describe, find_value, identify, new_identifier


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The identifiers of two keys that belong together."""

    private_key: str
    public_key: str


def create_symmetric_key(
    algorithm: CryptographicAlgorithm | str = "AES",
    length: int | None = 256,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Create a symmetric key; its identifier. length: in bits, None for the algorithm's usual one.

    A key without `unique_identifier` gets a random one here, so that the request may be repeated.
    """
    uid = unique_identifier or new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid).replace(
        cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm),
        cryptographic_length=length,
    )
    created = None if unique_identifier else CreateResponse(ObjectType.SYMMETRIC_KEY, uid)
    request = CreateRequest(ObjectType.SYMMETRIC_KEY, described)
    return perform(request, created=created).then(lambda response: response.unique_identifier)


def create_key_pair(
    algorithm: CryptographicAlgorithm | str,
    length: int | None = None,
    *,
    curve: RecommendedCurve | str | None = None,
    name: str | None = None,
    public_key_name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    public_key_identifier: str | None = None,
    attributes: Attributes | None = None,
    private_key_attributes: Attributes | None = None,
    public_key_attributes: Attributes | None = None,
) -> Exchange[KeyPair]:
    """Create a private key and its public key; their identifiers.

    length: in bits, of RSA. curve: "P-256" and so on. name, unique_identifier: of the private key.
    tags, attributes: of both keys.
    """
    common = describe(attributes, tags=tags).replace(
        cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm),
        cryptographic_length=length,
    )
    if curve is not None:
        parameters = CryptographicDomainParameters(
            recommended_curve=find_value(RecommendedCurve, curve)
        )
        common = common.replace(cryptographic_domain_parameters=parameters)
    private, public = (
        unique_identifier or new_identifier(),
        public_key_identifier or new_identifier(),
    )
    request = CreateKeyPairRequest(
        common_attributes=common,
        private_key_attributes=describe(
            private_key_attributes, name=name, unique_identifier=private
        ),
        public_key_attributes=describe(
            public_key_attributes, name=public_key_name, unique_identifier=public
        ),
    )
    is_random = unique_identifier is None and public_key_identifier is None
    created = CreateKeyPairResponse(private, public) if is_random else None
    return perform(request, created=created).then(
        lambda response: KeyPair(
            response.private_key_unique_identifier, response.public_key_unique_identifier
        )
    )


def import_object(
    value: Object,
    *,
    unique_identifier: str | None = None,
    replace_existing: bool = False,
    key_wrap_type: KeyWrapType | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Bring an object of one's own, under an identifier of one's own; its identifier.

    replace_existing: the object that has the identifier, if it is the caller's, is replaced.
    key_wrap_type: As Registered keeps a wrapped key wrapped.
    """
    uid = unique_identifier or new_identifier()
    request = ImportRequest(
        unique_identifier=uid,
        object_type=_type_of(value),
        replace_existing=replace_existing or None,
        key_wrap_type=key_wrap_type,
        attributes=describe(attributes, name=name, tags=tags),
        object=value,
    )
    created = None if unique_identifier else ImportResponse(uid)
    return perform(request, created=created).then(lambda response: response.unique_identifier)


def register(
    value: Object,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Bring an object of one's own, as KMIP 2.1 §6.1.39 has it; its identifier."""
    uid = new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid)
    request = RegisterRequest(_type_of(value), described, value)
    return perform(request, created=RegisterResponse(uid)).then(
        lambda response: response.unique_identifier
    )


def derive_key(
    key: Key,
    method: DerivationMethod | str,
    parameters: DerivationParameters,
    *,
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
    algorithm: CryptographicAlgorithm | str | None = "AES",
    length: int = 256,
    name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Derive a key, or secret data, from an object; its identifier. length: in bits."""
    uid = unique_identifier or new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid)
    described = described.replace(cryptographic_length=length)
    if algorithm is not None:
        described = described.replace(
            cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm)
        )
    request = DeriveKeyRequest(
        object_type,
        (identify(key),),
        derivation_method=find_value(DerivationMethod, method),
        derivation_parameters=parameters,
        attributes=described,
    )
    created = None if unique_identifier else DeriveKeyResponse(uid)
    return perform(request, created=created).then(lambda response: response.unique_identifier)


def get(
    key: Key,
    *,
    key_format_type: KeyFormatType | None = None,
    key_wrap_type: KeyWrapType | None = None,
    wrapping: KeyWrappingSpecification | None = None,
) -> Exchange[GetResponse]:
    """Fetch an object. wrapping: the key to wrap it with, and how."""
    return perform(
        GetRequest(
            unique_identifier=identify(key),
            key_format_type=key_format_type,
            key_wrap_type=key_wrap_type,
            key_wrapping_specification=wrapping,
        )
    )


def export(
    key: Key,
    *,
    key_format_type: KeyFormatType | None = None,
    key_wrap_type: KeyWrapType | None = None,
    wrapping: KeyWrappingSpecification | None = None,
) -> Exchange[ExportResponse]:
    """Fetch an object, revoked ones too, together with its attributes."""
    return perform(
        ExportRequest(
            unique_identifier=identify(key),
            key_format_type=key_format_type,
            key_wrap_type=key_wrap_type,
            key_wrapping_specification=wrapping,
        )
    )


def rekey(key: Key, *, attributes: Attributes | None = None) -> Exchange[str]:
    """Replace a symmetric key by a new one, which takes over its name; the identifier of the new one."""
    request = ReKeyRequest(identify(key), attributes=attributes or Attributes())
    return perform(request).then(lambda response: response.unique_identifier)


def rekey_key_pair(key: Key, *, attributes: Attributes | None = None) -> Exchange[KeyPair]:
    """Replace a private key and its public key. key: the private one."""
    request = ReKeyKeyPairRequest(identify(key), common_attributes=attributes or Attributes())
    return perform(request).then(
        lambda response: KeyPair(
            response.private_key_unique_identifier, response.public_key_unique_identifier
        )
    )


def activate(key: Key) -> Exchange[str]:
    """Make an object Active that is Pre-Active; its identifier."""
    return perform(ActivateRequest(identify(key))).then(lambda response: response.unique_identifier)


def revoke(
    key: Key, reason: RevocationReasonCode | str = "Unspecified", message: str | None = None
) -> Exchange[str]:
    """End the use of an object; its identifier. With "Key Compromise" it counts as compromised."""
    code = find_value(RevocationReasonCode, reason)
    request = RevokeRequest(identify(key), RevocationReason(code, message))
    return perform(request).then(lambda response: response.unique_identifier)


def destroy(key: Key, remove: bool = False) -> Exchange[str]:
    """Destroy the material of a revoked object; its identifier. remove: also what is known of it."""
    request = DestroyRequest(identify(key), remove or None)
    return perform(request).then(lambda response: response.unique_identifier)


def locate(
    attributes: Attributes | None = None,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    maximum_items: int | None = None,
    offset_items: int | None = None,
) -> Exchange[list[str]]:
    """The identifiers of the objects that have all of these, the caller's own first.

    Without any attribute: of all objects that are not destroyed and that the caller may know of.
    """
    described = describe(attributes, name=name, tags=tags)
    request = LocateRequest(
        LocateCriteria(children_of(to_node(described, "Attributes"))),
        maximum_items=maximum_items,
        offset_items=offset_items,
    )
    return perform(request).then(lambda response: list(response.unique_identifiers))


def _type_of(value: Object) -> ObjectType:
    for object_type, cls in OBJECT_CLASSES.items():
        if isinstance(value, cls):
            return object_type
    raise TypeError(f"{type(value).__name__} is no object of kms_tornado.kmip.objects")
