"""The formats of Cosmian's ckms: one authenticated message, without a header.

    encrypted by the server     nonce (12) ‖ ciphertext ‖ tag (16)
    encrypted by the client     length of the wrapped data key (unsigned LEB128) ‖ wrapped data key
                                ‖ nonce (12) ‖ ciphertext ‖ tag (16)

The wrapped data key is what the server's Encrypt answers: nonce ‖ ciphertext ‖ tag, or the ciphertext alone
where a key wrapping algorithm has neither. Nothing in such a file tells which key or which algorithms:
whoever decrypts it has to know them. docs/file-format.md, "The files of ckms".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, cast

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import (
    AEADDecryptionContext,
    AEADEncryptionContext,
    Cipher,
    algorithms,
    modes,
)
from cryptography.hazmat.primitives.poly1305 import Poly1305

from .ckms_algorithms import DataAlgorithm
from .errors import FileError, UntrueFile
from .sealing import Observer, Readable, Writable, read_full, write_all

NONCE_BYTES = 12
TAG_BYTES = 16
DATA_KEY_BYTES = 32
#: What the server sends or receives at once is held in memory, and its own limit is lower still.
MAX_SERVER_SIDE_BYTES = 64 * 1024 * 1024
#: One message of AES-GCM (NIST SP 800-38D §5.2.1.1); ChaCha20-Poly1305 has 4 GiB more.
MAX_MESSAGE_BYTES = 2**36 - 32

_BUFFER_BYTES = 256 * 1024
#: The longest wrapped data key: 32 bytes encrypted with a nonce and a tag, or by a key wrap.
_MAX_WRAPPED_BYTES = 256


class Message(NamedTuple):
    """One authenticated message, or one wrapped key."""

    nonce: bytes
    ciphertext: bytes
    tag: bytes


def render_message(message: Message) -> bytes:
    return message.nonce + message.ciphertext + message.tag


def parse_message(data: bytes) -> Message:
    """Split a message. Raises UntrueFile where it is too short even for nonce and tag."""
    if len(data) < NONCE_BYTES + TAG_BYTES:
        raise UntrueFile("the file is too short for ckms's format: it was cut off")
    return Message(data[:NONCE_BYTES], data[NONCE_BYTES:-TAG_BYTES], data[-TAG_BYTES:])


def render_wrapped_key(wrapped: bytes) -> bytes:
    """The length of the wrapped data key, followed by the key."""
    rest, length = len(wrapped), bytearray()
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes(length) + wrapped


def read_wrapped_key(source: Readable) -> bytes:
    """The wrapped data key at the beginning of a file. Raises UntrueFile."""
    length = shift = 0
    while True:
        byte = _read_exactly(source, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if length > _MAX_WRAPPED_BYTES or shift > 14:
            raise UntrueFile("the file begins with no wrapped data key of ckms")
        if byte < 0x80:
            return _read_exactly(source, length)


def encrypt_message(
    source: Readable,
    target: Writable,
    key: bytes,
    nonce: bytes,
    additional_data: bytes,
    algorithm: DataAlgorithm,
    observe: Observer,
) -> None:
    """Write nonce, ciphertext and tag for everything in the source, in bounded memory. Raises FileError."""
    cipher = _CIPHERS[algorithm](key, nonce, additional_data, is_encryption=True)
    write_all(target, nonce)
    buffer, done = memoryview(bytearray(_BUFFER_BYTES)), 0
    while count := read_full(source, buffer):
        done += count
        if done > MAX_MESSAGE_BYTES:
            raise FileError("ckms's format holds 64 GiB at most: encrypt without --ckms")
        write_all(target, cipher.update(buffer[:count]))
        observe(done)
    write_all(target, cipher.make_tag())


def decrypt_message(
    source: Readable,
    target: Writable,
    key: bytes,
    additional_data: bytes,
    algorithm: DataAlgorithm,
    observe: Observer,
) -> None:
    """Write the plaintext of nonce, ciphertext and tag, in bounded memory.

    Nothing that the target received may be used before this returns: only the tag at the end shows whether it is
    authentic. Raises UntrueFile.
    """
    cipher = _CIPHERS[algorithm](
        key, _read_exactly(source, NONCE_BYTES), additional_data, is_encryption=False
    )
    buffer, held, done = memoryview(bytearray(TAG_BYTES + _BUFFER_BYTES)), 0, 0
    while count := read_full(source, buffer[held:]):
        held += count
        ready = max(held - TAG_BYTES, 0)
        write_all(target, cipher.update(buffer[:ready]))
        buffer[: held - ready] = bytes(buffer[ready:held])
        held, done = held - ready, done + ready
        observe(done)
    if held < TAG_BYTES:
        raise UntrueFile("the file is too short for ckms's format: it was cut off")
    try:
        cipher.verify_tag(bytes(buffer[:TAG_BYTES]))
    except (InvalidTag, InvalidSignature):
        raise UntrueFile(
            "the file is not authentic: it was cut off or edited, or encrypted with another key, other "
            "algorithms or other authentication data"
        ) from None


class _MessageCipher(Protocol):
    """Encrypts or decrypts one message, part by part."""

    def __init__(
        self, key: bytes, nonce: bytes, additional_data: bytes, *, is_encryption: bool
    ) -> None: ...

    def update(self, data: memoryview) -> bytes: ...

    def make_tag(self) -> bytes: ...

    def verify_tag(self, tag: bytes) -> None: ...


class _GCM:
    def __init__(
        self, key: bytes, nonce: bytes, additional_data: bytes, *, is_encryption: bool
    ) -> None:
        cipher = Cipher(algorithms.AES(key), modes.GCM(nonce))
        self._context = cipher.encryptor() if is_encryption else cipher.decryptor()
        self._context.authenticate_additional_data(additional_data)

    def update(self, data: memoryview) -> bytes:
        return self._context.update(data)

    def make_tag(self) -> bytes:
        self._context.finalize()
        return cast(AEADEncryptionContext, self._context).tag

    def verify_tag(self, tag: bytes) -> None:
        cast(AEADDecryptionContext, self._context).finalize_with_tag(tag)


class _ChaCha20Poly1305:
    """RFC 8439 §2.8, part by part: the library has it for whole messages only."""

    def __init__(
        self, key: bytes, nonce: bytes, additional_data: bytes, *, is_encryption: bool
    ) -> None:
        # Block 0 of the key stream keys the authenticator, the data begin with block 1.
        self._stream = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), None).encryptor()
        self._authenticator = Poly1305(self._stream.update(bytes(64))[:32])
        self._authenticate(additional_data)
        self._pad(len(additional_data))
        self._is_encryption = is_encryption
        self._lengths = [len(additional_data), 0]

    def update(self, data: memoryview) -> bytes:
        result = self._stream.update(data)
        self._authenticate(result if self._is_encryption else data)
        self._lengths[1] += len(data)
        return result

    def make_tag(self) -> bytes:
        self._finish()
        return self._authenticator.finalize()

    def verify_tag(self, tag: bytes) -> None:
        self._finish()
        self._authenticator.verify(tag)

    def _authenticate(self, data: bytes | memoryview) -> None:
        self._authenticator.update(data)

    def _pad(self, length: int) -> None:
        self._authenticator.update(bytes(-length % 16))

    def _finish(self) -> None:
        self._pad(self._lengths[1])
        self._authenticator.update(b"".join(each.to_bytes(8, "little") for each in self._lengths))


_CIPHERS: Mapping[DataAlgorithm, type[_MessageCipher]] = MappingProxyType(
    {DataAlgorithm.AES_GCM: _GCM, DataAlgorithm.CHACHA20_POLY1305: _ChaCha20Poly1305}
)


def _read_exactly(source: Readable, count: int) -> bytes:
    buffer = bytearray(count)
    if read_full(source, memoryview(buffer)) < count:
        raise UntrueFile("the file is too short for ckms's format: it was cut off")
    return bytes(buffer)
