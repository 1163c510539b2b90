"""The contents of an X.509 certificate (RFC 5280): what KMIP's attributes repeat, and its public key.

No signature is checked and no chain is built: a KMIP server stores certificates, and whether to
trust them is the client's decision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from ...errors import InvalidField, KMIPError
from ...kmip.enums import CryptographicAlgorithm, KeyFormatType
from .der import INTEGER, SEQUENCE, read_sequence
from .formats import import_public
from .numbers import determine_algorithm, measure_key_length

#: Part of a distinguished name → the suffix of the attribute that holds it (KMIP 2.1 §4.8 ff.).
NAME_PARTS: Mapping[x509.ObjectIdentifier, str] = MappingProxyType(
    {
        NameOID.COMMON_NAME: "cn",
        NameOID.ORGANIZATION_NAME: "o",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "ou",
        NameOID.EMAIL_ADDRESS: "email",
        NameOID.COUNTRY_NAME: "c",
        NameOID.STATE_OR_PROVINCE_NAME: "st",
        NameOID.LOCALITY_NAME: "l",
        NameOID.USER_ID: "uid",
        NameOID.SERIAL_NUMBER: "serial_number",
        NameOID.TITLE: "title",
        NameOID.DOMAIN_COMPONENT: "dc",
        NameOID.DN_QUALIFIER: "dn_qualifier",
    }
)

#: Signature algorithm → Digital Signature Algorithm (KMIP 2.1 §11.16).
_SIGNATURES: Mapping[x509.ObjectIdentifier, int] = MappingProxyType(
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

#: The longest in use have some 50 KiB. They are parsed on the event loop while all other requests
#: wait, and names of megabytes took minutes.
MAX_CERTIFICATE_BYTES = 128 * 1024

#: The names of a certificate for a thousand hosts stay in the certificate; attributes do not repeat
#: them.
MAX_ALTERNATIVE_NAMES_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Entity:
    """Subject or issuer.

    distinguished_name: DER. alternative_names: one DER GeneralName each.
    parts: {suffix of the attribute: values}.
    """

    distinguished_name: bytes
    alternative_names: tuple[bytes, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What KMIP's attributes say about a certificate.

    serial_number: DER. public_key: SPKI. algorithm, length: None for a type of key that this server
    does not know. signature_algorithm: None for one that has no number in KMIP.
    """

    subject: Entity
    issuer: Entity
    serial_number: bytes
    public_key: bytes
    algorithm: CryptographicAlgorithm | None
    length: int | None
    signature_algorithm: int | None


def read_certificate(octets: bytes) -> CertificateFacts:
    """The facts of a certificate in DER.

    Raises InvalidField for anything else, and for more than MAX_CERTIFICATE_BYTES.
    """
    if len(octets) > MAX_CERTIFICATE_BYTES:
        raise InvalidField(f"a certificate has at most {MAX_CERTIFICATE_BYTES} bytes")
    certificate = _load(octets)
    try:
        return _collect_facts(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise _malformed_certificate_error() from None


def extract_public_key(octets: bytes) -> bytes:
    """The SPKI of a certificate's key. Raises InvalidField."""
    return _split_fields(_load(octets))[-1]


def _load(octets: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise _malformed_certificate_error() from None


def _collect_facts(certificate: x509.Certificate) -> CertificateFacts:
    serial, issuer, subject, public_key = _split_fields(certificate)
    algorithm = length = None
    with contextlib.suppress(KMIPError):  # a type of key that is stored but not used
        key = import_public(public_key, KeyFormatType.X509)
        algorithm, length = determine_algorithm(key), measure_key_length(key)
    return CertificateFacts(
        subject=Entity(
            subject,
            _read_alternative_names(certificate, ExtensionOID.SUBJECT_ALTERNATIVE_NAME),
            _collect_name_parts(certificate.subject),
        ),
        issuer=Entity(
            issuer,
            _read_alternative_names(certificate, ExtensionOID.ISSUER_ALTERNATIVE_NAME),
            _collect_name_parts(certificate.issuer),
        ),
        serial_number=serial,
        public_key=public_key,
        algorithm=algorithm,
        length=length,
        signature_algorithm=_SIGNATURES.get(certificate.signature_algorithm_oid),
    )


def _split_fields(certificate: x509.Certificate) -> tuple[bytes, bytes, bytes, bytes]:
    """(serial number, issuer, subject, SPKI) of RFC 5280 §4.1, in the certificate's own DER."""
    body = read_sequence(certificate.tbs_certificate_bytes)
    if body.has_next(_VERSION):
        body.read(_VERSION)
    serial = body.read_raw(INTEGER)
    body.read(SEQUENCE)  # the signature's algorithm
    issuer = body.read_raw(SEQUENCE)
    body.read(SEQUENCE)  # validity
    return serial, issuer, body.read_raw(SEQUENCE), body.read_raw(SEQUENCE)


def _collect_name_parts(name: x509.Name) -> Mapping[str, tuple[str, ...]]:
    values_by_suffix: dict[str, list[str]] = {}
    for attribute in name:
        suffix = NAME_PARTS.get(attribute.oid)
        value = attribute.value
        # PostgreSQL stores no null characters, and they are an old trick to fool readers of a name.
        if suffix is not None and isinstance(value, str) and "\0" not in value:
            values_by_suffix.setdefault(suffix, []).append(value)
    return {suffix: tuple(values) for suffix, values in values_by_suffix.items()}


def _read_alternative_names(
    certificate: x509.Certificate, oid: x509.ObjectIdentifier
) -> tuple[bytes, ...]:
    """The names in the extension; () where it is absent, cannot be read, or is too long."""
    try:
        extension = certificate.extensions.get_extension_for_oid(oid).value
    except _UNREADABLE:
        return ()
    names = extension.public_bytes()
    if len(names) > MAX_ALTERNATIVE_NAMES_BYTES:
        return ()
    return tuple(read_sequence(names).read_rest())


_VERSION = 0xA0
_UNREADABLE = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    ValueError,
)


def _malformed_certificate_error() -> InvalidField:
    return InvalidField("the certificate is not an X.509 certificate in DER")
