"""Digests of objects, and who may know them (KMIP 2.1 §4.20).

The digest of a secret says which of two guesses is right, and where a key is hashed before it is used, it is
as good as the key. So a digest of a secret is stored nowhere: it is computed when somebody asks for it who may
get the object in the clear, and so could compute it without the server. The digest of a public key or a
certificate is stored with its attributes until the object is destroyed.
"""

from __future__ import annotations

from ...crypto.keys import formats as key_formats
from ...crypto.keys.numbers import PrivateNumbers, PublicNumbers
from ...crypto.material import KeyMaterial
from ...domain.access import is_owner
from ...domain.lifecycle import Use
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...domain.usage import is_opaque_key
from ...kmip.enums import KeyFormatType, ObjectType, Operation
from ...kmip.key_material import TRANSPARENT_KEYS
from ...kmip.structures import Digest
from ..common.call import Call
from ..common.new_object import make_digest

#: Secret data has no digest, not even for those who may read it: it would help nobody but to guess a
#: password. Opaque objects have no format that a digest could be of.
_COMPUTED_FOR = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY})


async def read_digests(call: Call, target: ManagedObject) -> tuple[Digest, ...]:
    """The object's digests, as far as the caller may know them. Raises SealBroken."""
    if target.object_type not in _COMPUTED_FOR:
        return target.attributes.digests
    if STORED_WRAPPED_TAG in target.tags or not await _may_read(call, target):
        return ()
    return (_compute_digest(target, call.open(target)),)


async def _may_read(call: Call, target: ManagedObject) -> bool:
    """Whether the caller may get the object in the clear: by Get, or as it comes with an Export."""
    attributes = target.attributes
    if attributes.sensitive or attributes.extractable is False:
        return False
    if not Use.READ.is_allowed_in(target.state):
        return False
    if is_owner(call.principal, target) or call.operation is Operation.EXPORT:
        return True
    rights = call.context.sufficient_rights[Operation.EXPORT]
    readable = await call.store.get_for(target.uid, principal=call.principal, rights=rights)
    return readable is not None


def _compute_digest(target: ManagedObject, material: KeyMaterial) -> Digest:
    """Of a symmetric key the digest of its raw octets, in whatever format the key is given out."""
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
