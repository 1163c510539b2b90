"""What strict_json reads, and the leniencies of Python's json that it has not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado import strict_json

from .rows import each_row

both_ways = pytest.mark.parametrize("read", [strict_json.loads, strict_json.read_any])


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"{}", {}, id="empty object"),
        pytest.param(b' \t\r\n{"a" : 1} \n', {"a": 1}, id="white space around"),
        pytest.param(b'{"a":1,"A":2}', {"a": 1, "A": 2}, id="names differ in case"),
        pytest.param(b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}, id="same name in two objects"),
        pytest.param('"\u00e9\U0001f511"'.encode(), "\u00e9\U0001f511", id="UTF-8"),
        pytest.param(b'"\\ud83d\\udd11"', "\U0001f511", id="a pair of escaped surrogates"),
        pytest.param(b'"\\u0000"', "\0", id="an escaped NUL: the caller's to judge"),
        pytest.param(b"-0.5e3", -500.0, id="a float"),
        pytest.param(b"1e308", 1e308, id="a large float"),
        pytest.param(b"[" + b"1," * 500 + b"1]", [1] * 501, id="many brothers are not depth"),
        pytest.param(b'"[[[[[[[[{{{{{{{{"', "[[[[[[[[{{{{{{{{", id="brackets in a string are not depth"),
        pytest.param(nested(4), [[[[]]]], id="as deep as allowed"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="a backslash, not a surrogate"),
    ],
)  # fmt: skip
@both_ways
def test_strict_json_is_read(read: Callable[..., object], text: bytes, value: object) -> None:
    assert read(text, max_depth=4) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="white space only"),
        pytest.param(b'{"a":1,"a":1}', id="duplicate member"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="duplicate member, one escaped"),
        pytest.param(b'{"b":{"a":1,"a":2}}', id="duplicate member further in"),
        pytest.param(b"[NaN]", id="NaN"),
        pytest.param(b"[Infinity]", id="Infinity"),
        pytest.param(b"[-Infinity]", id="minus Infinity"),
        pytest.param(b"[1e400]", id="a number that becomes Infinity"),
        pytest.param(b"[-1e400]", id="a number that becomes minus Infinity"),
        pytest.param(b"9" * 5000, id="a number of 5000 digits"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param("{}".encode("utf-16"), id="UTF-16"),
        pytest.param("{}".encode("utf-32-le"), id="UTF-32"),
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b'"\xc0\x80"', id="overlong UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', id="a surrogate in UTF-8"),
        pytest.param(b'"\\ud800"', id="a lone surrogate, escaped"),
        pytest.param(b'["\\uDFFF"]', id="a lone surrogate in capitals"),
        pytest.param(b'{"\\ud800":1}', id="a lone surrogate in a name"),
        pytest.param(b'"\x00"', id="a raw NUL"),
        pytest.param(b'"\n"', id="a raw newline in a string"),
        pytest.param(b"{} {}", id="two texts"),
        pytest.param(b"{}x", id="something behind"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,}', id="comma at the end"),
        pytest.param(b"// no\n{}", id="comment"),
        pytest.param(b"01", id="leading zero"),
        pytest.param(b"+1", id="leading plus"),
        pytest.param(b".5", id="no digit before the point"),
        pytest.param(b"0x10", id="hexadecimal"),
        pytest.param(b"True", id="Python's True"),
        pytest.param(nested(5), id="arrays one deeper than allowed"),
        pytest.param(b'{"a":' * 5 + b"1" + b"}" * 5, id="objects one deeper than allowed"),
        pytest.param(nested(100_000), id="deeper than Python's own limit"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="objects deeper than that limit"),
    ],
)  # fmt: skip
@both_ways
def test_anything_else_is_a_value_error(read: Callable[..., object], text: bytes) -> None:
    with pytest.raises(ValueError):
        read(text, max_depth=4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON: nothing is there"),
        (b" \n", "not JSON: nothing is there"),
        (b"\xef\xbb\xbf{}", "not JSON: it begins with a byte order mark: send UTF-8 without one"),
        ("{}".encode("utf-16"), "not JSON: it is UTF-16: send UTF-8"),
        (gzip.compress(b"{}", mtime=0), "not JSON: it is compressed: send it as it is"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"{", "not JSON: Expecting property name enclosed in double quotes at character 1"),
    ],
)  # fmt: skip
@both_ways
def test_what_is_sent_in_place_of_json_is_told(
    read: Callable[..., object], text: bytes, reason: str
) -> None:
    with pytest.raises(ValueError) as refused:
        read(text, max_depth=4)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a": 1, "b": [true, null, "x y"]}', id="spaces between"),
        pytest.param('{"é":["😀","\\n\\"\\\\"]}'.encode(), id="escapes that cannot be left out"),
        pytest.param(b"[18446744073709551615,-9223372036854775808,0.5]", id="numbers of 64 bits"),
    ],
)  # fmt: skip
def test_what_programs_write_is_read_the_fast_way(text: bytes) -> None:
    pytest.importorskip("orjson")
    assert strict_json.read_plain(text, max_depth=4) == json.loads(text)


@each_row(
    "text",
    [
        pytest.param(b'{"a":1,"a":1}', id="duplicate member"),
        pytest.param(b'{"a b":1,"a b":2,"ab":3}', id="duplicate member with a space"),
        pytest.param(b'{"a":100000.0,"a":1e5,"b":1}', id="duplicate member, one longer as written again"),
        pytest.param(b"[18446744073709551616]", id="more than 64 bits"),
        pytest.param(b"[0.10000000000000001]", id="digits that a float has not"),
        pytest.param(b'["\\u0041"]', id="an escape without need"),
        pytest.param(b"[-0]", id="minus zero"),
        pytest.param(b'{"a":' * 300 + b"1" + b"}" * 300, id="deeper than orjson writes"),
        pytest.param(b"[" + b"[]," * 5000 + b"[]]", id="many arrays"),
        pytest.param(b'["' + b"a" * 300_000 + b'"]', id="long"),
    ],
)  # fmt: skip
def test_other_texts_are_left_to_the_strict_parser(text: bytes) -> None:
    assert strict_json.read_plain(text, max_depth=1000) is None


def test_the_error_quotes_nothing_of_the_text() -> None:
    for text in (b'{"secret":1,"secret":2}', b'{"secret":secret}', b'"secret\xff"', b'["secret'):
        with pytest.raises(ValueError) as refused:
            strict_json.loads(text, max_depth=4)
        assert "secret" not in str(refused.value)


@given(
    st.lists(
        st.sampled_from([*'{}[]:, "', '"a"', '"a":1', '"a b"', "1e5", "-0", "12", "null", "\\u00e9", "é"]),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_what_is_read_the_fast_way_is_what_the_strict_parser_reads(text: str) -> None:
    data = text.encode()
    try:
        value = strict_json.read_any(data, max_depth=4)
    except ValueError:
        with pytest.raises(ValueError):
            strict_json.loads(data, max_depth=4)
    else:
        read = strict_json.loads(data, max_depth=4)
        assert json.dumps(read) == json.dumps(value)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_value_error(data: bytes) -> None:
    try:
        value = strict_json.loads(data, max_depth=3)
    except ValueError:
        return
    assert json.loads(data) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_what_was_written_is_read_back(value: object) -> None:
    assert strict_json.loads(json.dumps(value).encode(), max_depth=50) == value
