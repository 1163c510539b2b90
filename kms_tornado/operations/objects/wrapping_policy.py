"""Which keys may wrap a Sensitive object, so that no sequence of operations reveals it or widens its use.

There are four rules (docs/security.md, "Abuse cases"). First, this server generated the wrapping key, which
was always Sensitive and whose only permitted use is wrapping; a usage mask never changes. It is the object's
owner's, so that nobody takes the object away under a key of their own. Second, such a key never leaves the
server itself. Third, an object that it unwraps is Sensitive from then on (`wrapping`, `stored_wrapped`).
Fourth, the object's rights are wrapped with it, and bind what comes back (`domain.wrapped_rights`).
"""

from __future__ import annotations

from functools import partial

from ...crypto.encryption.key_wrapping import WrappingScheme
from ...crypto.keys.loading import derive_public_key
from ...crypto.policy import Technique
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...errors import InvalidField, ItemNotFound, PermissionDenied, SensitiveObject
from ...kmip.enums import (
    CryptographicUsageMask,
    EncodingOption,
    LinkType,
    ObjectType,
    Operation,
)
from ...kmip.objects import KeyWrappingSpecification
from ..common.call import Call
from ..common.key_use import run_with_private_key
from ..common.usable_key import UsableKey

#: The permitted uses of a key that wraps Sensitive objects. With Encrypt or Decrypt besides, its owner could
#: simply decrypt the wrapped object.
_WRAPPING_ONLY = (
    CryptographicUsageMask.WRAP_KEY
    | CryptographicUsageMask.UNWRAP_KEY
    | CryptographicUsageMask.EXPORT
)


def check_key_may_leave(target: ManagedObject) -> None:
    """Refuse to let a key leave that may wrap Sensitive objects. Raises SensitiveObject.

    It could otherwise come back with another usage mask, and decrypt what it has wrapped.
    """
    if _is_secret_wrapping_key(target):
        raise SensitiveObject("a Sensitive key that does nothing but wrap never leaves")


def check_rights_are_wrapped(specification: KeyWrappingSpecification) -> None:
    """Refuse to wrap the key of a Sensitive object without its rights. Raises SensitiveObject."""
    if specification.encoding_option is EncodingOption.NO_ENCODING:
        raise SensitiveObject(
            "a Sensitive object leaves with its rights, which NoEncoding has no place for: leave it out"
        )


def check_scheme_protects(scheme: WrappingScheme) -> None:
    """Refuse PKCS#1 v1.5 for Sensitive keys, under any policy. Raises SensitiveObject.

    Whoever may unwrap with the key could use the server as an oracle.
    """
    if scheme.technique is Technique.RSA_PKCS1_V1_5_ENCRYPTION:
        raise SensitiveObject("a Sensitive key wraps and unwraps by OAEP, not by PKCS#1 v1.5")


def check_comes_back_without_rights(wrapping_key: ManagedObject, owner: str) -> None:
    """Check that a key without rights beside it comes back to the owner of the key that wrapped it.

    Sensitive keys that left an older version of the server have no rights beside them. Another user who may unwrap with
    the wrapping key would choose their usage mask.
    owner: of the object that is unwrapped. Raises PermissionDenied.
    """
    if wrapping_key.attributes.sensitive and wrapping_key.owner != owner:
        raise PermissionDenied(
            "a key that a Sensitive key wrapped without its rights comes back to the owner of that key alone"
        )


async def check_wrapping_key_protects(call: Call, wrapping_key: UsableKey, key: UsableKey) -> None:
    """Refuse to wrap a Sensitive key with one that the caller may know, or can decrypt with.

    A caller who supplied the wrapping key, or could ever read it, could decrypt the wrapped key outside
    the server. Raises SensitiveObject.
    """
    unwrapping_key: ManagedObject | None = wrapping_key.target
    if wrapping_key.target.object_type is ObjectType.PUBLIC_KEY:
        unwrapping_key = await _fetch_private_half(call, wrapping_key, key)
    if (
        unwrapping_key is None
        or not _is_secret_wrapping_key(unwrapping_key)
        or not is_generated_here(wrapping_key.target)
        or {wrapping_key.target.owner, unwrapping_key.owner} != {key.target.owner}
    ):
        raise SensitiveObject(
            "a Sensitive object leaves only wrapped by a key of its owner's that this server made, that "
            "was always Sensitive, and whose usage mask allows nothing but wrapping and unwrapping"
        )


def is_generated_here(target: ManagedObject) -> bool:
    return target.attributes.random_number_generator is not None


def _is_secret_wrapping_key(target: ManagedObject) -> bool:
    """Whether nobody has ever known the key, and wrapping is its only permitted use."""
    attributes = target.attributes
    mask = attributes.cryptographic_usage_mask
    return (
        is_generated_here(target)
        and bool(attributes.sensitive and attributes.always_sensitive)
        and mask is not None
        and not mask & ~_WRAPPING_ONLY
    )


async def _fetch_private_half(
    call: Call, public: UsableKey, key: UsableKey
) -> ManagedObject | None:
    """The private key that a public key's link names, if the caller may unwrap with it and the two belong together.

    key: the key to be wrapped, which may be that private key itself, already unwrapped.
    """
    private = await fetch_private_key_of(call, public.target)
    if private is None or private.sealed is None:
        return None
    material = key.open() if private.uid == key.target.uid else call.open(private)
    half = await run_with_private_key(call, private, partial(derive_public_key, material))
    return private if half == public.open() else None


async def fetch_private_key_of(call: Call, public: ManagedObject) -> ManagedObject | None:
    """The private key that a public key's link names, if the caller may decrypt with it.

    Clients can set the link, and this function does not check that the keys match. A link to another
    owner's key is not followed: whoever owns the public key would choose among the caller's private keys.
    """
    linked_uids = [
        link.linked_object_identifier
        for link in public.attributes.links
        if link.link_type is LinkType.PRIVATE_KEY_LINK
    ]
    if len(linked_uids) != 1:
        return None
    try:
        private = await call.for_operation(Operation.DECRYPT).fetch_for(
            linked_uids[0], Use.INSPECT, types=ObjectType.PRIVATE_KEY
        )
    except (ItemNotFound, InvalidField):
        return None
    return private if private.owner == public.owner else None
