"""Encrypt and Decrypt (KMIP 2.1 §6.1), whole or in parts.

The object type of the key decides which function computes: ENCRYPT_BY_TYPE and DECRYPT_BY_TYPE have one
row for each. With a symmetric key an operation makes its plan (`common.encryption_plan`), opens the key,
computes, and consumes usage. Only symmetric keys take data in parts (`common.streams`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType

from ..crypto.encryption import ciphers
from ..domain.access import is_owner
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..domain.usage import check_usage_mask
from ..errors import FeatureNotSupported, InvalidField
from ..kmip.enums import CryptographicUsageMask, ObjectType, Operation
from ..kmip.payloads import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse
from .common.call import Call
from .common.encryption_plan import (
    DecryptionPlan,
    EncryptionPlan,
    plan_decryption,
    plan_encryption,
)
from .common.key_use import (
    check_also_allowed,
    require_data,
    resume_stream,
    run_maybe_offloaded,
    run_surely,
    start_stream,
    update_stream,
)
from .common.nonces import claim_nonce
from .common.streams import FIRST, LAST, WHOLE, Stage, determine_stage
from .common.usable_key import UsableKey
from .rsa import decrypt_with_private_key, encrypt_with_public_key

# Python 3.11 looks a member of an enumeration up in a function.
_PROTECT, _PROCESS = Use.PROTECT, Use.PROCESS
_ENCRYPT, _DECRYPT = CryptographicUsageMask.ENCRYPT, CryptographicUsageMask.DECRYPT

EncryptFunction = Callable[[Call, UsableKey, EncryptRequest, bytes], Awaitable[EncryptResponse]]
DecryptFunction = Callable[[Call, UsableKey, DecryptRequest, bytes], Awaitable[DecryptResponse]]


async def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Encrypt data or a part of it; IV and tag are separate fields of the answer."""
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    key = await call.fetch_to_use(
        request.unique_identifier, _PROTECT, _ENCRYPT, types=_ENCRYPTING_TYPES
    )
    if stage is WHOLE:
        return await ENCRYPT_BY_TYPE[key.target.object_type](call, key, request, data)
    _check_streamable(key.target)
    return await _encrypt_part(call, key, request, stage, data)


async def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """Decrypt data or a part of it. Any fault in the data raises the same CryptographicFailure."""
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    key = await call.fetch_to_use(
        request.unique_identifier, _PROCESS, _DECRYPT, types=_DECRYPTING_TYPES
    )
    if stage is WHOLE:
        return await DECRYPT_BY_TYPE[key.target.object_type](call, key, request, data)
    _check_streamable(key.target)
    return await _decrypt_part(call, key, request, stage, data)


# --- symmetric keys -----------------------------------------------------------------------------


async def _encrypt_symmetric(
    call: Call, key: UsableKey, request: EncryptRequest, data: bytes
) -> EncryptResponse:
    target = key.target
    plan = await _plan_encryption(call, target, request)
    material = key.open()
    nonce = await claim_nonce(call, target, material, plan)
    work = partial(ciphers.encrypt, plan.suite, material, data, plan.aad, plan.iv)
    encrypted = await run_maybe_offloaded(call, len(data) + len(plan.aad), work)
    # A caller's nonce that was used before is refused here, and the ciphertext made with it is dropped.
    await call.consume_usage(target, len(data) + len(plan.aad), *nonce)
    ciphertext, tag = _place_tag(call, encrypted.ciphertext, encrypted.tag)
    return EncryptResponse(
        unique_identifier=target.uid,
        data=ciphertext,
        iv_counter_nonce=plan.returned_iv,
        authenticated_encryption_tag=tag,
    )


async def _decrypt_symmetric(
    call: Call, key: UsableKey, request: DecryptRequest, data: bytes
) -> DecryptResponse:
    target = key.target
    plan = await _plan_decryption(call, target, request)
    data, tag = _find_tag(call, plan, data, request.authenticated_encryption_tag)
    work = partial(ciphers.decrypt, plan.suite, key.open(), data, plan.aad, plan.iv, tag)
    plaintext = await run_maybe_offloaded(call, len(data) + len(plan.aad), work)
    return DecryptResponse(unique_identifier=target.uid, data=plaintext)


def _place_tag(call: Call, ciphertext: bytes, tag: bytes | None) -> tuple[bytes, bytes | None]:
    """(data, tag) as the client expects them in the answer."""
    if tag is not None and call.client.has_tag_behind_data:
        return ciphertext + tag, None
    return ciphertext, tag


def _find_tag(
    call: Call, plan: DecryptionPlan, data: bytes, tag: bytes | None
) -> tuple[bytes, bytes | None]:
    """(ciphertext, tag) of the request.

    If the data is too short it has no tag, and fails as one with a wrong tag does.
    """
    if tag is None and call.client.has_tag_behind_data:
        return ciphers.split_tag(plan.suite, data)
    return data, tag


async def _plan_encryption(
    call: Call, target: ManagedObject, request: EncryptRequest
) -> EncryptionPlan:
    """The plan, if the caller may do everything that it requires. Raises the plan's errors, PermissionDenied."""
    plan = plan_encryption(
        request, target.attributes, target.nonce_source, call.context.crypto_policy, call.client
    )
    if plan.needs_decrypt:
        brings = "this mode"
        if request.iv_counter_nonce is not None:
            brings = "a nonce of your own" if plan.suite.has_nonce else "an IV of your own"
        # By zeros under a nonce that was used, or in the place of counters, data could be read.
        await _check_may_read(call, target, brings)
    return plan


async def _check_may_read(call: Call, target: ManagedObject, subject: str) -> None:
    """Check that the caller may decrypt with the key, by right and by the key's usage mask.

    subject: for the message, what requires the right to decrypt. Raises PermissionDenied,
    IncompatibleCryptographicUsageMask.
    """
    await check_also_allowed(call, target, Operation.DECRYPT, subject)
    if not is_owner(call.principal, target):
        check_usage_mask(target, _DECRYPT)


async def _plan_decryption(
    call: Call, target: ManagedObject, request: DecryptRequest
) -> DecryptionPlan:
    """The plan, if the caller may do everything that it requires. Raises the plan's errors, PermissionDenied."""
    plan = plan_decryption(request, target.attributes, call.context.crypto_policy, call.client)
    if plan.needs_encrypt:
        await check_also_allowed(call, target, Operation.ENCRYPT, "decryption in this mode")
    return plan


#: Object type → the function that encrypts with it.
ENCRYPT_BY_TYPE: Mapping[ObjectType, EncryptFunction] = MappingProxyType(
    {
        ObjectType.SYMMETRIC_KEY: _encrypt_symmetric,
        ObjectType.PUBLIC_KEY: encrypt_with_public_key,
        ObjectType.CERTIFICATE: encrypt_with_public_key,
    }
)
#: Object type → the function that decrypts with it.
DECRYPT_BY_TYPE: Mapping[ObjectType, DecryptFunction] = MappingProxyType(
    {ObjectType.SYMMETRIC_KEY: _decrypt_symmetric, ObjectType.PRIVATE_KEY: decrypt_with_private_key}
)
_ENCRYPTING_TYPES = frozenset(ENCRYPT_BY_TYPE)
_DECRYPTING_TYPES = frozenset(DECRYPT_BY_TYPE)


# --- in parts -----------------------------------------------------------------------------------


async def _encrypt_part(
    call: Call, key: UsableKey, request: EncryptRequest, stage: Stage, data: bytes
) -> EncryptResponse:
    target = key.target
    returned_iv = None
    if stage is FIRST:
        plan = await _plan_encryption(call, target, request)
        if not plan.suite.has_nonce:  # the answer to one part is what hides the next one
            await _check_may_read(call, target, "data in parts, in this mode,")
        returned_iv = plan.returned_iv
        material = key.open()
        nonce = await claim_nonce(call, target, material, plan)
        start = partial(ciphers.start_encryption, plan.suite, material, plan.iv, plan.aad)
        stream = await start_stream(call, target, len(data), start, *nonce, aad=plan.aad)
    else:
        _check_later_part(request)
        stream = await resume_stream(call, target, request.correlation_value, len(data))
    ciphertext = await update_stream(call, stream, data)
    if stage is not LAST:
        return EncryptResponse(
            unique_identifier=target.uid,
            data=ciphertext,
            iv_counter_nonce=returned_iv,
            correlation_value=call.streams.keep(stream, now=call.now),
        )
    rest, tag = stream.computation.finish()
    ciphertext, tag = _place_tag(call, ciphertext + rest, tag)
    return EncryptResponse(
        unique_identifier=target.uid,
        data=ciphertext,
        authenticated_encryption_tag=tag,
    )


async def _decrypt_part(
    call: Call, key: UsableKey, request: DecryptRequest, stage: Stage, data: bytes
) -> DecryptResponse:
    """In an authenticated mode, only the last part, which brings the tag, returns any plaintext."""
    target = key.target
    if stage is FIRST:
        plan = await _plan_decryption(call, target, request)
        start = partial(
            ciphers.start_decryption,
            plan.suite,
            key.open(),
            plan.iv,
            plan.aad,
            has_tag_behind_data=call.client.has_tag_behind_data,
        )
        stream = await start_stream(call, target, None, start, aad=plan.aad)
    else:
        _check_later_part(request)
        stream = await resume_stream(call, target, request.correlation_value, None)
    plaintext = await update_stream(call, stream, data)
    if stage is not LAST:
        return DecryptResponse(
            unique_identifier=target.uid,
            data=plaintext,
            correlation_value=call.streams.keep(stream, now=call.now),
        )
    finish = partial(stream.computation.finish, request.authenticated_encryption_tag)
    rest = await run_surely(call, stream.held_bytes, finish)
    return DecryptResponse(unique_identifier=target.uid, data=plaintext + rest)


def _check_streamable(target: ManagedObject) -> None:
    if target.object_type is not ObjectType.SYMMETRIC_KEY:
        raise FeatureNotSupported("data in several parts takes a symmetric key")


def _check_later_part(request: EncryptRequest | DecryptRequest) -> None:
    """Refuse fields of the first part: in a later one they would have no effect. Raises InvalidField."""
    if request.iv_counter_nonce is not None:
        raise InvalidField("IVCounterNonce belongs to the first part")
    if request.authenticated_encryption_additional_data is not None:
        raise InvalidField("AuthenticatedEncryptionAdditionalData belongs to the first part")
