"""The KMIP attributes that the server derives from an X.509 certificate."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from ...crypto.keys.certificate_names import ALTERNATIVE_NAMES, NAME, Entity
from ...crypto.keys.certificates import CertificateFacts, read_certificate
from ...kmip.attributes import Attributes
from ...kmip.enums import CertificateType, KeyFormatType
from ...kmip.schema import tag_of
from ...kmip.structures import (
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from ..common.new_object import make_digest

_log = logging.getLogger(__name__)


def describe_certificate(octets: bytes) -> Attributes:
    """The attributes of a certificate in DER (KMIP 2.1 §4.6 to §4.9, §4.21, §4.65 to §4.67).

    What cannot be represented is left out, and a warning in the log says so. Raises InvalidField for octets that are
    not such a certificate.
    """
    facts = read_certificate(octets)
    signature = facts.signature_algorithm
    if left_out := _list_left_out(facts):
        _log.warning(
            "the certificate with the SHA-256 %s is kept as it is, but told without: %s",
            hashlib.sha256(octets).hexdigest(),
            "; ".join(left_out),
        )
    attributes = Attributes(
        certificate_type=CertificateType.X509,
        certificate_length=len(octets),
        cryptographic_algorithm=facts.algorithm,
        cryptographic_length=facts.length,
        digital_signature_algorithms=() if signature is None else (signature,),
        digests=(make_digest(octets, KeyFormatType.X509),),
        key_format_type=KeyFormatType.X509,
        **_describe_entities(facts),
    )
    return attributes.replace(**_describe_names(facts))


def _describe_entities(facts: CertificateFacts) -> dict[str, Any]:
    """The attributes with encoded names, without those that are too long."""
    issuer, subject = facts.issuer, facts.subject
    described: dict[str, Any] = {}
    if issuer.distinguished_name is not None:
        described["x_509_certificate_issuer"] = X509CertificateIssuer(
            issuer.distinguished_name, issuer.alternative_names
        )
        if facts.serial_number is not None:
            described["x_509_certificate_identifier"] = X509CertificateIdentifier(
                issuer.distinguished_name, facts.serial_number
            )
    if subject.distinguished_name is not None:
        described["x_509_certificate_subject"] = X509CertificateSubject(
            subject.distinguished_name, subject.alternative_names
        )
    return described


def _list_left_out(facts: CertificateFacts) -> list[str]:
    """What the attributes do not contain of the certificate, each with the reason, for the log."""
    listed: list[str] = []
    for role, entity in (("subject", facts.subject), ("issuer", facts.issuer)):
        for what, why in entity.left_out.items():
            listed.append(f"{_name_left_out(role, what)} ({why})")
    if facts.serial_number is None:
        listed.append(
            f"{tag_of(Attributes, 'x_509_certificate_identifier')} (a huge serial number)"
        )
    return listed


def _name_left_out(role: str, what: str) -> str:
    whole = tag_of(Attributes, f"x_509_certificate_{role}")
    if what == ALTERNATIVE_NAMES:
        return f"the alternative names in {whole}"
    if what == NAME:
        return f"the Certificate{role.title()} attributes"
    return tag_of(Attributes, f"certificate_{role}_{what}")


def _describe_names(facts: CertificateFacts) -> dict[str, Any]:
    """{"certificate_subject_cn": ("example.com",), …}"""

    def describe(entity: Entity, prefix: str) -> dict[str, Any]:
        return {f"{prefix}_{suffix}": values for suffix, values in entity.parts.items()}

    return {
        **describe(facts.subject, "certificate_subject"),
        **describe(facts.issuer, "certificate_issuer"),
    }
