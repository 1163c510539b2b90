"""A PKCS#12 file that is imported as a private key, and taken apart (KMIP 2.1 §4.26, §4.39; RFC 7292).

The private key, its certificate and those above it become objects of their own, linked to each other, all of them or
none. PKCS12PasswordLink leads to the password: by the specification, to an Active SecretData of the caller's; Cosmian's
clients write the password itself there. Such a password is in no object, log or error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...crypto.keys.recognition import recognise_key
from ...crypto.material import KeyMaterial
from ...crypto.pkcs12.files import PKCS12Contents, PKCS12Entry, open_pkcs12
from ...crypto.pkcs12.parts import choose_key, find_certificate, find_issuers, select_chain
from ...domain.dates import state_at
from ...domain.lifecycle import Use
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from ...errors import BadPassword, InvalidField, ItemNotFound, MalformedKey, PermissionDenied
from ...kmip.attributes import Attributes, parse_user_tags, with_user_tags
from ...kmip.enums import KeyFormatType, LinkType, ObjectType, Operation, State
from ...kmip.key_material import KeyMaterialField
from ...kmip.objects import EncodedKeyValue, KeyBlock, KeyValue, PrivateKey
from ...kmip.structures import Link
from ..common.call import Call
from ..common.identifiers import make_identifier
from ..common.new_object import MAX_OBJECT_BYTES, make_object
from .certificate_attributes import describe_certificate
from .incoming import ParsedObject, merge_inner_attributes, parse_object


@dataclass(frozen=True, slots=True)
class ParsedPKCS12:
    """The contents of a file.

    key: the private key, linked to its certificate.
    certificates: (identifier, DER, links), the key's own first.
    """

    key: ParsedObject
    certificates: tuple[tuple[UniqueIdentifier, KeyMaterial, tuple[Link, ...]], ...]
    has_own_certificate: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a file to keep.

    leaf: the index of the key's certificate in contents; None where it has none.
    issuers: for each certificate to keep, the key's own first, its index → the index of its issuer's, if the file has
    that.
    """

    contents: PKCS12Contents
    key: PKCS12Entry
    leaf: int | None
    issuers: Mapping[int, int | None]


def is_pkcs12(object_type: ObjectType, incoming: PrivateKey) -> bool:
    """Whether the object is a PKCS#12 that is not wrapped by a key. (It has an encryption of its own.)"""
    return (
        object_type is ObjectType.PRIVATE_KEY
        and incoming.key_block.key_format_type is KeyFormatType.PKCS12
        and incoming.key_block.key_wrapping_data is None
    )


async def parse_pkcs12(call: Call, incoming: PrivateKey, requested: Attributes) -> ParsedPKCS12:
    """Take the file apart. Raises BadPassword, InvalidField, MissingData, UnsupportedCryptographicParameters."""
    requested = merge_inner_attributes(incoming.key_block, requested)
    octets = _read_octets(incoming.key_block)
    password, requested = await _take_password(call, requested)
    name = requested.pkcs_12_friendly_name

    def take_apart() -> _Parts:
        contents = open_pkcs12(octets, password)
        key = choose_key(contents, name)
        leaf = find_certificate(contents, key)
        issuers = find_issuers(contents.certificates)
        chain = select_chain(contents, leaf, issuers)
        return _Parts(contents, key, leaf, {index: issuers[index] for index in chain})

    try:
        parts = await call.offload(take_apart, heavy=True, size=len(octets))
    except MalformedKey as exc:
        look = recognise_key(octets, KeyFormatType.PKCS12)
        if look is None:
            raise
        raise InvalidField(f"{exc}; it looks like {look}") from exc
    uids = {index: make_identifier() for index in parts.issuers}
    links = requested.links
    if parts.leaf is not None:
        links = (
            *(link for link in links if link.link_type is not LinkType.PKCS12_CERTIFICATE_LINK),
            Link(LinkType.PKCS12_CERTIFICATE_LINK, uids[parts.leaf]),
        )
    requested = requested.replace(
        key_format_type=None, links=links, pkcs_12_friendly_name=name or parts.key.friendly_name
    )
    block = KeyBlock(
        KeyFormatType.PKCS8, key_value=KeyValue(KeyMaterialField(parts.key.octets.reveal()))
    )
    key = parse_object(ObjectType.PRIVATE_KEY, PrivateKey(block), requested)
    certificates = parts.contents.certificates
    return ParsedPKCS12(
        key,
        tuple(
            (uids[index], certificates[index].octets, _link_to_issuer(uids, issuer))
            for index, issuer in parts.issuers.items()
        ),
        parts.leaf is not None,
    )


async def make_certificates(
    call: Call, parsed: ParsedPKCS12, key: ManagedObject
) -> tuple[ManagedObject, ...]:
    """The certificates as new objects with the key's tags and its Activation Date. The key's own is linked to it.

    This runs off the event loop: a certificate with long names takes milliseconds, and a file may have dozens.
    """
    return await call.offload(lambda: _make_certificates(call, parsed, key), heavy=True)


def _make_certificates(
    call: Call, parsed: ParsedPKCS12, key: ManagedObject
) -> tuple[ManagedObject, ...]:
    requested = parsed.key.requested
    common = with_user_tags(
        Attributes(activation_date=requested.activation_date), parse_user_tags(requested)
    )
    objects: list[ManagedObject] = []
    for uid, octets, links in parsed.certificates:
        if parsed.has_own_certificate and not objects:
            links = (Link(LinkType.PRIVATE_KEY_LINK, key.uid), *links)
        attributes = common.replace(links=links)
        described = describe_certificate(octets.reveal())
        objects.append(
            make_object(call, uid, ObjectType.CERTIFICATE, attributes, octets, described)
        )
    return tuple(objects)


def _read_octets(block: KeyBlock) -> bytes:
    value = block.key_value
    if isinstance(value, EncodedKeyValue):  # as the cases of OASIS have it
        octets = value.octets
    elif isinstance(value, KeyValue) and isinstance(value.key_material, KeyMaterialField):
        octets = value.key_material.octets
    else:
        raise InvalidField("a PKCS#12 is a ByteString")
    if len(octets) > MAX_OBJECT_BYTES:
        raise InvalidField(f"a PKCS#12 has at most {MAX_OBJECT_BYTES} bytes")
    return octets


def _link_to_issuer(uids: Mapping[int, UniqueIdentifier], issuer: int | None) -> tuple[Link, ...]:
    if issuer is None or issuer not in uids:
        return ()
    return (Link(LinkType.CERTIFICATE_LINK, uids[issuer]),)


# --- the password -------------------------------------------------------------------------------


async def _take_password(call: Call, requested: Attributes) -> tuple[bytes | None, Attributes]:
    """(the password that the request names or contains; the attributes without a password in them)."""
    links = [link for link in requested.links if link.link_type is LinkType.PKCS12_PASSWORD_LINK]
    if not links:
        return None, requested
    if len(links) > 1:
        raise BadPassword("there are several links to the password of the PKCS#12")
    stated = links[0].linked_object_identifier
    secret = await _fetch_secret(call, stated)
    if secret is not None:
        return _reveal_secret(call, secret), requested
    others = tuple(link for link in requested.links if link not in links)
    return stated.encode(), dataclasses.replace(requested, links=others)


async def fetch_password(call: Call, holders: Iterable[ManagedObject]) -> bytes:
    """The password for a PKCS#12 that is given out. holders: the objects that may have the link to it.

    Raises BadPassword.
    """
    uids = {
        link.linked_object_identifier
        for holder in holders
        for link in holder.attributes.links
        if link.link_type is LinkType.PKCS12_PASSWORD_LINK
    }
    if len(uids) != 1:
        raise BadPassword("a PKCS#12 needs one PKCS12PasswordLink of its key, to the SecretData")
    secret = await _fetch_secret(call, uids.pop())
    if secret is None:
        raise BadPassword("PKCS12PasswordLink names no SecretData that you may get")
    return _reveal_secret(call, secret)


async def _fetch_secret(call: Call, identifier: str) -> ManagedObject | None:
    """The caller's SecretData with this identifier; None where there is none, so that the text is itself a password."""
    if not identifier or identifier.startswith("["):
        return None
    try:
        return await call.for_operation(Operation.GET).fetch_for(
            identifier, Use.INSPECT, types=ObjectType.SECRET_DATA
        )
    except (ItemNotFound, InvalidField, PermissionDenied):
        return None


def _reveal_secret(call: Call, secret: ManagedObject) -> bytes:
    if state_at(secret, call.now) is not State.ACTIVE:
        raise BadPassword("the secret that PKCS12PasswordLink names is not Active")
    if STORED_WRAPPED_TAG in secret.tags:
        raise BadPassword("the secret that PKCS12PasswordLink names is kept wrapped")
    # Otherwise each file would tell whether one guess is right.
    if secret.attributes.sensitive:
        raise BadPassword("the secret that PKCS12PasswordLink names is Sensitive")
    if secret.attributes.extractable is False:
        raise BadPassword("the secret that PKCS12PasswordLink names is not Extractable")
    return call.open(secret).reveal()
