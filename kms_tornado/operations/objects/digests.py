"""Digests of objects, and who may know them (KMIP 2.1 §4.20).

The digest of a secret says which of two guesses is right, and where a key is hashed before it is used, it is
as good as the key. So a digest of a secret is stored nowhere: it is computed when somebody asks for it who may
get the object in the clear, and so could compute it without the server. The digest of a public key or a
certificate is stored with its attributes until the object is destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...crypto.hashes import HASHES, compute_digest
from ...crypto.keys import formats as key_formats
from ...crypto.keys.numbers import PrivateNumbers, PublicNumbers
from ...crypto.material import KeyMaterial
from ...domain.access import is_owner
from ...domain.lifecycle import Use
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...domain.storage import is_archived
from ...domain.usage import is_opaque_key
from ...errors import InvalidAttributeValue, KeyFormatTypeNotSupported
from ...kmip.enums import KeyFormatType, ObjectType, Operation
from ...kmip.key_material import TRANSPARENT_KEYS
from ...kmip.structures import Digest
from ..common.call import Call
from ..common.new_object import make_digest

#: Secret data has no digest, not even for those who may read it: it would help nobody but to guess a
#: password. Opaque objects have no format that a digest could be of.
_COMPUTED_FOR = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY})


async def read_digests(call: Call, target: ManagedObject) -> tuple[Digest, ...]:
    """The object's digests, if the caller may know them. Raises SealBroken."""
    if target.object_type not in _COMPUTED_FOR:
        return target.attributes.digests
    if STORED_WRAPPED_TAG in target.tags or not await _may_read(call, target):
        return ()
    return (_compute_digest(target, call.open(target)),)


async def _may_read(call: Call, target: ManagedObject) -> bool:
    """Whether the caller may get the object in the clear, with Get, or in an Export."""
    attributes = target.attributes
    if attributes.sensitive or attributes.extractable is False:
        return False
    if is_archived(target) or not Use.READ.is_allowed_in(target.state):
        return False
    if is_owner(call.principal, target) or call.operation is Operation.EXPORT:
        return True
    return await call.is_allowed(target, Operation.EXPORT)


def _compute_digest(target: ManagedObject, material: KeyMaterial) -> Digest:
    """The digest of an object; of a symmetric key that of its raw octets, in whatever format it is given out."""
    if target.object_type is ObjectType.SYMMETRIC_KEY:
        is_opaque = is_opaque_key(target)
        return make_digest(
            material.reveal(), KeyFormatType.OPAQUE if is_opaque else KeyFormatType.RAW
        )
    key_format = target.attributes.key_format_type or KeyFormatType.PKCS8
    return digest_key(key_formats.read_private(material), key_format)


def digest_key(key: PrivateNumbers | PublicNumbers, key_format: KeyFormatType) -> Digest:
    """The digest of the key in its format; of a transparent key, the digest of its PKCS#8 or SPKI."""
    is_private = isinstance(key, PrivateNumbers)
    if key_format in TRANSPARENT_KEYS:
        key_format = KeyFormatType.PKCS8 if is_private else KeyFormatType.X509
    if isinstance(key, PrivateNumbers):
        return make_digest(key_formats.export_private(key, key_format), key_format)
    return make_digest(key_formats.export_public(key, key_format), key_format)


# --- digests that a client supplies -----------------------------------------------------------------

#: The formats in octets that a digest may be of.
_FORMATS = {
    ObjectType.PRIVATE_KEY: (
        *(KeyFormatType.PKCS8, KeyFormatType.PKCS1, KeyFormatType.EC_PRIVATE_KEY),
        KeyFormatType.RAW,
    ),
    ObjectType.PUBLIC_KEY: (KeyFormatType.X509, KeyFormatType.PKCS1, KeyFormatType.RAW),
}


def select_true_digests(
    object_type: ObjectType, material: KeyMaterial, sent: bytes | None, supplied: Iterable[Digest]
) -> tuple[Digest, ...]:
    """Those of the supplied digests that were compared with the object, and are right.

    sent: the octets as the client sent them, which may be encoded differently from the server's; None where they are
    not known.
    A digest by a hash that is not offered here is left out, and so is one without a value. Raises InvalidAttributeValue
    for a digest of something else.
    """
    comparable = [
        digest
        for digest in supplied
        if digest.digest_value is not None and digest.hashing_algorithm in HASHES
    ]
    if not comparable:
        return ()
    encodings = {*_list_encodings(object_type, material), *(() if sent is None else (sent,))}
    # Each hash once: a request has room for thousands of digests, and an object for 256 KiB.
    right = {
        (hashing, compute_digest(hashing, octets))
        for hashing in {digest.hashing_algorithm for digest in comparable}
        for octets in encodings
    }
    if any((digest.hashing_algorithm, digest.digest_value) not in right for digest in comparable):
        raise InvalidAttributeValue(
            "Digest is not that of the object: check that it came whole, or leave Digest out"
        )
    return tuple(comparable)


def _list_encodings(object_type: ObjectType, material: KeyMaterial) -> Iterator[bytes]:
    """The octets of the object in every format that it has."""
    yield material.reveal()
    if object_type not in _FORMATS:
        return
    private = key_formats.read_private(material) if object_type is ObjectType.PRIVATE_KEY else None
    for key_format in _FORMATS[object_type]:
        try:
            if private is not None:
                yield key_formats.export_private(private, key_format)
            else:
                yield key_formats.export_public(
                    key_formats.read_public(material.reveal()), key_format
                )
        except KeyFormatTypeNotSupported:
            continue
