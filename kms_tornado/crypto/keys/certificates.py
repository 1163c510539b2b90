"""The contents of an X.509 certificate (RFC 5280): what KMIP's attributes repeat, and its public key.

No signature is checked and no chain is built: a KMIP server stores certificates, and whether to
trust them is the client's decision. So a certificate is read for what it says, and not measured against the
rules: what OpenSSL and Java read is taken, and given back byte for byte. `cryptography` would refuse a name
with an asterisk in a PrintableString.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.x509.oid import (
    ExtensionOID,
    ObjectIdentifier,
    PublicKeyAlgorithmOID,
    SignatureAlgorithmOID,
)

from ...errors import InvalidField, KMIPError
from ...kmip.enums import CryptographicAlgorithm, KeyFormatType
from .ber_reader import CONSTRUCTED, BERReader, Element, MalformedBER, encode_oid, read_single
from .certificate_names import (
    MAX_ALTERNATIVE_NAMES_BYTES,
    MAX_NAME_BYTES,
    Entity,
    read_entity,
)
from .der import BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE
from .formats import import_public
from .numbers import determine_algorithm, measure_key_length
from .recognition import recognise_certificate

_A = CryptographicAlgorithm


def _by_oid(table: Mapping[ObjectIdentifier | str, int]) -> Mapping[bytes, int]:
    return MappingProxyType(
        {
            encode_oid(oid if isinstance(oid, str) else oid.dotted_string): number
            for oid, number in table.items()
        }
    )


#: Signature algorithm → Digital Signature Algorithm (KMIP 2.1 §11.16).
_SIGNATURES = _by_oid(
    {
        SignatureAlgorithmOID.RSA_WITH_MD5: 0x02,
        SignatureAlgorithmOID.RSA_WITH_SHA1: 0x03,
        SignatureAlgorithmOID.RSA_WITH_SHA224: 0x04,
        SignatureAlgorithmOID.RSA_WITH_SHA256: 0x05,
        SignatureAlgorithmOID.RSA_WITH_SHA384: 0x06,
        SignatureAlgorithmOID.RSA_WITH_SHA512: 0x07,
        SignatureAlgorithmOID.RSASSA_PSS: 0x08,
        SignatureAlgorithmOID.DSA_WITH_SHA1: 0x09,
        SignatureAlgorithmOID.DSA_WITH_SHA224: 0x0A,
        SignatureAlgorithmOID.DSA_WITH_SHA256: 0x0B,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1: 0x0C,
        SignatureAlgorithmOID.ECDSA_WITH_SHA224: 0x0D,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256: 0x0E,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384: 0x0F,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512: 0x10,
    }
)

#: Type of a public key → its algorithm, for keys that the server only keeps.
_KEY_TYPES = _by_oid(
    {
        PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5: _A.RSA,
        PublicKeyAlgorithmOID.RSASSA_PSS: _A.RSA,
        "1.2.840.113549.1.1.7": _A.RSA,  # RSAES-OAEP
        PublicKeyAlgorithmOID.DSA: _A.DSA,
        PublicKeyAlgorithmOID.EC_PUBLIC_KEY: _A.EC,
        PublicKeyAlgorithmOID.X25519: _A.ECDH,
        PublicKeyAlgorithmOID.X448: _A.ECDH,
        PublicKeyAlgorithmOID.ED25519: _A.ED25519,
        PublicKeyAlgorithmOID.ED448: _A.ED448,
        "1.2.840.10046.2.1": _A.DH,  # X9.42
        "1.2.840.113549.1.3.1": _A.DH,  # PKCS#3
    }
)
_RSA_TYPES = frozenset(oid for oid, number in _KEY_TYPES.items() if number == _A.RSA)

#: The longest in use have some 50 KiB. They are parsed on the event loop while all other requests
#: wait, and names of megabytes took minutes.
MAX_CERTIFICATE_BYTES = 128 * 1024

#: Extensions of a certificate that are looked through for alternative names, and their bytes besides those.
_MAX_EXTENSIONS = 1000
#: RFC 5280 §4.2 has each of them once.
_MAX_OCCURRENCES = 2
#: Certificate authorities number with up to 20 octets.
_MAX_SERIAL_BYTES = 512


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What KMIP's attributes contain about a certificate.

    serial_number: encoded; None where it is too long.
    public_key: SPKI.
    algorithm, length: None for a type of key that this server does not know.
    signature_algorithm: None for one that has no number in KMIP.
    """

    subject: Entity
    issuer: Entity
    serial_number: bytes | None
    public_key: bytes
    algorithm: CryptographicAlgorithm | None
    length: int | None
    signature_algorithm: int | None


@dataclass(frozen=True, slots=True)
class CertificateFields:
    """The fields of RFC 5280 §4.1, as they stand in the certificate. extensions: the content of the SEQUENCE."""

    serial_number: Element
    issuer: Element
    subject: Element
    public_key: Element
    extensions: bytes
    signature_algorithm: bytes


def read_certificate(octets: bytes) -> CertificateFacts:
    """The facts of a certificate in DER, or in BER.

    Raises InvalidField for anything else, and for more than MAX_CERTIFICATE_BYTES.
    """
    if len(octets) > MAX_CERTIFICATE_BYTES:
        raise InvalidField(f"a certificate has at most {MAX_CERTIFICATE_BYTES} bytes")
    fields = split_fields(octets)
    algorithm, length = _describe_key(fields.public_key)
    subject_names, issuer_names = _find_alternative_names(fields.extensions)
    serial = fields.serial_number.raw
    return CertificateFacts(
        subject=read_entity(fields.subject, subject_names, MAX_ALTERNATIVE_NAMES_BYTES),
        issuer=read_entity(fields.issuer, issuer_names, MAX_NAME_BYTES),
        serial_number=serial if len(serial) <= _MAX_SERIAL_BYTES else None,
        public_key=fields.public_key.raw,
        algorithm=algorithm,
        length=length,
        signature_algorithm=_SIGNATURES.get(fields.signature_algorithm),
    )


def extract_public_key(octets: bytes) -> bytes:
    """The SPKI of a certificate's key. Raises InvalidField."""
    return split_fields(octets).public_key.raw


# --- structure ----------------------------------------------------------------------------------


def split_fields(octets: bytes) -> CertificateFields:
    """The fields of a certificate.

    Raises InvalidField, which says what the octets look like if they are no certificate.
    """
    outer = BERReader(octets)
    try:
        whole = BERReader(outer.read(SEQUENCE).content)
        body = BERReader(whole.read(SEQUENCE).content)
        signature_algorithm = _read_oid(whole)
        whole.read(BIT_STRING)  # the signature
        _check_end(whole)
        fields = _split_body(body, signature_algorithm)
    except MalformedBER:
        look = recognise_certificate(octets)
        raise InvalidField(
            "the certificate is not an X.509 certificate in DER"
            + ("" if look is None else f"; it looks like {look}")
        ) from None
    if outer.remaining:
        raise InvalidField(
            f"bytes follow the certificate, {outer.remaining} of them: send each certificate by itself,"
            " and nothing with it"
        )
    return fields


def _split_body(body: BERReader, signature_algorithm: bytes) -> CertificateFields:
    if body.has_next(_VERSION):
        body.read_any()
    serial = body.read(INTEGER)
    _read_oid(body)  # the signature's algorithm once more
    issuer = body.read(SEQUENCE)
    validity = BERReader(body.read(SEQUENCE).content)
    if any(time.tag not in _TIMES for time in (validity.read_any(), validity.read_any())):
        raise MalformedBER
    subject, public_key = body.read(SEQUENCE), body.read(SEQUENCE)
    key = BERReader(public_key.content)
    _read_oid(key)
    key.read(BIT_STRING)
    _check_end(key)
    for unique_identifier in _UNIQUE_IDENTIFIERS:
        if body.has_next(unique_identifier):
            body.read_any()
    extensions = b""
    if body.has_next(_EXTENSIONS):
        extensions = body.read_any().content
    _check_end(body)
    return CertificateFields(serial, issuer, subject, public_key, extensions, signature_algorithm)


def _read_oid(reader: BERReader) -> bytes:
    """The OID of the AlgorithmIdentifier that comes next."""
    return BERReader(reader.read(SEQUENCE).content).read(OID).content


def _check_end(reader: BERReader) -> None:
    if reader.remaining:
        raise MalformedBER


_VERSION, _EXTENSIONS = 0xA0, 0xA3
_UNIQUE_IDENTIFIERS = (0x81, 0x82)
_TIMES = (0x17, 0x18)  # UTCTime, GeneralizedTime; what they say is not read


# --- extensions ---------------------------------------------------------------------------------

_SUBJECT_NAMES, _ISSUER_NAMES = (
    encode_oid(oid.dotted_string)
    for oid in (ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.ISSUER_ALTERNATIVE_NAME)
)
_UNREADABLE_NAMES = [b""]  # it is not a SEQUENCE, and so is reported as malformed


def _find_alternative_names(extensions: bytes) -> tuple[list[bytes], list[bytes]]:
    """The values of the extensions (of the subject, of the issuer), one for each time that they occur."""
    names: dict[bytes, list[bytes]] = {_SUBJECT_NAMES: [], _ISSUER_NAMES: []}
    if extensions:
        try:
            for extension in read_single(extensions, SEQUENCE).read_all(most=_MAX_EXTENSIONS):
                fields = BERReader(extension.content)
                oid = fields.read(OID).content
                if oid in names:
                    if len(names[oid]) == _MAX_OCCURRENCES:
                        raise MalformedBER
                    names[oid].append(_read_value(fields))
        except MalformedBER:
            return _UNREADABLE_NAMES, _UNREADABLE_NAMES
    return names[_SUBJECT_NAMES], names[_ISSUER_NAMES]


def _read_value(fields: BERReader) -> bytes:
    """The value of an extension, which follows its OID and whether it is critical.

    The value itself may be malformed.
    """
    rest = fields.read_all(most=2)
    is_there = bool(rest) and rest[-1].tag & ~CONSTRUCTED == OCTET_STRING
    return rest[-1].read_string() if is_there else b""


# --- key ----------------------------------------------------------------------------------------


def _describe_key(public_key: Element) -> tuple[CryptographicAlgorithm | None, int | None]:
    """(algorithm, length) of a key that the server can use; for others, as much of it as the encoding shows."""
    with contextlib.suppress(KMIPError):
        key = import_public(public_key.raw, KeyFormatType.X509)
        return determine_algorithm(key), measure_key_length(key)
    fields = BERReader(public_key.content)
    oid = _read_oid(fields)
    number = _KEY_TYPES.get(oid)
    if number is None:
        return None, None
    length = None
    if oid in _RSA_TYPES:
        with contextlib.suppress(MalformedBER):
            numbers = read_single(fields.read(BIT_STRING).read_string()[1:], SEQUENCE)
            length = int.from_bytes(numbers.read(INTEGER).content, "big").bit_length()
    return CryptographicAlgorithm(number), length
