"""Files in ckms's format: encrypted by the server, or locally with a data key that the server wraps."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from ...blocking import KMSClient
from ...files.ckms_exchange import decrypt_data, encrypt_data, unwrap_key, wrap_new_key
from ...files.ckms_format import (
    MAX_SERVER_SIDE_BYTES,
    NONCE_BYTES,
    decrypt_message,
    encrypt_message,
    read_wrapped_key,
    render_wrapped_key,
)
from ...files.errors import FileError
from ...files.sealing import Observer, Readable, Writable, read_full, write_all
from ..key_names import Key
from .ckms_options import CkmsChoice

T = TypeVar("T")


class UseKey(Protocol):
    """Calls a function with the key that the user named, and returns its result."""

    def __call__(self, action: Callable[[Key], T]) -> T: ...


def encrypt_ckms(
    client: KMSClient,
    use_key: UseKey,
    choice: CkmsChoice,
    source: Readable,
    target: Writable,
    observe: Observer,
) -> None:
    algorithm, additional_data = choice.data_algorithm, choice.authentication_data
    key_algorithm = choice.key_algorithm
    if key_algorithm is None:
        data, nonce = _read_all(source), choice.nonce
        message = use_key(
            lambda key: encrypt_data(
                client,
                key,
                data,
                algorithm=algorithm,
                nonce=nonce,
                additional_data=additional_data,
            )
        )
        write_all(target, message)
        observe(len(data))
    else:
        nonce = choice.nonce or os.urandom(NONCE_BYTES)
        data_key, wrapped = use_key(lambda key: wrap_new_key(client, key, key_algorithm))
        write_all(target, render_wrapped_key(wrapped))
        encrypt_message(source, target, data_key, nonce, additional_data or b"", algorithm, observe)


def decrypt_ckms(
    client: KMSClient,
    use_key: UseKey,
    choice: CkmsChoice,
    source: Readable,
    target: Writable,
    observe: Observer,
) -> None:
    """Decrypt a file. If this raises an exception, nothing that the target received may be used."""
    algorithm, additional_data = choice.data_algorithm, choice.authentication_data
    key_algorithm = choice.key_algorithm
    if key_algorithm is None:
        data = _read_all(source)
        plaintext = use_key(
            lambda key: decrypt_data(
                client, key, data, algorithm=algorithm, additional_data=additional_data
            )
        )
        write_all(target, plaintext)
        observe(len(data))
    else:
        wrapped = read_wrapped_key(source)
        data_key = use_key(lambda key: unwrap_key(client, key, wrapped, key_algorithm))
        decrypt_message(source, target, data_key, additional_data or b"", algorithm, observe)


def _read_all(source: Readable) -> bytes:
    """Everything that the server receives at once. Raises FileError where that is too much."""
    pieces, total = [], 0
    buffer = memoryview(bytearray(1024 * 1024))
    while count := read_full(source, buffer):
        total += count
        if total > MAX_SERVER_SIDE_BYTES:
            raise FileError(
                "the file is too long to be sent to the server: add --key-encryption-algorithm aes-gcm, or "
                "leave out --ckms"
            )
        pieces.append(bytes(buffer[:count]))
    return b"".join(pieces)
