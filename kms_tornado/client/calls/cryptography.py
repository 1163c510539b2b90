"""Calls that use a key at the server, where it stays."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...kmip.enums import HashingAlgorithm, ValidityIndicator
from ...kmip.payloads import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    HashRequest,
    HashResponse,
    MACRequest,
    MACResponse,
    MACVerifyRequest,
    MACVerifyResponse,
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)
from ...kmip.structures import CryptographicParameters
from ..exchanges import Exchange, perform
from .arguments import Key, check_bytes, find_value, identify


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """The result of an encryption.

    key: the identifier of the key. iv, tag: None where the cipher has none.
    """

    key: str
    data: bytes = field(repr=False)
    iv: bytes | None = None
    tag: bytes | None = None


def encrypt(
    key: Key,
    data: bytes,
    *,
    additional_data: bytes | None = None,
    iv: bytes | None = None,
    parameters: CryptographicParameters | None = None,
) -> Exchange[Ciphertext]:
    """Encrypt data.

    additional_data: is authenticated and not encrypted; decryption needs the same.
    iv: None lets the server choose one, which is also what makes the request repeatable.
    parameters: None means those of the key.
    """
    check_bytes(data=data, additional_data=additional_data, iv=iv)
    request = EncryptRequest(
        unique_identifier=identify(key),
        cryptographic_parameters=parameters,
        data=data,
        iv_counter_nonce=iv,
        authenticated_encryption_additional_data=additional_data,
    )

    def convert(response: EncryptResponse) -> Ciphertext:
        return Ciphertext(
            response.unique_identifier,
            response.data or b"",
            response.iv_counter_nonce if response.iv_counter_nonce is not None else iv,
            response.authenticated_encryption_tag,
        )

    return perform(request, EncryptResponse).then(convert)


def decrypt(
    key: Key,
    ciphertext: Ciphertext | bytes,
    *,
    additional_data: bytes | None = None,
    parameters: CryptographicParameters | None = None,
) -> Exchange[bytes]:
    """The plaintext. ciphertext: bytes where the cipher has neither an IV nor a tag, as RSA."""
    if not isinstance(ciphertext, Ciphertext):
        check_bytes(ciphertext=ciphertext)
        ciphertext = Ciphertext("", ciphertext)
    check_bytes(additional_data=additional_data)
    request = DecryptRequest(
        unique_identifier=identify(key),
        cryptographic_parameters=parameters,
        data=ciphertext.data,
        iv_counter_nonce=ciphertext.iv,
        authenticated_encryption_additional_data=additional_data,
        authenticated_encryption_tag=ciphertext.tag,
    )
    return perform(request, DecryptResponse).then(lambda response: response.data or b"")


def sign(
    key: Key,
    data: bytes | None = None,
    *,
    digest: bytes | None = None,
    parameters: CryptographicParameters | None = None,
) -> Exchange[bytes]:
    """The signature of data, which the server hashes, or of a digest, which the caller has made."""
    check_bytes(data=data, digest=digest)
    request = SignRequest(identify(key), parameters, data, digest)
    return perform(request, SignResponse).then(lambda response: response.signature_data or b"")


def verify(
    key: Key,
    signature: bytes,
    data: bytes | None = None,
    *,
    digest: bytes | None = None,
    parameters: CryptographicParameters | None = None,
) -> Exchange[bool]:
    """Whether the signature is of these data, or of this digest, by this key."""
    check_bytes(signature=signature, data=data, digest=digest)
    request = SignatureVerifyRequest(identify(key), parameters, data, digest, signature)
    return perform(request, SignatureVerifyResponse).then(
        lambda response: response.validity_indicator is ValidityIndicator.VALID
    )


def mac(
    key: Key, data: bytes, *, parameters: CryptographicParameters | None = None
) -> Exchange[bytes]:
    """The message authentication code of data."""
    check_bytes(data=data)
    request = MACRequest(identify(key), parameters, data)
    return perform(request, MACResponse).then(lambda response: response.mac_data or b"")


def mac_verify(
    key: Key, data: bytes, mac_data: bytes, *, parameters: CryptographicParameters | None = None
) -> Exchange[bool]:
    """Whether the code is that of these data by this key."""
    check_bytes(data=data, mac_data=mac_data)
    request = MACVerifyRequest(identify(key), parameters, data, mac_data)
    return perform(request, MACVerifyResponse).then(
        lambda response: response.validity_indicator is ValidityIndicator.VALID
    )


def hash_data(data: bytes, algorithm: HashingAlgorithm | str = "SHA-256") -> Exchange[bytes]:
    """The digest of data, computed by the server."""
    check_bytes(data=data)
    parameters = CryptographicParameters(hashing_algorithm=find_value(HashingAlgorithm, algorithm))
    return perform(HashRequest(parameters, data), HashResponse).then(
        lambda response: response.data or b""
    )
