"""Client certificates: from a certificate that TLS has verified to the Principal whom it names.

Pure. Chain, validity, extended key usage and revocation were checked by TLS; here a field of the certificate becomes
a user's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..errors import AuthenticationError
from ..user_names import CERTIFICATE_PREFIX, find_name_fault, has_issuer
from .principal import Claims, Principal

#: Where the name of the user may stand: the common name, or the only alternative name of a kind.
USER_FIELDS = {
    "cn": "common name",
    "san-email": "e-mail address in its subjectAltName",
    "san-uri": "URI in its subjectAltName",
}

#: Exceptions of the library for certificates that OpenSSL accepts and the library does not.
_UNREADABLE = (
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class InvalidCertificate(AuthenticationError):
    """The client certificate names no user, or is no longer good."""

    reason = "certificate"
    description = "client certificate not accepted"


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """How certificates name users.

    user_from: a key of USER_FIELDS.
    is_shared: whether a name in a certificate means the same person as that name in a token.
    Unless is_shared is set, users are named ``cert:<name>``, so that no certificate lets its holder pass for a user
    of a token. If it is set, names have no issuer in front: a CA does not speak for an issuer's namespace.
    """

    user_from: str = "cn"
    is_shared: bool = False


def read_principal(certificate: bytes, policy: CertificatePolicy) -> Principal:
    """The principal for whom a verified certificate, in DER, speaks until it expires.

    Its ``issuer`` is the certificate's, its ``key_id`` the serial number in hexadecimal, for logs.
    Raises InvalidCertificate.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = _find_names(parsed, policy.user_from)
        subject, issuer = parsed.subject.rfc4514_string(), parsed.issuer.rfc4514_string()
        end, serial = parsed.not_valid_after_utc.timestamp(), parsed.serial_number
    except _UNREADABLE as exc:
        raise InvalidCertificate(
            f"the certificate cannot be read: {exc}", "the client certificate cannot be read"
        ) from None
    field = USER_FIELDS[policy.user_from]
    if len(names) != 1:
        count = "no" if not names else "more than one"
        text = f"the client certificate has {count} {field} (--kmip-user-from {policy.user_from})"
        raise InvalidCertificate(f"subject {subject!r}", text)
    [name] = names
    fault = find_name_fault(name)
    if fault is None and policy.is_shared and has_issuer(name):
        fault = "begins with an issuer and #, as names of an issuer's own users do"
    if fault is not None:
        raise InvalidCertificate(
            f"{field} {name!r} {fault}", f"the {field} of the client certificate {fault}"
        )
    return Principal(
        name=name if policy.is_shared else f"{CERTIFICATE_PREFIX}{name}",
        subject=subject,
        issuer=issuer,
        claims=Claims(),
        expires_at=end,
        key_id=f"{serial:x}",
    )


def _find_names(certificate: x509.Certificate, field: str) -> Sequence[str]:
    if field == "cn":
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(attribute.value) for attribute in attributes]
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value
    if field == "san-email":
        return names.get_values_for_type(x509.RFC822Name)
    return names.get_values_for_type(x509.UniformResourceIdentifier)
