"""ReKey and ReKeyKeyPair: a new key in the place of an old one (KMIP 2.1 §6.1.47, §6.1.48).

The new one belongs to the owner of the old one, whoever asks: the Name goes over to it, and a right to
re-key is no way to get hold of that. The old one keeps its state and its tags.
"""

from __future__ import annotations

import dataclasses

from ..crypto.keys.asymmetric import KeyPair, generate_ec, generate_rsa
from ..crypto.keys.formats import read_private
from ..crypto.keys.numbers import ECPrivate, RSAPrivate
from ..crypto.keys.symmetric import NEW_KEY_TECHNIQUES, generate_key
from ..domain.lifecycle import Use
from ..domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ..domain.rotation import (
    check_not_cover_crypt,
    check_not_replaced,
    make_replacement,
    mark_latest,
    mark_replaced,
)
from ..errors import FeatureNotSupported, InvalidField, UnsupportedCryptographicParameters
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.enums import LinkType, ObjectType
from ..kmip.payloads import (
    ReKeyKeyPairRequest,
    ReKeyKeyPairResponse,
    ReKeyRequest,
    ReKeyResponse,
)
from ..store.base import Insert, Replace
from .attributes import user_tags_of
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import merged, new_object
from .key_pairs import private_key_object, public_key_object


async def re_key(call: Call, request: ReKeyRequest) -> ReKeyResponse:
    """A new symmetric key of the same algorithm and length."""
    call.check_may_create()
    check_not_cover_crypt(request.attributes)
    old = await call.fetch_for(request.unique_identifier, Use.READ, types=ObjectType.SYMMETRIC_KEY)
    check_not_replaced(old.attributes)
    if STORED_WRAPPED_TAG in old.tags:
        raise FeatureNotSupported("a key that is kept wrapped is not replaced: create another one")
    wanted = _wanted(call, old, request.attributes, request.offset)
    algorithm, length = old.attributes.cryptographic_algorithm, old.attributes.cryptographic_length
    if algorithm is None or length is None:
        raise UnsupportedCryptographicParameters("the key has no algorithm or no length")
    technique = NEW_KEY_TECHNIQUES.get(algorithm)
    if technique is not None:
        call.check_allowed(technique, Use.PROTECT)
    new = new_object(
        _as_owner(call, old),
        new_identifier(request.attributes.unique_identifier),
        ObjectType.SYMMETRIC_KEY,
        wanted,
        generate_key(algorithm, length),
        made=True,
    )
    await call.commit(_replaced(call, old, new), Insert(_latest(call, new, old)))
    return ReKeyResponse(unique_identifier=new.uid)


async def re_key_key_pair(call: Call, request: ReKeyKeyPairRequest) -> ReKeyKeyPairResponse:
    """A new pair of the same kind; the caller needs the right on both keys of the old one."""
    call.check_may_create()
    common = request.common_attributes
    check_not_cover_crypt(common, request.private_key_attributes, request.public_key_attributes)
    private, public = await _old_pair(call, request.private_key_unique_identifier)
    check_not_replaced(private.attributes)
    check_not_replaced(public.attributes)
    private_wanted, public_wanted = (
        _wanted(call, old, merged(given, common), request.offset)
        for old, given in (
            (private, request.private_key_attributes),
            (public, request.public_key_attributes),
        )
    )
    pair = await _pair_like(call, private)
    owner = _as_owner(call, private)
    private_uid = new_identifier(request.private_key_attributes.unique_identifier)
    public_uid = new_identifier(request.public_key_attributes.unique_identifier)
    new_private = private_key_object(owner, private_uid, private_wanted, pair.private, public_uid)
    new_public = public_key_object(owner, public_uid, public_wanted, pair.public, private_uid)
    await call.commit(
        _replaced(call, private, new_private),
        _replaced(call, public, new_public),
        Insert(_latest(call, new_private, private)),
        Insert(_latest(call, new_public, public)),
    )
    return ReKeyKeyPairResponse(
        private_key_unique_identifier=private_uid, public_key_unique_identifier=public_uid
    )


async def _old_pair(call: Call, identifier: str | None) -> tuple[ManagedObject, ManagedObject]:
    """(private, public). A link is a client's to set: it counts where both keys say so."""
    private = await call.fetch_for(identifier, Use.READ, types=ObjectType.PRIVATE_KEY)
    public_uid = _linked(private, LinkType.PUBLIC_KEY_LINK)
    if public_uid is None:
        raise InvalidField("the private key has no link to its public key")
    public = await call.fetch_for(public_uid, Use.READ, types=ObjectType.PUBLIC_KEY)
    if _linked(public, LinkType.PRIVATE_KEY_LINK) != private.uid or public.owner != private.owner:
        raise InvalidField("the keys are no pair: each must link to the other, and have one owner")
    return private, public


def _linked(target: ManagedObject, link_type: LinkType) -> str | None:
    return next(
        (
            each.linked_object_identifier
            for each in target.attributes.links
            if each.link_type is link_type
        ),
        None,
    )


async def _pair_like(call: Call, private: ManagedObject) -> KeyPair:
    """What was registered once may be of a kind or a length that is not made anew."""
    key = read_private(call.open(private))
    match key:
        case RSAPrivate():
            bits = key.n.bit_length()
            return await call.offload(lambda: generate_rsa(bits), heavy=True)
        case ECPrivate():
            return generate_ec(key.curve)
    raise UnsupportedCryptographicParameters("keys of this algorithm are not made here")


def _wanted(call: Call, old: ManagedObject, given: Attributes, offset: int | None) -> Attributes:
    given = given.replace(unique_identifier=None)
    held = with_user_tags(old.attributes, user_tags_of(old.tags))
    return make_replacement(held, given, offset=offset, now=call.now, uid=old.uid)


def _as_owner(call: Call, old: ManagedObject) -> Call:
    return dataclasses.replace(call, principal=old.owner)


def _latest(call: Call, new: ManagedObject, old: ManagedObject) -> ManagedObject:
    attributes = mark_latest(new.attributes, old.attributes, now=call.now)
    return dataclasses.replace(new, attributes=attributes)


def _replaced(call: Call, old: ManagedObject, new: ManagedObject) -> Replace:
    attributes = mark_replaced(old.attributes, new_uid=new.uid, now=call.now)
    return Replace(dataclasses.replace(old, attributes=attributes), seen=old.generation)
