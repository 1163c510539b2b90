"""Encrypt and Decrypt with RSA keys: OAEP, and PKCS#1 v1.5 where the crypto policy allows it."""

from __future__ import annotations

from functools import partial

from ..crypto.encryption.rsa_encryption import (
    RSAEncryptionScheme,
    choose_rsa_encryption,
    rsa_decrypt,
    rsa_encrypt,
)
from ..domain.key_parameters import bind_parameters
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import InvalidField
from ..kmip.payloads import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse
from ..kmip.structures import CryptographicParameters
from .common.call import Call
from .common.key_use import open_public_key, run_with_private_key
from .common.usable_key import UsableKey


async def encrypt_with_public_key(
    call: Call, key: UsableKey, request: EncryptRequest, data: bytes
) -> EncryptResponse:
    """Encrypt with a public key, or with the public key in a certificate."""
    scheme = _choose_scheme(call, key.target, request, Use.PROTECT)
    ciphertext = rsa_encrypt(open_public_key(key), scheme, data)
    await call.consume_usage(key.target, len(data))
    return EncryptResponse(unique_identifier=key.target.uid, data=ciphertext)


async def decrypt_with_private_key(
    call: Call, key: UsableKey, request: DecryptRequest, data: bytes
) -> DecryptResponse:
    """Decrypt with a private key.

    Any fault in the data raises the same CryptographicFailure.
    """
    scheme = _choose_scheme(call, key.target, request, Use.PROCESS)
    work = partial(rsa_decrypt, key.open(), scheme, data)
    plaintext = await run_with_private_key(call, key.target, work)
    return DecryptResponse(unique_identifier=key.target.uid, data=plaintext)


def _choose_scheme(
    call: Call, target: ManagedObject, request: EncryptRequest | DecryptRequest, use: Use
) -> RSAEncryptionScheme:
    """The scheme that the parameters ask for, if the policy allows it."""
    if (
        request.iv_counter_nonce is not None
        or request.authenticated_encryption_additional_data is not None
    ):
        raise InvalidField("RSA takes neither an IV nor additional data")
    requested = bind_parameters(
        target.attributes.cryptographic_parameters, request.cryptographic_parameters
    )
    scheme = choose_rsa_encryption(requested or CryptographicParameters())
    call.check_allowed(scheme.technique, use)
    return scheme
