"""Which keys a Sensitive object may leave under: no sequence of operations makes it plain (KMS.md §5 no. 10).

Three rules keep it so. The wrapping key was made here, was always Sensitive and does nothing but wrap,
for good, as a usage mask never changes. Such a key does not leave itself. And what it unwraps is
Sensitive from then on (`wrapping`, `kept_wrapped`).
"""

from __future__ import annotations

from functools import partial

from ...crypto.keys.asymmetric import derive_public_key
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...errors import InvalidField, ItemNotFound, SensitiveObject
from ...kmip.enums import CryptographicUsageMask, LinkType, ObjectType, Operation
from ..common.call import Call, UsableKey
from ..common.key_use import run_with_private_key

#: What a key may do that Sensitive objects leave under. With Encrypt or Decrypt its owner would only
#: have to decrypt what was wrapped.
_WRAPPING_ALONE = (
    CryptographicUsageMask.WRAP_KEY
    | CryptographicUsageMask.UNWRAP_KEY
    | CryptographicUsageMask.EXPORT
)


def check_protects_nothing(target: ManagedObject) -> None:
    """A key that others leave under stays: come back in under another usage mask, it would decrypt them.

    Raises SensitiveObject.
    """
    if _is_known_to_nobody(target):
        raise SensitiveObject("a Sensitive key that does nothing but wrap never leaves")


async def check_protects(call: Call, wrapping_key: UsableKey, key: UsableKey) -> None:
    """Refuse to wrap a Sensitive key with one that the caller may know, or can decrypt with.

    A caller who brought the wrapping key, or could ever read it, would have the Sensitive key in plain
    after one more step. Raises SensitiveObject.
    """
    unwrapping: ManagedObject | None = wrapping_key.target
    if wrapping_key.target.object_type is ObjectType.PUBLIC_KEY:
        unwrapping = await _private_half(call, wrapping_key, key)
    if (
        unwrapping is None
        or not _is_known_to_nobody(unwrapping)
        or not _is_made_here(wrapping_key.target)
    ):
        raise SensitiveObject(
            "a Sensitive object leaves only wrapped by a key that this server made, that was always "
            "Sensitive, and whose usage mask allows nothing but wrapping and unwrapping"
        )


def _is_made_here(key: ManagedObject) -> bool:
    return key.attributes.random_number_generator is not None


def _is_known_to_nobody(key: ManagedObject) -> bool:
    kept = key.attributes
    mask = kept.cryptographic_usage_mask
    return (
        _is_made_here(key)
        and bool(kept.sensitive and kept.always_sensitive)
        and mask is not None
        and not mask & ~_WRAPPING_ALONE
    )


async def _private_half(call: Call, public: UsableKey, key: UsableKey) -> ManagedObject | None:
    """The private key that a public key's link names, if the caller may unwrap with it and the two match.

    key: what is to be wrapped. It may be that private key itself, unwrapped already.
    """
    private = await linked_private_key(call, public.target)
    if private is None or private.sealed is None:
        return None
    material = key.open() if private.uid == key.target.uid else call.open(private)
    half = await run_with_private_key(call, private, partial(derive_public_key, material))
    return private if half == public.open() else None


async def linked_private_key(call: Call, public: ManagedObject) -> ManagedObject | None:
    """What a public key's link names, if the caller may decrypt with it. The link is a client's to set."""
    links = [
        each.linked_object_identifier
        for each in public.attributes.links
        if each.link_type is LinkType.PRIVATE_KEY_LINK
    ]
    if len(links) != 1:
        return None
    try:
        return await call.for_operation(Operation.DECRYPT).fetch_for(
            links[0], Use.INSPECT, types=ObjectType.PRIVATE_KEY
        )
    except (ItemNotFound, InvalidField):
        return None
