"""An encrypted file from its first byte to its last: the header of `container`, the chunks of `sealing`."""

from __future__ import annotations

from collections.abc import Callable

from .container import (
    PREFIX_BYTES,
    DataKey,
    Header,
    derive_keys,
    measure_header,
    open_header,
    parse_header,
    render_header,
)
from .sealing import Observer, Readable, Writable, open_stream, read_full, seal_stream, write_all


def encrypt_stream(
    source: Readable, target: Writable, header: Header, data_key: DataKey, observe: Observer
) -> int:
    """Write the encrypted file; the number of bytes of plaintext.

    header, data_key: new ones, for this file alone. Raises the errors of `seal_stream`.
    """
    keys = derive_keys(data_key, header.salt)
    write_all(target, render_header(header, keys))
    return seal_stream(source, target, keys.chunk_key, header.chunk_size, observe)


def decrypt_stream(
    source: Readable, target: Writable, unwrap: Callable[[Header], DataKey], observe: Observer
) -> int:
    """Write the plaintext, each chunk after it has proved authentic; the number of bytes.

    unwrap: asks the server for the data key; nothing in the header that it receives is authenticated yet. Raises
    UntrueFile, and what source, target and unwrap raise.
    """
    prefix = _read(source, PREFIX_BYTES)
    parsed = parse_header(prefix + _read(source, measure_header(prefix) - len(prefix)))
    keys = open_header(parsed, unwrap(parsed.header))
    return open_stream(source, target, keys.chunk_key, parsed.header.chunk_size, observe)


def _read(source: Readable, count: int) -> bytes:
    """At most `count` bytes; fewer at the end."""
    buffer = bytearray(count)
    return bytes(buffer[: read_full(source, memoryview(buffer))])
