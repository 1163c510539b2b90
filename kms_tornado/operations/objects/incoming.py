"""Incoming objects, parsed into the canonical form that the server stores (KMIP 2.1 §2, §3).

There is one canonical form per object type: raw octets of symmetric keys, secret data and opaque objects;
PKCS#8, SPKI and X.509 in DER of the others. `outgoing` renders it in the format of the attribute
KeyFormatType.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...crypto.keys import formats as key_formats
from ...crypto.keys.normalising import normalise_key
from ...crypto.keys.numbers import (
    PrivateNumbers,
    PublicNumbers,
    choose_length,
    describe_domain,
    determine_algorithm,
    list_key_lengths,
)
from ...crypto.keys.recognition import recognise_key
from ...crypto.keys.symmetric import check_key_length, list_lengths
from ...crypto.keys.transparent import parse_transparent
from ...crypto.material import KeyMaterial
from ...domain.wrapped_rights import WrappedRights
from ...errors import (
    FeatureNotSupported,
    InvalidField,
    KeyCompressionTypeNotSupported,
    KeyFormatTypeNotSupported,
    MalformedKey,
    MissingData,
)
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    ObjectType,
    SecretDataType,
)
from ...kmip.key_material import TRANSPARENT_KEYS, KeyMaterialField, TransparentKey
from ...kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    EncodedKeyValue,
    KeyBlock,
    KeyValue,
    Object,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from ...kmip.tables import format_name
from ..common.object_attributes import merge_attributes
from .certificate_attributes import describe_certificate
from .digests import digest_key

#: KMIP has no attribute for the type of secret data, so the server stores it as a system tag.
SECRET_TYPE_TAGS = {SecretDataType.PASSWORD: "_password", SecretDataType.SEED: "_seed"}
SYMMETRIC_FORMATS = frozenset({KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})
SECRET_FORMATS = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """The content of an incoming object.

    material: in canonical form.
    requested: the client's attributes, including those inside the key value.
    server_attributes: the ones that the server determined.
    system_tags: the server's own tags.
    rights: the ones that were wrapped with the object; None where there were none.
    """

    material: KeyMaterial
    requested: Attributes
    server_attributes: Attributes
    system_tags: frozenset[str] = field(default_factory=frozenset)
    rights: WrappedRights | None = None


def parse_object(
    object_type: ObjectType, incoming: Object | None, requested: Attributes
) -> ParsedObject:
    """Parse an object that is not wrapped.

    Raises MissingData, InvalidField, KeyFormatTypeNotSupported, KeyCompressionTypeNotSupported,
    UnsupportedCryptographicParameters.
    """
    if not isinstance(incoming, OBJECT_CLASSES[object_type]):
        raise MissingData(f"Object is missing, or not of the type {format_name(object_type)}")
    match incoming:
        case Certificate():
            return _parse_certificate(incoming, requested)
        case OpaqueObject():
            return _parse_opaque_object(incoming, requested)
        case SecretData():
            return _parse_secret_data(incoming, requested)
        case SymmetricKey():
            return _parse_symmetric_key(incoming.key_block, requested)
    return _parse_asymmetric_key(object_type, incoming.key_block, requested)


def parse_sent_object(
    object_type: ObjectType, incoming: Object, requested: Attributes
) -> ParsedObject:
    """As `parse_object`, for an object that was not unwrapped: the error says what its octets look like.

    For octets that were unwrapped, such an error would tell something to a user who may not read them.
    """
    try:
        return parse_object(object_type, incoming, requested)
    except MalformedKey as exc:
        look = _recognise_octets(incoming)
        if look is None:
            raise
        raise InvalidField(f"{exc}; it looks like {look}") from exc


def _recognise_octets(incoming: Object) -> str | None:
    """What the octets of a key look like if they are not in the stated format; None for a key without octets."""
    if not isinstance(incoming, PrivateKey | PublicKey):
        return None
    value = incoming.key_block.key_value
    if not isinstance(value, KeyValue) or not isinstance(value.key_material, KeyMaterialField):
        return None
    return recognise_key(value.key_material.octets, incoming.key_block.key_format_type)


def check_compression_type(compression: int | None) -> None:
    """Check that a key comes, or is to be given out, uncompressed. That is the default, which a client may state.

    compression: a number of KeyCompressionType.
    Points on curves are stored and given out uncompressed; other keys have nothing to compress. Raises
    KeyCompressionTypeNotSupported.
    """
    if compression not in {None, KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED}:
        raise KeyCompressionTypeNotSupported(
            "keys are uncompressed here: leave KeyCompressionType out, or state ECPublicKeyTypeUncompressed"
        )


def merge_inner_attributes(block: KeyBlock, requested: Attributes) -> Attributes:
    """The attributes of the request, completed by those inside the key value."""
    value = block.key_value
    inner = value.attributes if isinstance(value, KeyValue) else None
    return requested if inner is None else merge_attributes(requested, inner)


def _parse_certificate(certificate: Certificate, requested: Attributes) -> ParsedObject:
    if certificate.certificate_type is not CertificateType.X509:
        raise FeatureNotSupported("certificates are X.509 here")
    octets = certificate.certificate_value
    return ParsedObject(KeyMaterial(octets), requested, describe_certificate(octets))


def _parse_opaque_object(opaque: OpaqueObject, requested: Attributes) -> ParsedObject:
    return ParsedObject(
        KeyMaterial(opaque.opaque_data_value),
        requested,
        Attributes(opaque_data_type=opaque.opaque_data_type),
    )


def _parse_secret_data(secret: SecretData, requested: Attributes) -> ParsedObject:
    block = secret.key_block
    material = _parse_octets(block, SECRET_FORMATS, "secret data is Raw or Opaque")
    tag = SECRET_TYPE_TAGS.get(secret.secret_data_type or SecretDataType.PASSWORD)
    return ParsedObject(
        material,
        merge_inner_attributes(block, requested),
        Attributes(key_format_type=block.key_format_type),
        frozenset({tag} if tag else ()),
    )


def _parse_symmetric_key(block: KeyBlock, requested: Attributes) -> ParsedObject:
    if block.key_format_type is KeyFormatType.OPAQUE:
        return _parse_opaque_key(block, requested)
    material = _parse_octets(
        block, SYMMETRIC_FORMATS, "a symmetric key is Raw, TransparentSymmetricKey or Opaque"
    )
    requested = merge_inner_attributes(block, requested)
    algorithm = requested.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing")
    stated = (requested.cryptographic_length, block.cryptographic_length)
    length = choose_length(list_lengths(algorithm, material.bits), stated)
    check_key_length(algorithm, length)
    if requested.key_format_type not in {None, *SYMMETRIC_FORMATS}:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    return ParsedObject(
        material,
        requested,
        Attributes(
            cryptographic_algorithm=algorithm,
            cryptographic_length=length,
            key_format_type=requested.key_format_type or block.key_format_type,
        ),
    )


def _parse_opaque_key(block: KeyBlock, requested: Attributes) -> ParsedObject:
    """A key whose octets only its client understands. Its algorithm and length are what the client states."""
    material = _parse_octets(
        block, frozenset({KeyFormatType.OPAQUE}), "an Opaque key is a ByteString"
    )
    requested = merge_inner_attributes(block, requested)
    return ParsedObject(
        material,
        requested,
        Attributes(
            cryptographic_algorithm=requested.cryptographic_algorithm
            or block.cryptographic_algorithm,
            cryptographic_length=requested.cryptographic_length or block.cryptographic_length,
            key_format_type=KeyFormatType.OPAQUE,
        ),
    )


def _parse_octets(block: KeyBlock, formats: frozenset[KeyFormatType], text: str) -> KeyMaterial:
    """The octets of the block's key. text: the error for a block in another format."""
    material = _read_material(block)
    if block.key_format_type not in formats or not isinstance(material, KeyMaterialField):
        raise KeyFormatTypeNotSupported(text)
    return KeyMaterial(material.octets)


def _parse_asymmetric_key(
    object_type: ObjectType, block: KeyBlock, requested: Attributes
) -> ParsedObject:
    if block.key_format_type is KeyFormatType.OPAQUE:
        raise KeyFormatTypeNotSupported(
            "symmetric keys and secret data are kept Opaque: state the format of this key, or register its "
            "octets as an OpaqueObject"
        )
    requested = merge_inner_attributes(block, requested)
    algorithm = requested.cryptographic_algorithm or block.cryptographic_algorithm
    material, key_format = _read_material(block), block.key_format_type
    key: PrivateNumbers | PublicNumbers
    if not isinstance(material, KeyMaterialField):
        key = parse_transparent(material, algorithm)
    elif key_format in TRANSPARENT_KEYS:
        raise InvalidField(f"KeyMaterial must be the parts of a {format_name(key_format)}")
    elif object_type is ObjectType.PRIVATE_KEY:
        key = key_formats.import_private(material.octets, key_format, algorithm)
    else:
        key = key_formats.import_public(material.octets, key_format, algorithm)
    is_private = isinstance(key, PrivateNumbers)
    if is_private is not (object_type is ObjectType.PRIVATE_KEY):
        raise InvalidField("a public key is not a private key, nor the other way round")
    key = normalise_key(key)
    return ParsedObject(
        key_formats.encode_canonical(key),
        requested,
        describe_asymmetric_key(
            key,
            key_format,
            algorithm,
            (requested.cryptographic_length, block.cryptographic_length),
        ),
    )


def _read_material(block: KeyBlock) -> KeyMaterialField | TransparentKey:
    check_compression_type(block.key_compression_type)
    if block.key_value is None:
        raise MissingData("KeyValue is missing in KeyBlock")
    if isinstance(block.key_value, EncodedKeyValue):
        raise InvalidField("a KeyValue is a ByteString only where it is wrapped")
    return block.key_value.key_material


def describe_asymmetric_key(
    key: PrivateNumbers | PublicNumbers,
    key_format: KeyFormatType,
    algorithm: CryptographicAlgorithm | None = None,
    stated_lengths: Sequence[int | None] = (),
) -> Attributes:
    """The attributes that the server determines from a key.

    algorithm: as the client stated it, or None. stated_lengths: likewise; the first one counts first.
    Raises InvalidField where the key is for another algorithm than stated.
    """
    return Attributes(
        cryptographic_algorithm=determine_algorithm(key, algorithm),
        cryptographic_length=choose_length(list_key_lengths(key), stated_lengths),
        cryptographic_domain_parameters=describe_domain(key),
        key_format_type=key_format,
        digests=() if isinstance(key, PrivateNumbers) else (digest_key(key, key_format),),
    )
