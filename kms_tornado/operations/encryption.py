"""Encrypt and Decrypt (KMIP 2.1 §6.1.15, §6.1.10; KMIP.md §8, §9).

What the key is decides who computes: a row a type of object in ENCRYPTING and DECRYPTING.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from ..crypto import ciphers
from ..crypto.suites import Suite, check_iv, suite_for
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import FeatureNotSupported, InvalidMessage, MissingData, MissingInitializationVector
from ..kmip.enums import CryptographicUsageMask, ObjectType
from ..kmip.payloads import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse
from ..store.base import Change, UseNonce
from .call import Call
from .key_use import OFFLOAD_BYTES, parameters_of

Encrypting = Callable[[Call, ManagedObject, EncryptRequest, bytes], Awaitable[EncryptResponse]]
Decrypting = Callable[[Call, ManagedObject, DecryptRequest, bytes], Awaitable[DecryptResponse]]


async def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Ciphertext; IV and tag in fields of their own."""
    data = _whole_data(request)
    target = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROTECT,
        CryptographicUsageMask.ENCRYPT,
        kind=frozenset(ENCRYPTING),
    )
    return await ENCRYPTING[target.object_type](call, target, request, data)


async def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """The plaintext. Everything that data can be wrong in is one CryptographicFailure."""
    data = _whole_data(request)
    target = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROCESS,
        CryptographicUsageMask.DECRYPT,
        kind=frozenset(DECRYPTING),
    )
    return await DECRYPTING[target.object_type](call, target, request, data)


# --- symmetric keys -----------------------------------------------------------------------------


async def _encrypt_symmetric(
    call: Call, target: ManagedObject, request: EncryptRequest, data: bytes
) -> EncryptResponse:
    suite = _suite(call, target, request, Use.PROTECT)
    iv = _iv(call, target, request, suite)
    aad = _aad(request, suite)
    key = call.open(target)

    def work() -> ciphers.Sealed:
        return ciphers.encrypt(suite, key, data, aad, iv)

    sealed = await call.offload(work) if len(data) + len(aad) > OFFLOAD_BYTES else work()
    # A nonce that was used before is refused here, and what was computed under it is dropped.
    await call.spend(target, len(data), *_nonce(target, request, suite))
    return EncryptResponse(
        unique_identifier=target.uid,
        data=sealed.ciphertext,
        iv_counter_nonce=_told_iv(call, request, iv),
        authenticated_encryption_tag=sealed.tag,
    )


async def _decrypt_symmetric(
    call: Call, target: ManagedObject, request: DecryptRequest, data: bytes
) -> DecryptResponse:
    suite = _suite(call, target, request, Use.PROCESS)
    iv, tag = request.iv_counter_nonce, request.authenticated_encryption_tag
    if suite.new_iv and iv is None:
        raise _missing_iv(call, "decryption needs the IV that the encryption returned")
    aad = _aad(request, suite)
    key = call.open(target)

    def work() -> bytes:
        return ciphers.decrypt(suite, key, data, aad, iv, tag)

    plaintext = await call.offload(work) if len(data) + len(aad) > OFFLOAD_BYTES else work()
    return DecryptResponse(unique_identifier=target.uid, data=plaintext)


#: Object type → who encrypts with it.
ENCRYPTING: Mapping[ObjectType, Encrypting] = MappingProxyType(
    {ObjectType.SYMMETRIC_KEY: _encrypt_symmetric}
)
#: Object type → who decrypts with it.
DECRYPTING: Mapping[ObjectType, Decrypting] = MappingProxyType(
    {ObjectType.SYMMETRIC_KEY: _decrypt_symmetric}
)


def _whole_data(request: EncryptRequest | DecryptRequest) -> bytes:
    if (
        request.correlation_value is not None
        or request.init_indicator
        or request.final_indicator is False
    ):
        raise FeatureNotSupported("data in several parts is not supported")
    if request.data is None:
        raise MissingData("Data is missing")
    return request.data


def _suite(
    call: Call, target: ManagedObject, request: EncryptRequest | DecryptRequest, use: Use
) -> Suite:
    """What the parameters ask for, if key and policy allow it."""
    iv = request.iv_counter_nonce
    wanted = parameters_of(target, request.cryptographic_parameters)
    suite = suite_for(target.attributes.cryptographic_algorithm, wanted, iv)
    for technique in suite.techniques(iv):
        call.check_allowed(technique, use)
    return suite


def _iv(call: Call, target: ManagedObject, request: EncryptRequest, suite: Suite) -> bytes | None:
    """The caller's IV, else a new one unless the caller insists on bringing it (RandomIV false)."""
    iv = request.iv_counter_nonce
    if iv is not None:
        check_iv(suite, iv)
        return iv
    wanted = parameters_of(target, request.cryptographic_parameters)
    if suite.new_iv and wanted is not None and wanted.random_iv is False:
        raise _missing_iv(call, "RandomIV is false and IVCounterNonce is missing")
    return ciphers.new_iv(suite)


def _told_iv(call: Call, request: EncryptRequest, iv: bytes | None) -> bytes | None:
    """A message tells the IV that the server made (§6.1.15); a bare answer whatever was used."""
    return iv if call.bare or request.iv_counter_nonce is None else None


def _nonce(target: ManagedObject, request: EncryptRequest, suite: Suite) -> tuple[Change, ...]:
    """A caller's nonce counts once, across restarts and servers. Random ones need no record."""
    iv = request.iv_counter_nonce
    if iv is None or not suite.has_nonce:
        return ()
    return (UseNonce(target.uid, ciphers.nonce_of(suite, iv), target.generation),)


def _aad(request: EncryptRequest | DecryptRequest, suite: Suite) -> bytes:
    """Raises InvalidField where nothing would authenticate it."""
    aad = request.authenticated_encryption_additional_data or b""
    ciphers.check_aad(suite, aad)
    return aad


def _missing_iv(call: Call, text: str) -> MissingInitializationVector | InvalidMessage:
    """As the specification has it; to a message, as the OASIS cases CS-BC-M-11 to 13 have it."""
    return MissingInitializationVector(text) if call.bare else InvalidMessage(text)
