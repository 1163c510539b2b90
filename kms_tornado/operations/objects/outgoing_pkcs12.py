"""A private key given out as a PKCS#12, with its certificate and those above it (KMIP 2.1 §6.1.19).

It is asked for by the identifier of the key, or of its certificate, which has a link to the key. The password is
the Active SecretData that the PKCS12PasswordLink of either names. The key's certificate is the one to which
PKCS12CertificateLink leads, or else CertificateLink, from the key or else from its public key, and each certificate's
CertificateLink leads to its issuer's; so does PKCS12CertificateLink in the cases of OASIS. The caller needs the right
to get each of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...crypto.pkcs12.files import MAX_OBJECTS
from ...crypto.pkcs12.writer import write_pkcs12
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...errors import InvalidField
from ...kmip.enums import KeyFormatType, LinkType, ObjectType, Operation
from ...kmip.key_material import KeyMaterialField
from ...kmip.objects import KeyBlock, KeyValue, PrivateKey
from ..common.call import Call
from ..common.usable_key import UsableKey
from .pkcs12 import fetch_password

#: KMIP 2.1 §4.39: of a key without a PKCS#12 Friendly Name.
_DEFAULT_NAME = "alias"

#: The types of links, in the order in which they count.
_CERTIFICATE = (LinkType.PKCS12_CERTIFICATE_LINK, LinkType.CERTIFICATE_LINK)
_PUBLIC_KEY = (LinkType.PUBLIC_KEY_LINK,)
_PRIVATE_KEY = (LinkType.PRIVATE_KEY_LINK,)


async def fetch_key_of(call: Call, certificate: ManagedObject, use: Use) -> ManagedObject:
    """The private key of the certificate.

    Raises InvalidField where no link leads to one or several do, and ItemNotFound.
    """
    uid = _find_linked(certificate, _PRIVATE_KEY)
    public = _find_linked(certificate, _PUBLIC_KEY)
    if uid is None and public is not None:
        uid = _find_linked(await call.fetch_for(public, use), _PRIVATE_KEY)
    if uid is None:
        raise InvalidField(
            "the certificate has no link to its private key, which a PKCS#12 holds beside it"
        )
    return await call.fetch_for(uid, use, types=ObjectType.PRIVATE_KEY)


async def render_pkcs12(
    call: Call, key: UsableKey, certificate: ManagedObject | None = None
) -> PrivateKey:
    """The key, which may leave in the clear, in a file that is encrypted with its password.

    certificate: the key's, if the file was asked for by the certificate's identifier.
    Raises BadPassword, InvalidField where there is no chain of certificates, or more than one, ItemNotFound,
    KeyFormatTypeNotSupported.
    """
    call = call.for_operation(Operation.GET)
    target = key.target
    holders = (target,) if certificate is None else (target, certificate)
    password = await fetch_password(call, holders)
    chain = await _fetch_chain(call, target, certificate)
    private, certificates = key.open(), [call.open(each).reveal() for each in chain]
    name = target.attributes.pkcs_12_friendly_name or _DEFAULT_NAME
    octets = await call.offload(
        lambda: write_pkcs12(private, certificates, name, password),
        heavy=True,
        size=sum(map(len, certificates)),
    )
    value = KeyValue(KeyMaterialField(octets))
    return PrivateKey(KeyBlock(KeyFormatType.PKCS12, key_value=value))


async def _fetch_chain(
    call: Call, key: ManagedObject, certificate: ManagedObject | None
) -> list[ManagedObject]:
    """The certificates, the key's own first: the given one, or the one to which the key's links lead."""
    uid = _find_linked(key, _CERTIFICATE) if certificate is None else certificate.uid
    public = _find_linked(key, _PUBLIC_KEY) if uid is None else None
    if uid is None and public is not None:
        uid = _find_linked(await call.fetch_for(public, Use.READ), _CERTIFICATE)
    if uid is None:
        raise InvalidField(
            "the key has no link to its certificate, which a PKCS#12 holds beside it"
        )
    chain: list[ManagedObject] = []
    while uid is not None:
        if len(chain) == MAX_OBJECTS:
            raise InvalidField(f"a PKCS#12 has at most {MAX_OBJECTS} certificates")
        certificate = await call.fetch_for(uid, Use.READ, types=ObjectType.CERTIFICATE)
        chain.append(certificate)
        uid = _find_linked(certificate, _CERTIFICATE)
        if uid == certificate.uid:  # a root may say that it is its own issuer's
            uid = None
        elif any(uid == each.uid for each in chain):
            raise InvalidField("the links of the certificates lead in a circle")
    return chain


def _find_linked(target: ManagedObject, types: Iterable[LinkType]) -> str | None:
    """The one object to which links of the first of these types lead; None where there is none.

    Raises InvalidField where there are several.
    """
    links = target.attributes.links
    for link_type in types:
        uids = {link.linked_object_identifier for link in links if link.link_type is link_type}
        if len(uids) > 1:
            raise InvalidField(
                f"{target.uid} has several links of one type: a PKCS#12 holds one chain of certificates"
            )
        if uids:
            return uids.pop()
    return None
