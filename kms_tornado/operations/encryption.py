"""Encrypt and Decrypt (KMIP 2.1 §6.1; KMIP.md §8, §9).

What the key is decides who computes: a row a type of object in ENCRYPTING and DECRYPTING. Data in
parts is for symmetric keys.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType

from ..crypto import ciphers
from ..crypto.suites import Suite, check_aad, check_iv, choose_suite
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import FeatureNotSupported, InvalidField
from ..kmip.enums import CryptographicUsageMask, ObjectType
from ..kmip.payloads import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse
from ..store.base import Change, UseNonce
from .common.call import Call, UsableKey
from .common.key_use import (
    choose_parameters,
    require_data,
    resume_stream,
    run_maybe_offloaded,
    run_offloaded_or_inline,
    start_stream,
    update_stream,
)
from .common.streams import FIRST, LAST, WHOLE, Stage, determine_stage
from .rsa import decrypt_with_private_key, encrypt_with_public_key

# Python 3.11 looks a member of an enumeration up in a function.
_PROTECT, _PROCESS = Use.PROTECT, Use.PROCESS
_ENCRYPT, _DECRYPT = CryptographicUsageMask.ENCRYPT, CryptographicUsageMask.DECRYPT

Encrypting = Callable[[Call, UsableKey, EncryptRequest, bytes], Awaitable[EncryptResponse]]
Decrypting = Callable[[Call, UsableKey, DecryptRequest, bytes], Awaitable[DecryptResponse]]


async def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Ciphertext; IV and tag in fields of their own."""
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    key = await call.fetch_to_use(
        request.unique_identifier,
        _PROTECT,
        _ENCRYPT,
        types=_ENCRYPTING_TYPES,
    )
    if stage is WHOLE:
        return await ENCRYPTING[key.target.object_type](call, key, request, data)
    _check_streamable(key.target)
    return await _encrypt_part(call, key, request, stage, data)


async def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """The plaintext. Everything that data can be wrong in is one CryptographicFailure."""
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    key = await call.fetch_to_use(
        request.unique_identifier,
        _PROCESS,
        _DECRYPT,
        types=_DECRYPTING_TYPES,
    )
    if stage is WHOLE:
        return await DECRYPTING[key.target.object_type](call, key, request, data)
    _check_streamable(key.target)
    return await _decrypt_part(call, key, request, stage, data)


# --- symmetric keys -----------------------------------------------------------------------------


async def _encrypt_symmetric(
    call: Call, key: UsableKey, request: EncryptRequest, data: bytes
) -> EncryptResponse:
    target = key.target
    suite = _suite(call, target, request, _PROTECT)
    iv = _iv(call, target, request, suite)
    aad = _aad(request, suite)
    work = partial(ciphers.encrypt, suite, key.open(), data, aad, iv)
    sealed = await run_maybe_offloaded(call, len(data) + len(aad), work)
    # A nonce that was used before is refused here, and what was computed under it is dropped.
    await call.consume_usage(target, len(data), *_nonce(target, request, suite))
    return EncryptResponse(
        unique_identifier=target.uid,
        data=sealed.ciphertext,
        iv_counter_nonce=_told_iv(call, request, iv),
        authenticated_encryption_tag=sealed.tag,
    )


async def _decrypt_symmetric(
    call: Call, key: UsableKey, request: DecryptRequest, data: bytes
) -> DecryptResponse:
    target = key.target
    suite = _suite(call, target, request, _PROCESS)
    iv, tag = _known_iv(call, request, suite), request.authenticated_encryption_tag
    aad = _aad(request, suite)
    work = partial(ciphers.decrypt, suite, key.open(), data, aad, iv, tag)
    plaintext = await run_maybe_offloaded(call, len(data) + len(aad), work)
    return DecryptResponse(unique_identifier=target.uid, data=plaintext)


#: Object type → who encrypts with it.
ENCRYPTING: Mapping[ObjectType, Encrypting] = MappingProxyType(
    {
        ObjectType.SYMMETRIC_KEY: _encrypt_symmetric,
        ObjectType.PUBLIC_KEY: encrypt_with_public_key,
        ObjectType.CERTIFICATE: encrypt_with_public_key,
    }
)
#: Object type → who decrypts with it.
DECRYPTING: Mapping[ObjectType, Decrypting] = MappingProxyType(
    {ObjectType.SYMMETRIC_KEY: _decrypt_symmetric, ObjectType.PRIVATE_KEY: decrypt_with_private_key}
)
_ENCRYPTING_TYPES = frozenset(ENCRYPTING)
_DECRYPTING_TYPES = frozenset(DECRYPTING)


# --- in parts -----------------------------------------------------------------------------------


async def _encrypt_part(
    call: Call, key: UsableKey, request: EncryptRequest, stage: Stage, data: bytes
) -> EncryptResponse:
    target = key.target
    told_iv = None
    if stage is FIRST:
        suite = _suite(call, target, request, _PROTECT)
        iv = _iv(call, target, request, suite)
        told_iv = _told_iv(call, request, iv)
        aad, material = _aad(request, suite), key.open()
        work = partial(ciphers.start_encryption, suite, material, iv, aad)
        nonce = _nonce(target, request, suite)
        stream = await start_stream(call, target, len(data), work, *nonce, aad=aad)
    else:
        _check_later_part(request)
        stream = await resume_stream(call, target, request.correlation_value, len(data))
    ciphertext = await update_stream(call, stream, data)
    if stage is not LAST:
        return EncryptResponse(
            unique_identifier=target.uid,
            data=ciphertext,
            iv_counter_nonce=told_iv,
            correlation_value=call.streams.keep(stream, now=call.now),
        )
    rest, tag = stream.work.finish()
    return EncryptResponse(
        unique_identifier=target.uid,
        data=ciphertext + rest,
        authenticated_encryption_tag=tag,
    )


async def _decrypt_part(
    call: Call, key: UsableKey, request: DecryptRequest, stage: Stage, data: bytes
) -> DecryptResponse:
    """In an authenticated mode the plaintext comes whole, with the last part: its tag is verified then."""
    target = key.target
    if stage is FIRST:
        suite = _suite(call, target, request, _PROCESS)
        iv, aad = _known_iv(call, request, suite), _aad(request, suite)
        work = partial(ciphers.start_decryption, suite, key.open(), iv, aad)
        stream = await start_stream(call, target, None, work, aad=aad)
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
    finish = partial(stream.work.finish, request.authenticated_encryption_tag)
    rest = await run_offloaded_or_inline(call, stream.kept, finish)
    return DecryptResponse(unique_identifier=target.uid, data=plaintext + rest)


def _check_streamable(target: ManagedObject) -> None:
    if target.object_type is not ObjectType.SYMMETRIC_KEY:
        raise FeatureNotSupported("data in several parts takes a symmetric key")


def _check_later_part(request: EncryptRequest | DecryptRequest) -> None:
    """The IV and what else is authenticated come with the first part; later they would be ignored."""
    if request.iv_counter_nonce is not None:
        raise InvalidField("IVCounterNonce belongs to the first part")
    if request.authenticated_encryption_additional_data is not None:
        raise InvalidField("AuthenticatedEncryptionAdditionalData belongs to the first part")


# --- what a request asks for --------------------------------------------------------------------


def _suite(
    call: Call, target: ManagedObject, request: EncryptRequest | DecryptRequest, use: Use
) -> Suite:
    """What the parameters ask for, if key and policy allow it."""
    iv = request.iv_counter_nonce
    wanted = choose_parameters(target, request.cryptographic_parameters)
    suite = choose_suite(target.attributes.cryptographic_algorithm, wanted, iv)
    for technique in suite.list_techniques(iv):
        call.check_allowed(technique, use)
    return suite


def _iv(call: Call, target: ManagedObject, request: EncryptRequest, suite: Suite) -> bytes | None:
    """The caller's IV, else a new one unless the caller insists on bringing it (RandomIV false)."""
    iv = request.iv_counter_nonce
    if iv is not None:
        check_iv(suite, iv)
        return iv
    wanted = choose_parameters(target, request.cryptographic_parameters)
    if suite.new_iv_bytes and wanted is not None and wanted.random_iv is False:
        raise call.client.missing_iv_error("RandomIV is false and IVCounterNonce is missing")
    return ciphers.generate_iv(suite)


def _known_iv(call: Call, request: DecryptRequest, suite: Suite) -> bytes | None:
    if suite.new_iv_bytes and request.iv_counter_nonce is None:
        raise call.client.missing_iv_error("decryption needs the IV that the encryption returned")
    return request.iv_counter_nonce


def _told_iv(call: Call, request: EncryptRequest, iv: bytes | None) -> bytes | None:
    """Every client is told the IV that the server made; some want their own back, too."""
    return iv if request.iv_counter_nonce is None or call.client.returns_given_iv else None


def _nonce(target: ManagedObject, request: EncryptRequest, suite: Suite) -> tuple[Change, ...]:
    """A caller's nonce counts once, across restarts and servers. Random ones need no record."""
    iv = request.iv_counter_nonce
    if iv is None or not suite.has_nonce:
        return ()
    return (UseNonce(target.uid, ciphers.normalize_nonce(suite, iv), target.generation),)


def _aad(request: EncryptRequest | DecryptRequest, suite: Suite) -> bytes:
    """Raises InvalidField where nothing would authenticate it."""
    aad = request.authenticated_encryption_additional_data or b""
    check_aad(suite, aad)
    return aad
