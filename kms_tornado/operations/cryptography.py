"""Encrypt and Decrypt with symmetric keys (KMIP 2.1 §6.1.15, §6.1.10; KMIP.md §8, §9)."""

from __future__ import annotations

from ..crypto import symmetric
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import FeatureNotSupported, MissingData, UnsupportedCryptographicParameters
from ..kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
)
from ..kmip.payloads import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse
from .call import Call

#: Above it, the cipher's time is worth a thread: AES-GCM does about 1 MiB in a millisecond.
OFFLOAD_BYTES = 256 * 1024


async def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Authenticated encryption; the answer has IV, ciphertext and tag in fields of their own."""
    data = _whole_data(request)
    target = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROTECT,
        CryptographicUsageMask.ENCRYPT,
        kind=ObjectType.SYMMETRIC_KEY,
    )
    algorithm, mode = _cipher(target, request)
    key = call.open(target)
    aad = request.authenticated_encryption_additional_data or b""

    def work() -> symmetric.Sealed:
        return symmetric.encrypt(algorithm, key, data, aad, request.iv_counter_nonce, mode=mode)

    result = await call.offload(work) if len(data) + len(aad) > OFFLOAD_BYTES else work()
    await call.spend(target, len(data))
    return EncryptResponse(
        unique_identifier=target.uid,
        data=result.ciphertext,
        iv_counter_nonce=result.iv,
        authenticated_encryption_tag=result.tag,
    )


async def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """The plaintext, only if all of tag, IV, additional data and key are those of the encryption."""
    data = _whole_data(request)
    target = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROCESS,
        CryptographicUsageMask.DECRYPT,
        kind=ObjectType.SYMMETRIC_KEY,
    )
    algorithm, mode = _cipher(target, request)
    key = call.open(target)
    aad = request.authenticated_encryption_additional_data or b""

    def work() -> bytes:
        return symmetric.decrypt(
            algorithm,
            key,
            data,
            request.iv_counter_nonce,
            request.authenticated_encryption_tag,
            aad,
            mode=mode,
        )

    plaintext = await call.offload(work) if len(data) + len(aad) > OFFLOAD_BYTES else work()
    return DecryptResponse(unique_identifier=target.uid, data=plaintext)


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


def _cipher(
    target: ManagedObject, request: EncryptRequest | DecryptRequest
) -> tuple[CryptographicAlgorithm, BlockCipherMode | None]:
    """What the request's parameters ask for, if the key fits; by default the key's algorithm decides.

    Padding and hash mean nothing to an authenticated cipher; clients send them along.
    """
    algorithm = target.attributes.cryptographic_algorithm
    if algorithm is None:
        raise UnsupportedCryptographicParameters("the key has no algorithm")
    wanted = request.cryptographic_parameters
    if wanted is None:
        return algorithm, None
    if wanted.cryptographic_algorithm not in {None, algorithm} and not (
        _is_chacha(algorithm) and _is_chacha(wanted.cryptographic_algorithm)
    ):
        raise UnsupportedCryptographicParameters("the key is for another algorithm")
    if wanted.tag_length not in {None, symmetric.TAG_BYTES}:
        raise UnsupportedCryptographicParameters("the tag has 16 bytes")
    if wanted.iv_length not in {None, 12}:
        raise UnsupportedCryptographicParameters("a new IV has 12 bytes")
    return algorithm, wanted.block_cipher_mode


def _is_chacha(algorithm: CryptographicAlgorithm | None) -> bool:
    """``ChaCha20`` means ChaCha20-Poly1305 to the clients (KMIP.md §9)."""
    return algorithm in {
        CryptographicAlgorithm.CHACHA20,
        CryptographicAlgorithm.CHACHA20_POLY1305,
    }
