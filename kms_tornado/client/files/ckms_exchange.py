"""What ckms's files need from the server: one Encrypt or Decrypt, of the data or of its data key."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ...errors import CryptographicFailure
from ...kmip.enums import BlockCipherMode, CryptographicAlgorithm
from ...kmip.structures import CryptographicParameters
from ..calls.cryptography import Ciphertext
from .ckms_algorithms import DataAlgorithm, KeyAlgorithm
from .ckms_format import DATA_KEY_BYTES, Message, parse_message, render_message
from .errors import FileError, UntrueFile

if TYPE_CHECKING:
    from ..blocking import KMSClient

Key = str | Sequence[str]


def _aes(mode: BlockCipherMode) -> CryptographicParameters:
    return CryptographicParameters(
        block_cipher_mode=mode, cryptographic_algorithm=CryptographicAlgorithm.AES
    )


#: The parameters for which ckms asks.
PARAMETERS: Mapping[str, CryptographicParameters] = MappingProxyType(
    {
        KeyAlgorithm.AES_GCM: _aes(BlockCipherMode.GCM),
        KeyAlgorithm.CHACHA20_POLY1305: CryptographicParameters(
            cryptographic_algorithm=CryptographicAlgorithm.CHACHA20_POLY1305
        ),
        KeyAlgorithm.RFC3394: _aes(BlockCipherMode.NIST_KEY_WRAP),
        KeyAlgorithm.RFC5649: _aes(BlockCipherMode.AES_KEY_WRAP_PADDING),
    }
)


def encrypt_data(
    client: KMSClient,
    key: Key,
    data: bytes,
    *,
    algorithm: DataAlgorithm,
    nonce: bytes | None,
    additional_data: bytes | None,
) -> bytes:
    """The message that the server makes from the data. nonce: None lets the server choose one."""
    answer = client.encrypt(
        key, data, additional_data=additional_data, iv=nonce, parameters=PARAMETERS[algorithm]
    )
    if not answer.iv or not answer.tag:
        raise FileError("the server encrypted without a nonce or a tag: take another key")
    return render_message(Message(answer.iv, answer.data, answer.tag))


def decrypt_data(
    client: KMSClient,
    key: Key,
    data: bytes,
    *,
    algorithm: DataAlgorithm,
    additional_data: bytes | None,
) -> bytes:
    """The plaintext of a message that the server made. Raises UntrueFile."""
    message = parse_message(data)
    return _decrypt(client, key, message, PARAMETERS[algorithm], additional_data)


def wrap_new_key(client: KMSClient, key: Key, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
    """(a new data key, the same key wrapped by the server's key)"""
    data_key = os.urandom(DATA_KEY_BYTES)
    answer = client.encrypt(key, data_key, parameters=PARAMETERS[algorithm])
    return data_key, render_message(Message(answer.iv or b"", answer.data, answer.tag or b""))


def unwrap_key(client: KMSClient, key: Key, wrapped: bytes, algorithm: KeyAlgorithm) -> bytes:
    """The data key of a file. Raises UntrueFile."""
    message = parse_message(wrapped) if algorithm.has_nonce_and_tag else Message(b"", wrapped, b"")
    data_key = _decrypt(client, key, message, PARAMETERS[algorithm], None)
    if len(data_key) != DATA_KEY_BYTES:
        raise UntrueFile("what the file's wrapped data key holds is no data key")
    return data_key


def _decrypt(
    client: KMSClient,
    key: Key,
    message: Message,
    parameters: CryptographicParameters,
    additional_data: bytes | None,
) -> bytes:
    ciphertext = Ciphertext("", message.ciphertext, message.nonce or None, message.tag or None)
    try:
        return client.decrypt(
            key, ciphertext, additional_data=additional_data, parameters=parameters
        )
    except CryptographicFailure as exc:
        raise UntrueFile(
            "the server cannot decrypt the file with this key: it was cut off or edited, or encrypted with "
            "another key, other algorithms or other authentication data"
        ) from exc
