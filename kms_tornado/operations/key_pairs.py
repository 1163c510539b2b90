"""CreateKeyPair: RSA and elliptic curves, the two keys linked to each other (KMIP 2.1 §6.1.9)."""

from __future__ import annotations

import dataclasses

from ..crypto.keys.curves import (
    ED448,
    ED25519,
    NIST_CURVES,
    P256,
    RFC8410_CURVES,
    Curve,
    find_curve_by_number,
)
from ..crypto.keys.formats import choose_default_format, read_private, read_public
from ..crypto.keys.generation import (
    DEFAULT_RSA_LENGTH,
    KeyPair,
    check_rsa_length,
    generate_ec,
    generate_rsa,
)
from ..crypto.keys.numbers import PrivateNumbers, PublicNumbers
from ..crypto.material import KeyMaterial
from ..domain.managed_object import ManagedObject, UniqueIdentifier
from ..domain.protection_storage import check_protection_storage_of_pair
from ..errors import (
    InvalidAttribute,
    InvalidAttributeValue,
    InvalidField,
    MissingData,
    UnsupportedCryptographicParameters,
)
from ..kmip.attributes import Attributes
from ..kmip.enums import CryptographicAlgorithm, KeyFormatType, LinkType, ObjectType
from ..kmip.payloads import CreateKeyPairRequest, CreateKeyPairResponse
from ..kmip.structures import Link
from ..kmip.tables import format_name
from ..store.interface.changes import Insert
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import make_object
from .common.object_attributes import merge_attributes
from .objects.incoming import describe_asymmetric_key
from .objects.outgoing import render_material

_A = CryptographicAlgorithm
_ON_CURVES = frozenset({_A.EC, _A.ECDSA, _A.ECDH})
_EDWARDS_CURVES = {_A.ED25519: ED25519, _A.ED448: ED448}


async def create_key_pair(call: Call, request: CreateKeyPairRequest) -> CreateKeyPairResponse:
    """Create a private and a public key. Common attributes apply to both; each key's own take precedence."""
    call.check_may_create()
    check_protection_storage_of_pair(
        request.common_protection_storage_masks,
        request.private_protection_storage_masks,
        request.public_protection_storage_masks,
    )
    private_attributes = merge_attributes(request.private_key_attributes, request.common_attributes)
    public_attributes = merge_attributes(request.public_key_attributes, request.common_attributes)
    pair = await generate_pair(call, private_attributes, public_attributes)
    private_uid = new_identifier(private_attributes.unique_identifier)
    requested_public = _find_public_identifier(request)
    public_uid = new_identifier(requested_public)
    if private_uid == public_uid:
        raise InvalidAttributeValue("the two keys need an identifier each")
    private = make_private_key(call, private_uid, private_attributes, pair.private, public_uid)
    public = make_public_key(call, public_uid, public_attributes, pair.public, private_uid)
    await call.commit(
        Insert(private, is_uid_random=not private_attributes.unique_identifier),
        Insert(public, is_uid_random=not requested_public),
    )
    return CreateKeyPairResponse(
        private_key_unique_identifier=private_uid, public_key_unique_identifier=public_uid
    )


async def generate_pair(call: Call, private: Attributes, public: Attributes) -> KeyPair:
    """Generate a pair as the attributes of the two keys describe it, RSA keys on a thread.

    Raises MissingData, InvalidField, InvalidAttributeValue, UnsupportedCryptographicParameters.
    """
    for private_value, public_value in (
        (private.cryptographic_algorithm, public.cryptographic_algorithm),
        (private.cryptographic_length, public.cryptographic_length),
        (private.cryptographic_domain_parameters, public.cryptographic_domain_parameters),
    ):
        if None not in {private_value, public_value} and private_value != public_value:
            raise InvalidField("the attributes of the two keys contradict each other")
    algorithm = private.cryptographic_algorithm or public.cryptographic_algorithm
    length = private.cryptographic_length or public.cryptographic_length
    domain = private.cryptographic_domain_parameters or public.cryptographic_domain_parameters
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing")
    if algorithm is _A.RSA:
        if domain is not None and domain.recommended_curve is not None:
            raise InvalidField("an RSA key has no curve")
        bits = DEFAULT_RSA_LENGTH if length is None else length
        check_rsa_length(bits)
        return await call.offload(lambda: generate_rsa(bits), heavy=True)
    return generate_ec(
        _choose_curve(algorithm, length, domain.recommended_curve if domain else None)
    )


def make_private_key(
    call: Call,
    uid: UniqueIdentifier,
    requested: Attributes,
    material: KeyMaterial,
    public_uid: UniqueIdentifier,
) -> ManagedObject:
    """A new private key, linked to its public key. material: PKCS#8 in DER."""
    key = read_private(material)
    links = _link_to(public_uid, LinkType.PUBLIC_KEY_LINK, requested)
    return _make_key(call, uid, ObjectType.PRIVATE_KEY, requested, material, key, links)


def make_public_key(
    call: Call,
    uid: UniqueIdentifier,
    requested: Attributes,
    material: KeyMaterial,
    private_uid: UniqueIdentifier,
) -> ManagedObject:
    """A new public key, linked to its private key. material: SPKI in DER."""
    key = read_public(material.reveal())
    links = _link_to(private_uid, LinkType.PRIVATE_KEY_LINK, requested)
    return _make_key(call, uid, ObjectType.PUBLIC_KEY, requested, material, key, links)


def _make_key(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    requested: Attributes,
    material: KeyMaterial,
    key: PrivateNumbers | PublicNumbers,
    links: tuple[Link, ...],
) -> ManagedObject:
    key_format = _choose_format(call, key, requested.key_format_type)
    render_material(object_type, material, key_format)  # raises if the key cannot have this format
    server_attributes = dataclasses.replace(
        describe_asymmetric_key(key, key_format, requested.cryptographic_algorithm), links=links
    )
    return make_object(
        call, uid, object_type, requested, material, server_attributes, is_generated=True
    )


def _choose_format(
    call: Call, key: PrivateNumbers | PublicNumbers, requested_format: KeyFormatType | None
) -> KeyFormatType:
    if requested_format is not None:
        return requested_format
    if call.client.key_pairs_in_der:
        return KeyFormatType.PKCS8 if isinstance(key, PrivateNumbers) else KeyFormatType.X509
    return choose_default_format(key)


def _find_public_identifier(request: CreateKeyPairRequest) -> str | None:
    """The identifier of the public key. Raises InvalidAttribute for one common to both keys."""
    if request.common_attributes.unique_identifier is not None:
        raise InvalidAttribute("UniqueIdentifier cannot be common to two keys")
    return request.public_key_attributes.unique_identifier


def _link_to(uid: UniqueIdentifier, link_type: LinkType, requested: Attributes) -> tuple[Link, ...]:
    """The requested links, with those of link_type replaced by one to the key `uid`."""
    others = (link for link in requested.links if link.link_type is not link_type)
    return (*others, Link(link_type, uid))


def _choose_curve(
    algorithm: CryptographicAlgorithm, length: int | None, number: int | None
) -> Curve:
    """The curve with that number, else the NIST curve of that length, else the algorithm's default.

    length: in bits. number: of RecommendedCurve.
    Raises UnsupportedCryptographicParameters, InvalidAttributeValue, InvalidField.
    """
    if algorithm in _EDWARDS_CURVES:
        curve: Curve | None = _EDWARDS_CURVES[algorithm]
    elif algorithm not in _ON_CURVES:
        raise UnsupportedCryptographicParameters(f"{format_name(algorithm)} makes no key pair here")
    elif number is not None:
        curve = find_curve_by_number(number, algorithm)
    elif length is None:
        curve = P256
    else:
        curve = next((nist for nist in NIST_CURVES if nist.bits == length), None)
    if curve is None:
        raise InvalidAttributeValue(
            "keys on curves have 256, 384 or 521 bits, or a RecommendedCurve"
        )
    if curve in RFC8410_CURVES and algorithm is _A.ECDSA:
        raise UnsupportedCryptographicParameters(
            "CURVE25519 signs as Ed25519, and CURVE448 as Ed448"
        )
    if number is not None and number != curve.recommended:
        raise InvalidField("CryptographicAlgorithm and RecommendedCurve contradict each other")
    if length is not None and length not in {curve.bits, 8 * curve.size}:
        raise InvalidField("CryptographicLength and RecommendedCurve contradict each other")
    return curve
