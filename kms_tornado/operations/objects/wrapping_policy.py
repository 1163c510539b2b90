"""Which keys a Sensitive object may leave under: no sequence of operations makes it plain.

Three rules keep it so (docs/security.md, "Abuse cases"). The wrapping key was made here, was always
Sensitive, and its only permitted use is wrapping, for good, as a usage mask never changes. Such a key
never leaves itself. And what it unwraps is Sensitive from then on (`wrapping`, `stored_wrapped`).
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

#: The uses that a key may have under which Sensitive objects leave. With Encrypt or Decrypt, its owner would
#: only have to decrypt what was wrapped.
_WRAPPING_ONLY = (
    CryptographicUsageMask.WRAP_KEY
    | CryptographicUsageMask.UNWRAP_KEY
    | CryptographicUsageMask.EXPORT
)


def check_key_may_leave(target: ManagedObject) -> None:
    """A key that others leave under stays: back in under another usage mask, it would decrypt them.

    Raises SensitiveObject.
    """
    if _is_secret_wrapping_key(target):
        raise SensitiveObject("a Sensitive key that does nothing but wrap never leaves")


async def check_wrapping_key_protects(call: Call, wrapping_key: UsableKey, key: UsableKey) -> None:
    """Refuse to wrap a Sensitive key with one that the caller may know, or can decrypt with.

    A caller who brought the wrapping key, or could ever read it, would have the Sensitive key in plain
    after one more step. Raises SensitiveObject.
    """
    unwrapping_key: ManagedObject | None = wrapping_key.target
    if wrapping_key.target.object_type is ObjectType.PUBLIC_KEY:
        unwrapping_key = await _fetch_private_half(call, wrapping_key, key)
    if (
        unwrapping_key is None
        or not _is_secret_wrapping_key(unwrapping_key)
        or not _is_generated_here(wrapping_key.target)
    ):
        raise SensitiveObject(
            "a Sensitive object leaves only wrapped by a key that this server made, that was always "
            "Sensitive, and whose usage mask allows nothing but wrapping and unwrapping"
        )


def _is_generated_here(target: ManagedObject) -> bool:
    return target.attributes.random_number_generator is not None


def _is_secret_wrapping_key(target: ManagedObject) -> bool:
    """Nobody has ever known it, and wrapping is its only permitted use."""
    attributes = target.attributes
    mask = attributes.cryptographic_usage_mask
    return (
        _is_generated_here(target)
        and bool(attributes.sensitive and attributes.always_sensitive)
        and mask is not None
        and not mask & ~_WRAPPING_ONLY
    )


async def _fetch_private_half(
    call: Call, public: UsableKey, key: UsableKey
) -> ManagedObject | None:
    """The private key that a public key's link names, if the caller may unwrap with it and the two match.

    key: what is to be wrapped. It may be that private key itself, unwrapped already.
    """
    private = await fetch_private_key_of(call, public.target)
    if private is None or private.sealed is None:
        return None
    material = key.open() if private.uid == key.target.uid else call.open(private)
    half = await run_with_private_key(call, private, partial(derive_public_key, material))
    return private if half == public.open() else None


async def fetch_private_key_of(call: Call, public: ManagedObject) -> ManagedObject | None:
    """The private key that a public key's link names, if the caller may decrypt with it.

    The link is a client's to set: that the keys match is not checked.
    """
    linked_uids = [
        link.linked_object_identifier
        for link in public.attributes.links
        if link.link_type is LinkType.PRIVATE_KEY_LINK
    ]
    if len(linked_uids) != 1:
        return None
    try:
        return await call.for_operation(Operation.DECRYPT).fetch_for(
            linked_uids[0], Use.INSPECT, types=ObjectType.PRIVATE_KEY
        )
    except (ItemNotFound, InvalidField):
        return None
