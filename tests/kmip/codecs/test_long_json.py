"""Long texts are read as short ones are, in slices, and what cannot be sliced is refused."""

from __future__ import annotations

import json
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado import strict_json
from kms_tornado.kmip.codecs import long_json
from kms_tornado.kmip.codecs.long_json import MAX_REST_BYTES, MAX_TEXT_BYTES

from ...rows import each_row

LONG = "A1" * 5000


@each_row(
    "value",
    [
        pytest.param({"a": LONG}, id="a value"),
        pytest.param({LONG: 1}, id="a name"),
        pytest.param({"a": LONG, "b": "short", "c": LONG + "x"}, id="several values"),
        pytest.param([{"a": [{"b": LONG}]}, LONG[:10], {}], id="nested"),
        pytest.param({"a": [LONG, [LONG, "short", [LONG]], 1]}, id="in arrays"),
        pytest.param([[LONG]], id="in arrays alone"),
        pytest.param(LONG, id="alone"),
        pytest.param({"a": "é😀" * 5000}, id="characters beyond ASCII"),
        pytest.param({"a": 'a"b\\' * 5000, "b": "\\" * 9001, "c": '"' * 5000}, id="escaped quotation marks"),
        pytest.param({"a": "\x7f !" * 5000}, id="signs"),
        pytest.param({"a": "\n\t" * 5000}, id="escaped control characters"),
    ],
)  # fmt: skip
@each_row("ensure_ascii", [True, False])
def test_long_strings_are_read_as_short_ones_are(value: object, ensure_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=ensure_ascii).encode()
    assert long_json.read_any(text, max_depth=8) == value


_strings = st.text() | st.builds(lambda text: text * 3000, st.text(min_size=2, max_size=4))
_values = st.recursive(
    _strings | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_strings, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(_strings, _values, max_size=3), st.booleans())
def test_what_is_read_is_what_the_strict_parser_reads(
    value: dict[str, object], ensure_ascii: bool
) -> None:
    try:
        text = json.dumps(value, ensure_ascii=ensure_ascii).encode()
    except UnicodeEncodeError:
        return
    read = []
    for parse in (strict_json.loads, long_json.read_any):
        try:
            read.append(parse(text, max_depth=8))
        except ValueError as exc:
            read.append(type(exc))
    assert read[0] == read[1]


@each_row(
    ("text", "why"),
    [
        pytest.param(b'{"a":"' + b"x" * 9000, "Unterminated string", id="a string without end"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b"\n" + b'"}', "control character", id="a line feed in a string"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b"\x00" + b'"}', "control character", id="a null character"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b"\\x" + b'"}', "escape", id="no escape"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b"\\ud800" + b'"}', "lone surrogate", id="a lone surrogate"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b"\xff" + b'"}', "not UTF-8", id="not UTF-8"),
        pytest.param(b'{"a":"' + b"x" * 9000 + b'","a":1}', "duplicate member", id="a member twice"),
        pytest.param(b'{"' + b"x" * 9000 + b'":1,"' + b"x" * 9000 + b'":1}', "duplicate member", id="a long member twice"),
    ],
)  # fmt: skip
def test_long_strings_are_checked_as_short_ones_are(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        long_json.read_any(text, max_depth=8)


@each_row(
    ("text", "why"),
    [
        pytest.param(b" " * (MAX_REST_BYTES + 1), "beside its long values", id="white space"),
        pytest.param(b"1" * (MAX_REST_BYTES + 1), "beside its long values", id="digits"),
        pytest.param(b"[" + b'"abc",' * 700_000, "too many strings|beside", id="short strings"),
        pytest.param(b'{"a":"' + b"\\n" * MAX_TEXT_BYTES + b'"}', "escapes", id="escapes"),
        pytest.param(b'{"a":"' + b"\\\\" * MAX_TEXT_BYTES + b'"}', "escapes", id="backslashes"),
        pytest.param(b'{"a":"' + "é".encode() * MAX_TEXT_BYTES + b'"}', "beyond ASCII", id="not ASCII"),
        pytest.param(b'"' * 5_000_000, "too many strings", id="quotation marks"),
        pytest.param(b'{"a":"' + b'\\"' * 900_000, "escapes|too many strings", id="escaped quotation marks"),
    ],
)  # fmt: skip
def test_what_cannot_be_parsed_in_slices_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        long_json.read_any(text, max_depth=8)


def test_string_that_looks_like_a_mark_stays_what_it_is() -> None:
    value = {"a": LONG, "b": "00" * 16 + "0"}
    assert long_json.read_any(json.dumps(value).encode(), max_depth=8) == value


def test_numbers_let_other_threads_run_in_between() -> None:
    """A thousand of 4,000 digits take a tenth of a second."""
    text = b'{"a":[' + b",".join([b"1" * 4000] * 1000) + b"]}"
    turns = 0
    done = threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1

    other = threading.Thread(target=take_turns)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    other.start()
    try:
        before = turns
        long_json.read_any(text, max_depth=8)
        assert turns > before
    finally:
        done.set()
        other.join()
        sys.setswitchinterval(interval)
