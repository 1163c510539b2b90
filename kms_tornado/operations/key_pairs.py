"""CreateKeyPair: RSA and elliptic curves, the two keys linked to each other (KMIP 2.1 §6.1.9)."""

from __future__ import annotations

import dataclasses

from ..crypto.keys.asymmetric import (
    DEFAULT_RSA_LENGTH,
    KeyPair,
    check_rsa_length,
    generate_ec,
    generate_rsa,
)
from ..crypto.keys.formats import choose_default_format, read_private, read_public
from ..crypto.keys.numbers import (
    ED25519,
    NIST_CURVES,
    P256,
    X25519,
    Curve,
    PrivateNumbers,
    PublicNumbers,
    find_curve_by_number,
)
from ..crypto.material import KeyMaterial
from ..domain.managed_object import ManagedObject, UniqueIdentifier
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
from ..store.base import Insert
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import merged, new_object
from .objects.incoming import asymmetric_attributes
from .objects.outgoing import material_field

_A = CryptographicAlgorithm
_ON_CURVES = frozenset({_A.EC, _A.ECDSA, _A.ECDH})


async def create_key_pair(call: Call, request: CreateKeyPairRequest) -> CreateKeyPairResponse:
    """Make a private and a public key; common attributes go to both, their own ones win."""
    call.check_may_create()
    private_wanted = merged(request.private_key_attributes, request.common_attributes)
    public_wanted = merged(request.public_key_attributes, request.common_attributes)
    pair = await generate_pair(call, private_wanted, public_wanted)
    private_uid = new_identifier(private_wanted.unique_identifier)
    public_uid = new_identifier(_public_identifier(request))
    if private_uid == public_uid:
        raise InvalidAttributeValue("the two keys need an identifier each")
    await call.commit(
        Insert(private_key_object(call, private_uid, private_wanted, pair.private, public_uid)),
        Insert(public_key_object(call, public_uid, public_wanted, pair.public, private_uid)),
    )
    return CreateKeyPairResponse(
        private_key_unique_identifier=private_uid, public_key_unique_identifier=public_uid
    )


async def generate_pair(call: Call, private: Attributes, public: Attributes) -> KeyPair:
    """A pair as the attributes want it; RSA in a thread.

    Raises MissingData, InvalidField, InvalidAttributeValue, UnsupportedCryptographicParameters.
    """
    for one, other in (
        (private.cryptographic_algorithm, public.cryptographic_algorithm),
        (private.cryptographic_length, public.cryptographic_length),
        (private.cryptographic_domain_parameters, public.cryptographic_domain_parameters),
    ):
        if None not in {one, other} and one != other:
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
    return generate_ec(_curve(algorithm, length, domain.recommended_curve if domain else None))


def private_key_object(
    call: Call,
    uid: UniqueIdentifier,
    wanted: Attributes,
    material: KeyMaterial,
    public_uid: UniqueIdentifier,
) -> ManagedObject:
    key = read_private(material)
    links = (*_others(wanted, LinkType.PUBLIC_KEY_LINK), Link(LinkType.PUBLIC_KEY_LINK, public_uid))
    return _object(call, uid, ObjectType.PRIVATE_KEY, wanted, material, key, links)


def public_key_object(
    call: Call,
    uid: UniqueIdentifier,
    wanted: Attributes,
    material: KeyMaterial,
    private_uid: UniqueIdentifier,
) -> ManagedObject:
    key = read_public(material.reveal())
    links = (
        *_others(wanted, LinkType.PRIVATE_KEY_LINK),
        Link(LinkType.PRIVATE_KEY_LINK, private_uid),
    )
    return _object(call, uid, ObjectType.PUBLIC_KEY, wanted, material, key, links)


def _object(
    call: Call,
    uid: UniqueIdentifier,
    object_type: ObjectType,
    wanted: Attributes,
    material: KeyMaterial,
    key: PrivateNumbers | PublicNumbers,
    links: tuple[Link, ...],
) -> ManagedObject:
    key_format = _format(call, key, wanted.key_format_type)
    material_field(object_type, material, key_format)  # the key has this format
    computed = asymmetric_attributes(key, key_format, wanted.cryptographic_algorithm)
    computed = dataclasses.replace(computed, links=links)
    return new_object(call, uid, object_type, wanted, material, computed, made=True)


def _format(
    call: Call, key: PrivateNumbers | PublicNumbers, wanted: KeyFormatType | None
) -> KeyFormatType:
    if wanted is not None:
        return wanted
    if call.client.key_pairs_in_der:
        return KeyFormatType.PKCS8 if isinstance(key, PrivateNumbers) else KeyFormatType.X509
    return choose_default_format(key)


def _public_identifier(request: CreateKeyPairRequest) -> str | None:
    """Never the common one: it cannot be for both."""
    if request.common_attributes.unique_identifier is not None:
        raise InvalidAttribute("UniqueIdentifier cannot be common to two keys")
    return request.public_key_attributes.unique_identifier


def _others(wanted: Attributes, link_type: LinkType) -> tuple[Link, ...]:
    return tuple(each for each in wanted.links if each.link_type is not link_type)


def _curve(algorithm: CryptographicAlgorithm, length: int | None, number: int | None) -> Curve:
    """The recommended curve, else the one of that length, else the algorithm's own."""
    if algorithm is _A.ED25519:
        found: Curve | None = ED25519
    elif algorithm not in _ON_CURVES:
        raise UnsupportedCryptographicParameters(f"{algorithm.name} makes no key pair here")
    elif number is not None:
        found = find_curve_by_number(number, algorithm)
    elif length is None:
        found = P256
    else:
        found = next((each for each in NIST_CURVES if each.bits == length), None)
    if found is None:
        raise InvalidAttributeValue("keys on curves have 256, 384 or 521 bits")
    if found is X25519 and algorithm is _A.ECDSA:
        raise UnsupportedCryptographicParameters("CURVE25519 signs as Ed25519")
    if number is not None and number != found.recommended:
        raise InvalidField("CryptographicAlgorithm and RecommendedCurve contradict each other")
    if length is not None and length not in {found.bits, 8 * found.size}:
        raise InvalidField("CryptographicLength and RecommendedCurve contradict each other")
    return found
