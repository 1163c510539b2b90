"""ReKey and ReKeyKeyPair: a new key in the place of an old one (KMIP 2.1 §6.1.47, §6.1.48).

The new key belongs to the owner of the old one, even if the caller is another user. It takes over the old
key's Name, and the right to re-key must not let a grantee acquire that. The old key keeps its state and its
tags.
"""

from __future__ import annotations

import dataclasses

from ..crypto.keys.formats import read_private
from ..crypto.keys.generation import KeyPair, generate_ec, generate_rsa
from ..crypto.keys.numbers import ECPrivate, RSAPrivate
from ..crypto.keys.symmetric import NEW_KEY_TECHNIQUES, generate_key
from ..domain.access import is_owner
from ..domain.attribute_changes import retire_indices
from ..domain.lifecycle import Use
from ..domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ..domain.protection_storage import check_protection_storage, check_protection_storage_of_pair
from ..domain.rotation import (
    check_grantee_replaces,
    check_not_cover_crypt,
    check_not_replaced,
    make_replacement,
    mark_latest,
    mark_replaced,
)
from ..domain.usage import check_is_not_opaque
from ..errors import FeatureNotSupported, InvalidField, UnsupportedCryptographicParameters
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.enums import LinkType, ObjectType
from ..kmip.payloads import (
    ReKeyKeyPairRequest,
    ReKeyKeyPairResponse,
    ReKeyRequest,
    ReKeyResponse,
)
from ..store.interface.changes import Insert, Replace
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import make_object
from .common.object_attributes import merge_attributes, select_user_tags
from .key_pairs import make_private_key, make_public_key


async def re_key(call: Call, request: ReKeyRequest) -> ReKeyResponse:
    """Replace a symmetric key with a new one of the same algorithm and length."""
    call.check_may_create()
    check_protection_storage(request.protection_storage_masks)
    check_not_cover_crypt(request.attributes)
    old = await call.fetch_for(request.unique_identifier, Use.READ, types=ObjectType.SYMMETRIC_KEY)
    check_not_replaced(old.attributes)
    check_is_not_opaque(old)
    if STORED_WRAPPED_TAG in old.tags:
        raise FeatureNotSupported("a key that is kept wrapped is not replaced: create another one")
    attributes = _replacement_attributes(call, old, request.attributes, request.offset)
    algorithm, length = old.attributes.cryptographic_algorithm, old.attributes.cryptographic_length
    if algorithm is None or length is None:
        raise UnsupportedCryptographicParameters("the key has no algorithm or no length")
    technique = NEW_KEY_TECHNIQUES.get(algorithm)
    if technique is not None:
        call.check_allowed(technique, Use.PROTECT)
    new = make_object(
        _as_owner(call, old),
        new_identifier(request.attributes.unique_identifier),
        ObjectType.SYMMETRIC_KEY,
        attributes,
        generate_key(algorithm, length),
        is_generated=True,
    )
    await call.commit(_mark_replaced(call, old, new), Insert(_mark_latest(call, new, old)))
    return ReKeyResponse(unique_identifier=new.uid)


async def re_key_key_pair(call: Call, request: ReKeyKeyPairRequest) -> ReKeyKeyPairResponse:
    """Replace a key pair with a new one of the same algorithm and length.

    The caller needs the right to both old keys.
    """
    call.check_may_create()
    check_protection_storage_of_pair(
        request.common_protection_storage_masks,
        request.private_protection_storage_masks,
        request.public_protection_storage_masks,
    )
    common = request.common_attributes
    check_not_cover_crypt(common, request.private_key_attributes, request.public_key_attributes)
    private, public = await _fetch_pair(call, request.private_key_unique_identifier)
    check_not_replaced(private.attributes)
    check_not_replaced(public.attributes)
    private_attributes, public_attributes = (
        _replacement_attributes(call, old, merge_attributes(own, common), request.offset)
        for old, own in (
            (private, request.private_key_attributes),
            (public, request.public_key_attributes),
        )
    )
    pair = await _generate_like(call, private)
    owner = _as_owner(call, private)
    private_uid = new_identifier(request.private_key_attributes.unique_identifier)
    public_uid = new_identifier(request.public_key_attributes.unique_identifier)
    new_private = make_private_key(owner, private_uid, private_attributes, pair.private, public_uid)
    new_public = make_public_key(owner, public_uid, public_attributes, pair.public, private_uid)
    await call.commit(
        _mark_replaced(call, private, new_private),
        _mark_replaced(call, public, new_public),
        Insert(_mark_latest(call, new_private, private)),
        Insert(_mark_latest(call, new_public, public)),
    )
    return ReKeyKeyPairResponse(
        private_key_unique_identifier=private_uid, public_key_unique_identifier=public_uid
    )


async def _fetch_pair(call: Call, identifier: str | None) -> tuple[ManagedObject, ManagedObject]:
    """(private, public). Clients can set links, so both keys must be linked to each other and have the same owner."""
    private = await call.fetch_for(identifier, Use.READ, types=ObjectType.PRIVATE_KEY)
    public_uid = _find_linked_identifier(private, LinkType.PUBLIC_KEY_LINK)
    if public_uid is None:
        raise InvalidField("the private key has no link to its public key")
    public = await call.fetch_for(public_uid, Use.READ, types=ObjectType.PUBLIC_KEY)
    if (
        _find_linked_identifier(public, LinkType.PRIVATE_KEY_LINK) != private.uid
        or public.owner != private.owner
    ):
        raise InvalidField(
            "the keys are not a pair: each must link to the other, and have one owner"
        )
    return private, public


def _find_linked_identifier(target: ManagedObject, link_type: LinkType) -> str | None:
    return next(
        (
            link.linked_object_identifier
            for link in target.attributes.links
            if link.link_type is link_type
        ),
        None,
    )


async def _generate_like(call: Call, private: ManagedObject) -> KeyPair:
    """Generate a pair with the algorithm and length of the private key.

    Raises UnsupportedCryptographicParameters for a registered key of an algorithm or a length that the
    server does not generate.
    """
    key = read_private(call.open(private))
    match key:
        case RSAPrivate(pss=None):
            bits = key.n.bit_length()
            return await call.offload(lambda: generate_rsa(bits), heavy=True)
        case ECPrivate():
            return generate_ec(key.curve)
    raise UnsupportedCryptographicParameters("keys of this algorithm are not made here")


def _replacement_attributes(
    call: Call, old: ManagedObject, requested: Attributes, offset: int | None
) -> Attributes:
    if not is_owner(call.principal, old):
        check_grantee_replaces(old, requested, offset=offset, now=call.now)
    requested = requested.replace(unique_identifier=None)
    current = with_user_tags(old.attributes, select_user_tags(old.tags))
    return make_replacement(current, requested, offset=offset, now=call.now, uid=old.uid)


def _as_owner(call: Call, old: ManagedObject) -> Call:
    return dataclasses.replace(call, principal=old.owner, groups=frozenset())


def _mark_latest(call: Call, new: ManagedObject, old: ManagedObject) -> ManagedObject:
    attributes = mark_latest(new.attributes, old.attributes, now=call.now)
    return dataclasses.replace(new, attributes=attributes)


def _mark_replaced(call: Call, old: ManagedObject, new: ManagedObject) -> Replace:
    attributes = mark_replaced(old.attributes, new_uid=new.uid, now=call.now)
    retired = retire_indices(old.retired_indices, old.attributes, attributes, "names")
    replaced = dataclasses.replace(old, attributes=attributes, retired_indices=retired)
    return Replace(replaced, seen=old.generation)
