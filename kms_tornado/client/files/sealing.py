"""The chunks of an encrypted file: STREAM over AES-256-GCM, three chunks of memory whatever the file's size.

Chunk i is sealed under the nonce ``i as 11 bytes ‖ 1 for the last chunk, else 0`` (Hoang, Reyhanitabar,
Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015). So a chunk
opens in its own place only, and the end only where it was written: what is missing, moved, doubled or
added makes some chunk fail.

    read one chunk ahead  →  the chunk in hand is the last one, or not  →  seal or open it  →  write it

Chunks are written on a thread of their own (`write_behind`), where the target is a file. Writing results
into one buffer (``encrypt_into``) gained 2 % of AES-GCM's time, and needs cryptography 47.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import FileError, UntrueFile

TAG_BYTES = 16
#: So that AES-256-GCM under one key stays far below where its blocks begin to collide (NIST SP 800-38D
#: Appendix B): with the chunks that we write, 1 PiB.
MAX_CHUNKS = 2**32

#: Called with the bytes of plaintext that are done so far.
Observer = Callable[[int], None]


class Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Writable(Protocol):
    """A target. The data must not change after the call, because `write_behind` writes it later."""

    def write(self, data: memoryview, /) -> int | None: ...


def seal_stream(
    source: Readable, target: Writable, chunk_key: bytes, chunk_size: int, observe: Observer
) -> int:
    """Write the chunks for the bytes in the source; the number of bytes of plaintext.

    Raises FileError for a source that is too long, and what source and target raise.
    """
    cipher = AESGCM(chunk_key)
    done = 0
    for index, (chunk, is_last) in enumerate(_read_chunks(source, chunk_size)):
        if index >= MAX_CHUNKS:
            raise FileError("the data is longer than one file may hold: split it")
        write_all(target, cipher.encrypt(_nonce(index, is_last), chunk, None))
        done += len(chunk)
        observe(done)
    return done


def open_stream(
    source: Readable, target: Writable, chunk_key: bytes, chunk_size: int, observe: Observer
) -> int:
    """Write the plaintext of the source's chunks, each after it has proved authentic; the number of bytes.

    Only after that is the plaintext known to be complete. After an error, what the target received is an authentic
    beginning of it, and no more. Raises UntrueFile, and what source and target raise.
    """
    cipher = AESGCM(chunk_key)
    done = 0
    for index, (chunk, is_last) in enumerate(_read_chunks(source, chunk_size + TAG_BYTES)):
        length = len(chunk) - TAG_BYTES
        # An empty chunk stands for an empty file. Behind others it would be a second way to write the same.
        if length < 0 or index >= MAX_CHUNKS or (length == 0 and index > 0):
            raise _untrue_chunk_error(index, done, is_last=is_last)
        try:
            opened = cipher.decrypt(_nonce(index, is_last), chunk, None)
        except InvalidTag:
            raise _untrue_chunk_error(index, done, is_last=is_last) from None
        write_all(target, opened)
        done += length
        observe(done)
    return done


def write_all(target: Writable, data: bytes | memoryview) -> None:
    """Write all of the data: a pipe may accept less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[target.write(rest) or 0 :]


def _read_chunks(source: Readable, size: int) -> Iterator[tuple[memoryview, bool]]:
    """(a chunk, whether it is the last). Each has `size` bytes except the last; an empty source has one empty chunk.

    A chunk's buffer is used again for the chunk after the next.
    """
    buffer, other = memoryview(bytearray(size)), memoryview(bytearray(size))
    length = read_full(source, buffer)
    while length == size:
        ahead = read_full(source, other)
        yield buffer, ahead == 0
        if ahead == 0:
            return
        buffer, other, length = other, buffer, ahead
    yield buffer[:length], True


def read_full(source: Readable, buffer: memoryview) -> int:
    """Fill the buffer, and return the number of bytes: less than all only at the end. A pipe gives little at once."""
    filled = 0
    while filled < len(buffer):
        count = source.readinto(buffer[filled:])
        if not count:
            break
        filled += count
    return filled


def _nonce(index: int, is_last: bool) -> bytes:
    return index.to_bytes(11) + (b"\x01" if is_last else b"\x00")


def _untrue_chunk_error(index: int, done: int, *, is_last: bool) -> UntrueFile:
    # Where the last bytes do not fit, the file may be cut off just as well as edited: the tag cannot tell.
    what = "was cut off, or edited at its end" if is_last else "was edited"
    return UntrueFile(
        f"the file {what}: chunk {index + 1}, after {done} good bytes, is not authentic"
    )
