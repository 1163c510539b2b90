"""The container: the bytes before the chunks of an encrypted file, and the keys that they lead to.

Pure. `docs/file-format.md` has every byte and the reasons. In short:

    header = magic, version, suite, wrapping, chunk size, length, salt, key identifier,
             what the server made of the data key, commitment, MAC
    data key ─ HKDF with the salt ─┬─ commitment    which data key this is
                                   ├─ MAC key       the header is as it was written
                                   └─ chunk key     AES-256-GCM (`sealing`)

Nothing of a header is to be believed before `open_header` has checked it; parsing it only bounds it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from .errors import UntrueFile

#: Like PNG's: a byte that is not text, then line ends and an end of file, so that a conversion of the file as text is
#: noticed.
MAGIC = b"\x89KMS\r\n\x1a\n"
VERSION = 1
#: AES-256-GCM for the chunks, HKDF and HMAC with SHA-256.
SUITE = 1
DATA_KEY_BYTES = 32
SALT_BYTES = 32
#: What every header has before its fields of varying length, up to the salt.
PREFIX_BYTES = 14
#: 2^18: measured from 64 KiB to 1 MiB, all from 128 KiB are as fast as one another, and three such
#: buffers stay in a processor's second cache.
CHUNK_SIZE_LOG2 = 18
#: Smaller chunks would cost more than they are good for, larger ones more memory than a reader expects.
CHUNK_SIZES_LOG2 = range(12, 21)
#: 1,024 characters, which is what a server takes, in UTF-8.
MAX_IDENTIFIER_BYTES = 4096
#: The ciphertext of an RSA key of 16,384 bits.
MAX_WRAPPED_BYTES = 2048
MAX_HEADER_BYTES = 8192

_PREFIX = struct.Struct(">8sBBBBH")
_MAC_BYTES = 32
_GCM_NONCE_BYTES, _GCM_TAG_BYTES = 12, 16
_LABEL = b"kms_tornado file v1 "


class Wrapping(IntEnum):
    """How the server's key protects the data key."""

    #: An authenticated cipher wraps it, with `additional_data` of the salt.
    AUTHENTICATED_CIPHER = 1
    #: RSA-OAEP with SHA-256 wraps it, which takes no additional data.
    PUBLIC_KEY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedDataKey:
    """The server's Encrypt response for the data key. nonce, tag: b"" with a public key."""

    key_identifier: str
    ciphertext: bytes
    nonce: bytes = b""
    tag: bytes = b""

    def __post_init__(self) -> None:
        """Raises UntrueFile for a response that no server gives for 32 bytes."""
        identifier = self.key_identifier.encode("utf-8")
        if not 0 < len(identifier) <= MAX_IDENTIFIER_BYTES or identifier.startswith(b"["):
            # "[" would be a list of tags: whoever edits the file would choose among the reader's keys.
            raise UntrueFile("the file's header names no key")
        is_authenticated = (len(self.nonce), len(self.tag), len(self.ciphertext)) == (
            _GCM_NONCE_BYTES,
            _GCM_TAG_BYTES,
            DATA_KEY_BYTES,
        )
        is_public = (
            not self.nonce and not self.tag and 0 < len(self.ciphertext) <= MAX_WRAPPED_BYTES
        )
        if not is_authenticated and not is_public:
            raise UntrueFile("the file's header has no data key that a server could open")

    @property
    def wrapping(self) -> Wrapping:
        return Wrapping.AUTHENTICATED_CIPHER if self.tag else Wrapping.PUBLIC_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header without its commitment and MAC. chunk_size: bytes of plaintext in all chunks but the last."""

    salt: bytes
    wrapped: WrappedDataKey
    chunk_size_log2: int = CHUNK_SIZE_LOG2

    @property
    def chunk_size(self) -> int:
        return 1 << self.chunk_size_log2


class ParsedHeader(NamedTuple):
    """A header that was read.

    header: must not be trusted yet. covered: the bytes that the MAC covers, commitment included.
    """

    header: Header
    covered: bytes
    commitment: bytes
    mac: bytes


class FileKeys(NamedTuple):
    """The keys that follow from one data key and one salt."""

    commitment: bytes
    mac_key: bytes
    chunk_key: bytes

    def __repr__(self) -> str:
        return "FileKeys()"


@dataclass(frozen=True, slots=True)
class DataKey:
    """32 random bytes for one file."""

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) != DATA_KEY_BYTES:
            raise UntrueFile("the server opened something that is no data key of a file")


def make_additional_data(salt: bytes) -> bytes:
    """The data that the server authenticates together with the data key.

    Because of it, the wrapped data key opens only as that of this file, and nothing else that was encrypted with the
    key opens as the data key of a file.
    """
    return _LABEL + b"data key" + salt


def derive_keys(data_key: DataKey, salt: bytes) -> FileKeys:
    """The keys: HKDF with SHA-256 (RFC 5869), with one block for each of them."""
    secret = hmac.digest(salt, data_key.value, hashlib.sha256)
    return FileKeys(
        *(
            hmac.digest(secret, _LABEL + purpose + b"\x01", hashlib.sha256)
            for purpose in (b"commitment", b"header", b"chunks")
        )
    )


def render_header(header: Header, keys: FileKeys) -> bytes:
    wrapped = header.wrapped
    identifier = wrapped.key_identifier.encode("utf-8")
    fields = b"".join(
        (
            header.salt,
            len(identifier).to_bytes(2) + identifier,
            len(wrapped.ciphertext).to_bytes(2) + wrapped.ciphertext,
            len(wrapped.nonce).to_bytes(1) + wrapped.nonce,
            len(wrapped.tag).to_bytes(1) + wrapped.tag,
            keys.commitment,
        )
    )
    length = PREFIX_BYTES + len(fields) + _MAC_BYTES
    prefix = _PREFIX.pack(MAGIC, VERSION, SUITE, wrapped.wrapping, header.chunk_size_log2, length)
    return prefix + fields + hmac.digest(keys.mac_key, prefix + fields, hashlib.sha256)


def measure_header(prefix: bytes) -> int:
    """The length of the whole header, from its first PREFIX_BYTES.

    Raises UntrueFile where this is no such file, one of a later version, or malformed.
    """
    if prefix[: len(MAGIC)] != MAGIC[: len(prefix)] or not prefix:
        raise UntrueFile(
            "this is no file that kmsctl encrypted: one that ckms encrypted is decrypted with --ckms"
        )
    if len(prefix) < PREFIX_BYTES:
        raise UntrueFile("the file ends within its header: it was cut off")
    _, version, suite, wrapping, chunk_size_log2, length = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise UntrueFile(f"the file has version {version} of the format: take a later kmsctl")
    if suite != SUITE or wrapping not in list(Wrapping):
        raise UntrueFile("the file's header names no cipher of this version")
    if chunk_size_log2 not in CHUNK_SIZES_LOG2:
        raise UntrueFile("the file's header has a chunk size that is not allowed")
    if not PREFIX_BYTES < length <= MAX_HEADER_BYTES:
        raise UntrueFile("the file's header has a length that is not allowed")
    return int(length)


def parse_header(data: bytes) -> ParsedHeader:
    """A whole header, of the length that `measure_header` returned. Raises UntrueFile."""
    length = measure_header(data[:PREFIX_BYTES])
    if len(data) != length:
        raise UntrueFile("the file ends within its header: it was cut off")
    wrapping, chunk_size_log2 = data[10], data[11]
    reader = _Reader(data, PREFIX_BYTES)
    salt = reader.take(SALT_BYTES)
    identifier = reader.take(int.from_bytes(reader.take(2)))
    ciphertext = reader.take(int.from_bytes(reader.take(2)))
    nonce = reader.take(reader.take(1)[0])
    tag = reader.take(reader.take(1)[0])
    commitment = reader.take(DATA_KEY_BYTES)
    covered = data[: reader.offset]
    mac = reader.take(_MAC_BYTES)
    if reader.offset != length:
        raise UntrueFile("the file's header has bytes that belong to nothing")
    wrapped = WrappedDataKey(
        key_identifier=_decode(identifier), ciphertext=ciphertext, nonce=nonce, tag=tag
    )
    if wrapped.wrapping != wrapping:
        raise UntrueFile("the file's header has no data key that a server could open")
    header = Header(salt=salt, wrapped=wrapped, chunk_size_log2=chunk_size_log2)
    return ParsedHeader(header, covered, commitment, mac)


def open_header(parsed: ParsedHeader, data_key: DataKey) -> FileKeys:
    """The keys of the file, once its header has proved authentic. Raises UntrueFile."""
    keys = derive_keys(data_key, parsed.header.salt)
    if not hmac.compare_digest(keys.commitment, parsed.commitment):
        raise UntrueFile("the file was encrypted with another data key, or its header was edited")
    mac = hmac.digest(keys.mac_key, parsed.covered, hashlib.sha256)
    if not hmac.compare_digest(mac, parsed.mac):
        raise UntrueFile("the file's header was edited")
    return keys


def _decode(identifier: bytes) -> str:
    try:
        return identifier.decode("utf-8")
    except UnicodeDecodeError:
        raise UntrueFile("the file's header names no key") from None


class _Reader:
    """Reads bytes in sequence, and never more than there are."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset

    def take(self, count: int) -> bytes:
        end = self.offset + count
        if end > len(self._data):
            raise UntrueFile("a field of the file's header is longer than the header")
        octets = self._data[self.offset : end]
        self.offset = end
        return octets
