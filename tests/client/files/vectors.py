"""Encrypted files and what is done to them, for every program that reads the format: `vectors.json`.

``python -m tests.client.files.vectors`` writes it. Each case is a file, put together of pieces: [start, end] of the
file that it names, or bytes in hexadecimal. `refusal` is a text that the refusal has; a case without one is opened.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_tornado.client.files.container import (
    Header,
    WrappedDataKey,
    derive_keys,
    render_header,
)
from kms_tornado.client.files.encrypted_file import encrypt_stream

from .samples import CHUNK_SIZE, DATA_KEY, TAG_BYTES, header, nobody

PATH = Path(__file__).with_name("vectors.json")
TEXT = b"a small secret\n"
LONG = bytes(range(256)) * 33
PUBLIC = replace(header(), wrapped=WrappedDataKey(key_identifier="public-1", ciphertext=b"w" * 256))
#: A byte order mark belongs to the identifier.
NAMED = replace(header(), wrapped=replace(header().wrapped, key_identifier="\ufeffSchlüssel"))

Piece = list[int] | str


class Case(NamedTuple):
    """plaintext, refusal: one of them is None."""

    name: str
    data: bytes
    plaintext: bytes | None
    refusal: str | None


def read_cases() -> list[Case]:
    """What stands in the file."""
    document = json.loads(PATH.read_text())
    files = {
        name: (bytes.fromhex(each["file"]), bytes.fromhex(each["plaintext"]))
        for name, each in document["files"].items()
    }
    cases = [Case(name, *files[name], None) for name in files]
    for each in document["cases"]:
        data, _ = files[each["of"]]
        pieces = (
            bytes.fromhex(piece) if isinstance(piece, str) else data[piece[0] : piece[1]]
            for piece in each["pieces"]
        )
        cases.append(Case(each["name"], b"".join(pieces), None, each["refusal"]))
    return cases


def render() -> str:
    files = {
        "a text": (TEXT, header()),
        "an empty file": (b"", header()),
        "three chunks": (LONG, header()),
        "two whole chunks": (LONG[: 2 * CHUNK_SIZE], header()),
        "a file for a public key": (TEXT, PUBLIC),
        "an identifier beyond ASCII": (TEXT, NAMED),
    }
    sealed = {name: _encrypt(*each) for name, each in files.items()}
    cases = [
        *_edited_headers(sealed["a text"]),
        *_forged_headers(),
        *_edited_chunks(sealed["three chunks"], sealed["two whole chunks"]),
        *_forged_chunks(sealed["a text"]),
    ]
    document = {
        "about": "See vectors.py beside this file, and docs/file-format.md.",
        "data_key": DATA_KEY.value.hex(),
        "files": {
            name: {"file": sealed[name].hex(), "plaintext": plaintext.hex()}
            for name, (plaintext, _) in files.items()
        },
        "cases": cases,
    }
    return json.dumps(document, indent=1) + "\n"


def _encrypt(plaintext: bytes, of: Header) -> bytes:
    target = io.BytesIO()
    encrypt_stream(io.BytesIO(plaintext), target, of, DATA_KEY, nobody)
    return target.getvalue()


def _case(name: str, refusal: str, *pieces: Piece, of: str = "a text") -> dict[str, Any]:
    return {"name": name, "of": of, "pieces": list(pieces), "refusal": refusal}


def _edited_headers(data: bytes) -> Iterator[dict[str, Any]]:
    end, length = len(data), int.from_bytes(data[12:14])

    def edit(name: str, refusal: str, offset: int, value: str) -> dict[str, Any]:
        return _case(name, refusal, [0, offset], value, [offset + len(value) // 2, end])

    yield _case("nothing", "no file that kmsctl encrypted")
    yield _case("another tool's", "no file that kmsctl encrypted", b"age-encryption.org/v1".hex())
    yield _case("a message of ckms", "no file that kmsctl encrypted", "07" * 60)
    yield _case("converted as text", "no file that kmsctl encrypted", [0, 4], "0a", [6, end])
    yield _case("cut in the magic", "cut off", [0, 7])
    yield _case("cut in the prefix", "cut off", [0, 13])
    yield _case("cut behind the prefix", "cut off", [0, 14])
    yield _case("cut in the MAC", "cut off", [0, length - 1])
    yield _case("cut behind the header", "cut off", [0, length])
    yield edit("version 0", "version 0 of the format", 8, "00")
    yield edit("version 2", "version 2 of the format", 8, "02")
    yield edit("another suite", "no cipher", 9, "02")
    yield edit("no wrapping", "no cipher", 10, "00")
    yield edit("a third wrapping", "no cipher", 10, "03")
    yield edit("the other wrapping", "no data key", 10, "02")
    yield edit("chunks too small", "chunk size", 11, "0b")
    yield edit("chunks too large", "chunk size", 11, "15")
    yield edit("chunks of 2^255 bytes", "chunk size", 11, "ff")
    yield edit("other chunks", "header was edited", 11, "0d")
    yield edit("a header without fields", "length", 12, "000e")
    yield edit("a header of 64 KiB", "length", 12, "ffff")
    yield edit("a header longer than the file", "cut off", 12, "2000")
    yield edit("another salt", "another data key, or its header", 14, "00")
    yield edit("a long identifier", "longer than the header", 46, "ffff")
    yield edit("a list of tags", "names no key", 48, "5b")
    yield edit("no UTF-8", "names no key", 48, "ff")
    yield edit("another key", "header was edited", 48, "78")
    yield edit("a long data key", "longer than the header", 49, "ffff")
    yield edit("another data key", "header was edited", 51, "00")
    yield edit("a long nonce", "longer than the header", 83, "ff")
    yield edit("a long tag", "longer than the header", 96, "ff")
    yield edit("another commitment", "another data key, or its header", 113, "00")
    yield edit("another MAC", "header was edited", length - 1, "00")
    longer = (length + 1).to_bytes(2).hex()
    yield _case(
        "a byte behind the fields",
        "belong to nothing",
        [0, 12], longer, [14, length], "00", [length, end],
    )  # fmt: skip


def _forged_headers() -> Iterator[dict[str, Any]]:
    """Headers whose MAC is true: whoever may encrypt with the key can make them."""
    wrapped = header().wrapped
    forged = {
        "a true MAC over a list of tags": ("names no key", {"key_identifier": '["a"]'}),
        "a true MAC over no identifier": ("names no key", {"key_identifier": ""}),
        "a true MAC over a long identifier": ("names no key", {"key_identifier": "k" * 4097}),
        "a true MAC over a short nonce": ("no data key", {"nonce": b"n" * 11}),
        "a true MAC over a short tag": ("no data key", {"tag": b"t" * 12}),
        "a true MAC over a long data key": ("no data key", {"ciphertext": b"c" * 48}),
        "a true MAC over no data key": ("no data key", {"ciphertext": b"", "nonce": b"", "tag": b""}),
    }  # fmt: skip
    for name, (refusal, fields) in forged.items():
        values = {field: getattr(wrapped, field) for field in wrapped.__slots__} | fields
        unchecked = object.__new__(WrappedDataKey)
        for field, value in values.items():
            object.__setattr__(unchecked, field, value)
        of = replace(header(), wrapped=unchecked)
        rendered = render_header(of, derive_keys(DATA_KEY, of.salt))
        yield _case(name, refusal, rendered.hex(), "00" * 40)


def _edited_chunks(long: bytes, whole: bytes) -> Iterator[dict[str, Any]]:
    length, size = int.from_bytes(long[12:14]), CHUNK_SIZE + TAG_BYTES
    first, second, third = ([length + i * size, length + (i + 1) * size] for i in range(3))
    third[1] = len(long)
    head = [0, length]

    def chunks(name: str, refusal: str, *pieces: Piece) -> dict[str, Any]:
        return _case(name, refusal, head, *pieces, of="three chunks")

    yield chunks("no chunk", "cut off, or edited at its end: chunk 1, after 0 good bytes")
    yield chunks("the first chunk alone", "cut off, or edited at its end: chunk 1", first)
    yield chunks("two chunks of three", "chunk 2, after 4096 good bytes", first, second)
    yield chunks("a chunk is missing", "chunk 2, after 4096 good bytes", first, third)
    yield chunks("the first is missing", "was edited: chunk 1", second, third)
    yield chunks("chunks in another order", "was edited: chunk 1", second, first, third)
    yield chunks("a chunk twice", "was edited: chunk 2", first, first, second, third)
    yield chunks("the last twice", "chunk 3, after 8192 good bytes", first, second, third, third)
    yield chunks("a byte less", "chunk 3, after 8192", first, second, [third[0], third[1] - 1])
    yield chunks("a byte more", "chunk 3, after 8192", first, second, third, "00")
    yield chunks("less than a tag", "chunk 3", first, second, [third[0], third[0] + 15])
    yield chunks("a tag alone", "chunk 3", first, second, [third[0], third[0] + 16])
    yield chunks("another bit in the middle", "was edited: chunk 2", first,
                 [second[0], second[0] + 9], "00", [second[0] + 10, second[1]], third)  # fmt: skip
    yield chunks("another file behind it", "chunk 3", first, second, third, [0, len(long)])
    end = len(whole)
    yield _case("an empty end behind whole chunks", "was edited: chunk 2", [0, end], "00" * 16,
                of="two whole chunks")  # fmt: skip
    yield _case("whole chunks less one", "chunk 1", [0, end - size], of="two whole chunks")


def _forged_chunks(data: bytes) -> Iterator[dict[str, Any]]:
    """Chunks whose tags are true, and which are no file all the same."""
    of = header()
    cipher = AESGCM(derive_keys(DATA_KEY, of.salt).chunk_key)

    def seal(index: int, plaintext: bytes, *, is_last: bool) -> str:
        nonce = index.to_bytes(11) + bytes([is_last])
        return cipher.encrypt(nonce, plaintext, None).hex()

    head: Piece = [0, int.from_bytes(data[12:14])]
    full = bytes(CHUNK_SIZE)
    yield _case("a true empty chunk behind another", "chunk 2, after 4096 good bytes", head,
                seal(0, full, is_last=False), seal(1, b"", is_last=True))  # fmt: skip
    yield _case("a true short chunk before the last", "chunk 1, after 0 good bytes", head,
                seal(0, b"a", is_last=False), seal(1, full, is_last=True))  # fmt: skip
    yield _case("a true chunk that is not the last, at the end", "chunk 1", head,
                seal(0, full, is_last=False))  # fmt: skip
    yield _case("a true last chunk before others", "was edited: chunk 1", head,
                seal(0, full, is_last=True), seal(1, full, is_last=True))  # fmt: skip


if __name__ == "__main__":
    PATH.write_text(render())
