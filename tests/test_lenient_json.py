"""What lenient_json takes, how it marks what is odd, and what it refuses still."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado import lenient_json, strict_json

from .rows import each_row

BOM = b"\xef\xbb\xbf"
DEEP = b"[" * 100_000 + b"]" * 100_000

#: A value, and a part of what is said of it.
ODD: dict[str, tuple[bytes, str]] = {
    "NaN": (b"NaN", "NaN, which is not JSON"),
    "Infinity": (b"[1, Infinity]", "Infinity, which is not JSON"),
    "a number that becomes infinite": (b"-1e400", "a number that is too large"),
    "a number of 5000 digits": (b"9" * 5000, "too many digits"),
    "a lone surrogate": (b'"\\ud800"', "not Unicode"),
    "a lone surrogate in capitals, in a list": (b'["\\uDFFF"]', "not Unicode"),
    "a lone surrogate in a name": (b'{"\\ud800": 1}', "not Unicode"),
    "no UTF-8": (b'"\xff"', "not Unicode"),
    "a surrogate in UTF-8": (b'"\xed\xa0\x80"', "not Unicode"),
    "overlong UTF-8": (b'"\xc0\x80"', "not Unicode"),
    "a duplicate further in": (b'{"a": 1, "a": 1}', "more than once"),
    "nested more than anything that is read": (b"[" * 20 + b"]" * 20, "nested too deep"),
    "objects nested deeper than Python's limit": (b'{"a":' * 9999 + b"1" + b"}" * 9999, "too deep"),
    "nested deeper than Python's limit": (DEEP, "nested too deep"),
    "brackets in a string that is deep": (b"[" * 9999 + b'"]\\"]"' + b"]" * 9999, "too deep"),
}  # fmt: skip


@each_row("odd", ODD)
def test_an_odd_value_is_found_by_who_reads_it_and_harms_nobody_else(odd: str) -> None:
    value, why = ODD[odd]
    document = lenient_json.loads(
        b'{"before": 1, "odd": ' + value + b', "good": ["text", {"x": 2}]}'
    )
    problem = lenient_json.find_oddity(document, "odd")
    assert problem is not None
    assert why in problem
    assert "member odd" in problem
    problem.encode("ascii")
    assert "\n" not in problem
    for name in ("before", "good", "absent"):
        assert lenient_json.find_oddity(document, name) is None
    assert (document["before"], document["good"]) == (1, ["text", {"x": 2}])


@each_row(
    ("text", "repeated"),
    [
        pytest.param(b'{"a": 1, "b": 2}', {}, id="none"),
        pytest.param(b'{"a": 1, "A": 2}', {}, id="names that differ in case"),
        pytest.param(b'{"a": 1, "b": {"a": 1}}', {}, id="the same name in two objects"),
        pytest.param(b'{"a": "x", "b": 2, "a": "x"}', {"a": True}, id="twice the same text"),
        pytest.param(b'{"a": "x", "a": "y"}', {"a": False}, id="two texts"),
        pytest.param(b'{"a": "x", "a": "y", "a": "y"}', {"a": False}, id="three, two the same"),
        pytest.param(b'{"a": "x", "a": "y", "a": "x"}', {"a": False}, id="three, the outer ones the same"),
        pytest.param(b'{"a": 1, "a": 1}', {"a": False}, id="no texts"),
        pytest.param(b'{"a": "x", "\\u0061": "y"}', {"a": False}, id="one of them escaped"),
    ],
)  # fmt: skip
def test_a_name_that_occurs_more_than_once_is_marked(
    text: bytes, repeated: dict[str, bool]
) -> None:
    document = lenient_json.loads(text)
    assert document.repeated == repeated
    for name in document:
        assert (lenient_json.find_oddity(document, name) is None) == (name not in repeated)


def test_a_byte_order_mark_and_control_characters_are_taken() -> None:
    assert lenient_json.loads(BOM + b' {"a": "x\n\x00"}') == {"a": "x\n\0"}


@each_row(
    "text",
    [
        b"", b" ", BOM, BOM + BOM + b"{}", b"{} {}", b"{}x", b"{'a':1}", b'{"a":1,}', b'{"a"', b"// no\n{}", b"01", b"True",
        "{}".encode("utf-16"), "{}".encode("utf-32-le"), b"\xff{}", b"<html>", b"[" * 100_000, b"[" * 100_000 + b"}" * 99_999,
        b'{"a":"' + b'\\"' * 300_000, b"[" * 2000 + b'"' + b'\\"[' * 300_000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_without_a_quotation_and_at_once(text: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="not JSON") as refused:
        lenient_json.loads(text)
    assert time.monotonic() - started < 2
    assert "html" not in str(refused.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)  # fmt: skip
def test_strict_json_is_read_as_strict_json_reads_it(value: object) -> None:
    text = json.dumps({"value": value}).encode()
    try:
        expected = strict_json.loads(text, max_depth=15)
    except ValueError:
        return
    document = lenient_json.loads(text)
    assert document == expected
    assert lenient_json.find_oddity(document, "value") is None
