"""The nonce of an encryption: claimed before the encryption, and counted or recorded for the key's material."""

from __future__ import annotations

from ...crypto.material import KeyMaterial
from ...crypto.policy import CryptoPolicy
from ...domain.managed_object import ManagedObject
from ...store.interface.changes import Change, UseNonce
from .call import Call
from .encryption_plan import EncryptionPlan


async def claim_nonce(
    call: Call, target: ManagedObject, material: KeyMaterial, plan: EncryptionPlan
) -> tuple[Change, ...]:
    """Claim the nonce of the plan, before the encryption; it cannot be given back.

    Returns the change that records a caller's nonce, if there is one, to be committed together with the usage. A nonce
    that the server made is counted at once.
    material: the target's; the nonces of equal material are counted together.
    Raises the errors of `ServerNonces.take`.
    """
    if plan.makes_nonce:
        await take_server_nonce(call, target, material)
    elif plan.recorded_nonce is not None:
        key = call.context.ring.identify_material(material.reveal())
        by_object = _counts_by_object(call)
        return (UseNonce(target.uid, key, plan.recorded_nonce, target.generation, by_object),)
    return ()


async def take_server_nonce(call: Call, target: ManagedObject, material: KeyMaterial) -> None:
    """Count a nonce that the server makes for an encryption. Raises the errors of `ServerNonces.take`."""
    key = call.context.ring.identify_material(material.reveal())
    await call.context.server_nonces.take(
        call.store, target, key, by_object=_counts_by_object(call), audit=call.audit
    )


def _counts_by_object(call: Call) -> bool:
    """Whether the nonces of other objects with the same material do not count (`domain.nonces`).

    Such an object reveals nothing: whoever brings a nonce with it may decrypt with it.
    """
    return call.context.crypto_policy is CryptoPolicy.PERMISSIVE
