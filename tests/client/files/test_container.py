"""The header of an encrypted file, byte by byte, and what is refused in one."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.files.container import (
    CHUNK_SIZES_LOG2,
    MAX_HEADER_BYTES,
    MAX_IDENTIFIER_BYTES,
    MAX_WRAPPED_BYTES,
    PREFIX_BYTES,
    DataKey,
    Header,
    WrappedDataKey,
    Wrapping,
    derive_keys,
    measure_header,
    open_header,
    parse_header,
    render_header,
)
from kms_tornado.client.files.errors import UntrueFile

from ...rows import each_row
from .samples import DATA_KEY, WRAPPED, header

SALT = b"s" * 32
KEYS = derive_keys(DATA_KEY, SALT)
RENDERED = render_header(header(), KEYS)

identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=99).filter(
    lambda text: not text.startswith("[")
)
wrapped_keys = st.one_of(
    st.builds(
        WrappedDataKey,
        key_identifier=identifiers,
        ciphertext=st.binary(min_size=32, max_size=32),
        nonce=st.binary(min_size=12, max_size=12),
        tag=st.binary(min_size=16, max_size=16),
    ),
    st.builds(
        WrappedDataKey,
        key_identifier=identifiers,
        ciphertext=st.binary(min_size=1, max_size=MAX_WRAPPED_BYTES),
    ),
)
headers = st.builds(
    Header,
    salt=st.binary(min_size=32, max_size=32),
    wrapped=wrapped_keys,
    chunk_size_log2=st.sampled_from(CHUNK_SIZES_LOG2),
)


@given(headers)
def test_header_is_parsed_as_it_was_rendered(written: Header) -> None:
    keys = derive_keys(DATA_KEY, written.salt)
    parsed = parse_header(render_header(written, keys))
    assert parsed.header == written
    assert open_header(parsed, DATA_KEY) == keys


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_fail_otherwise(data: bytes) -> None:
    for text in (data, RENDERED[:8] + data, RENDERED[:14] + data):
        with pytest.raises(UntrueFile):
            parse_header(text)


def test_every_field_stands_where_the_page_says() -> None:
    assert RENDERED[:8] == bytes.fromhex("894b4d530d0a1a0a")
    assert RENDERED[8:12] == bytes([1, 1, 1, 12])
    assert int.from_bytes(RENDERED[12:14]) == len(RENDERED)
    assert RENDERED[14:46] == SALT
    assert RENDERED[46:49] == b"\x00\x01k"
    assert RENDERED[49:83] == b"\x00\x20" + WRAPPED.ciphertext
    assert RENDERED[83:96] == b"\x0c" + WRAPPED.nonce
    assert RENDERED[96:113] == b"\x10" + WRAPPED.tag
    assert RENDERED[113:145] == KEYS.commitment
    assert len(RENDERED[145:]) == 32


@pytest.mark.parametrize(
    ("purpose", "key"),
    [("commitment", KEYS.commitment), ("header", KEYS.mac_key), ("chunks", KEYS.chunk_key)],
)
def test_keys_are_those_of_hkdf(purpose: str, key: bytes) -> None:
    info = f"kms_tornado file v1 {purpose}".encode()
    assert HKDF(hashes.SHA256(), 32, SALT, info).derive(DATA_KEY.value) == key


def edit(offset: int, value: bytes) -> bytes:
    return RENDERED[:offset] + value + RENDERED[offset + len(value) :]


@each_row(
    ("data", "text"),
    [
        pytest.param(b"", "no file that kmsctl encrypted", id="empty"),
        pytest.param(b"age-encryption.org/v1", "no file that kmsctl encrypted", id="another tool's"),
        pytest.param(
            RENDERED[:4] + b"\n" + RENDERED[6:], "no file that kmsctl", id="converted as text"
        ),
        pytest.param(RENDERED[:13], "cut off", id="cut off in the prefix"),
        pytest.param(RENDERED[:-1], "cut off", id="cut off in the MAC"),
        pytest.param(edit(8, b"\x02"), "version 2 of the format", id="version 2"),
        pytest.param(edit(8, b"\x00"), "version 0 of the format", id="version 0"),
        pytest.param(edit(9, b"\x02"), "no cipher", id="another suite"),
        pytest.param(edit(10, b"\x00"), "no cipher", id="another wrapping"),
        pytest.param(edit(10, b"\x02"), "no data key", id="the other wrapping"),
        pytest.param(edit(11, b"\x0b"), "chunk size", id="chunks too small"),
        pytest.param(edit(11, b"\xff"), "chunk size", id="chunks of 2^255 bytes"),
        pytest.param(edit(12, b"\x00\x0e"), "length", id="a header without fields"),
        pytest.param(edit(12, b"\xff\xff"), "length", id="a header of 64 KiB"),
        pytest.param(edit(46, b"\x00\x00"), "belong to nothing|longer|no data key|no key", id="no identifier"),
        pytest.param(edit(46, b"\xff\xff"), "longer than the header", id="a long identifier"),
        pytest.param(edit(48, b"["), "names no key", id="a list of tags"),
        pytest.param(edit(48, b"\xff"), "names no key", id="no UTF-8"),
        pytest.param(edit(49, b"\xff\xff"), "longer than the header", id="a long data key"),
        pytest.param(edit(83, b"\xff"), "longer than the header", id="a long nonce"),
        pytest.param(edit(96, b"\xff"), "longer than the header", id="a long tag"),
    ],
)  # fmt: skip
def test_refuses(data: bytes, text: str) -> None:
    with pytest.raises(UntrueFile, match=text):
        parse_header(data)


def test_bytes_behind_the_last_field_are_refused() -> None:
    longer = (len(RENDERED) + 1).to_bytes(2)
    with pytest.raises(UntrueFile, match="belong to nothing"):
        parse_header(edit(12, longer) + b"\x00")


def test_longest_header_that_is_allowed_is_written_and_read() -> None:
    wrapped = WrappedDataKey(
        key_identifier="k" * MAX_IDENTIFIER_BYTES, ciphertext=b"c" * MAX_WRAPPED_BYTES
    )
    longest = Header(salt=SALT, wrapped=wrapped)
    rendered = render_header(longest, KEYS)
    assert len(rendered) <= MAX_HEADER_BYTES
    assert parse_header(rendered).header == longest


def test_lengths_are_refused_before_anything_is_allocated_for_them() -> None:
    hostile = edit(46, b"\xff\xff")
    tracemalloc.start()
    for _ in range(100):
        with pytest.raises(UntrueFile):
            parse_header(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_every_bit_of_the_header_counts() -> None:
    for bit in range(8 * len(RENDERED)):
        flipped = bytearray(RENDERED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UntrueFile):
            open_header(parse_header(bytes(flipped)), DATA_KEY)


def test_another_data_key_is_told_from_an_edited_header() -> None:
    with pytest.raises(UntrueFile, match="another data key"):
        open_header(parse_header(RENDERED), DataKey(os.urandom(32)))
    with pytest.raises(UntrueFile, match="header was edited"):
        open_header(parse_header(edit(48, b"x")), DATA_KEY)


def test_wrapping_follows_from_the_answer_of_the_server() -> None:
    assert WRAPPED.wrapping is Wrapping.AUTHENTICATED_CIPHER
    assert replace(WRAPPED, nonce=b"", tag=b"").wrapping is Wrapping.PUBLIC_KEY


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tag": b""}, id="an unauthenticated mode"),
        pytest.param({"tag": b"t" * 12}, id="a short tag"),
        pytest.param({"nonce": b"n" * 8}, id="a short nonce"),
        pytest.param({"ciphertext": b"c" * 48}, id="padding"),
        pytest.param({"ciphertext": b"", "nonce": b"", "tag": b""}, id="nothing"),
        pytest.param({"key_identifier": ""}, id="no identifier"),
        pytest.param({"key_identifier": "k" * 4097}, id="a long identifier"),
    ],
)
def test_what_protects_no_data_key_is_no_wrapped_data_key(change: dict[str, bytes]) -> None:
    with pytest.raises(UntrueFile):
        replace(WRAPPED, **change)


def test_data_key_of_another_length_is_refused_and_never_shown() -> None:
    with pytest.raises(UntrueFile):
        DataKey(bytes(31))
    assert "07" not in repr(DATA_KEY)
    assert repr(KEYS) == "FileKeys()"


def test_length_is_known_from_the_prefix() -> None:
    assert measure_header(RENDERED[:PREFIX_BYTES]) == len(RENDERED)
