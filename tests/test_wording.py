"""How messages name what the user wrote."""

from __future__ import annotations

import pytest

from kms_tornado.wording import (
    cut,
    find_closest,
    format_count,
    format_size,
    make_printable,
    mask_queries,
    name_toml_type,
    quote,
    suggest,
)

from .rows import each_row


@pytest.mark.parametrize(("text", "shown"), [("a" * 40, "a" * 40), ("a" * 41, "a" * 40 + "…")])
def test_long_text_is_cut(text: str, shown: str) -> None:
    assert cut(text) == shown
    assert quote(text) == f"'{shown}'"


def test_text_has_nothing_that_a_terminal_would_act_on() -> None:
    assert make_printable("a\x1b[2J\nb\u202ec ü") == "a?[2J?b?c ü"


def test_type_of_a_toml_value_is_named_in_words() -> None:
    assert [name_toml_type(value) for value in (True, 1, 1.5, "a", [], {}, None)] == [
        "a boolean", "an integer", "a float", "a string", "a list", "a table", "a date or time",
    ]  # fmt: skip


@each_row(
    ("name", "end"),
    [
        ("hostnam", "; did you mean --hostname?"),
        ("hsotname", "; did you mean --hostname?"),
        ("else", ""),
        ("", ""),
        ("hostname" * 10_000, ""),
    ],
)
def test_the_closest_name_is_suggested_where_one_is_close(name: str, end: str) -> None:
    assert suggest(find_closest(name, ["hostname", "port", "workers"]), "--") == end


@each_row(
    ("octets", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1 KiB"),
        (1536, "1,536 bytes"),
        (100_000, "100,000 bytes"),
        (16 << 20, "16 MiB"),
        ((16 << 20) + 1, "16,777,217 bytes"),
        (3 << 29, "1,536 MiB"),
        (2 << 30, "2 GiB"),
    ],
)
def test_size_is_in_the_largest_unit_that_it_is_a_whole_number_of(octets: int, text: str) -> None:
    assert format_size(octets) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/k?api_key=s3cret&x=y#part", "https://h/k?api_key=***&x=***#part"),
        ("https://h/k?s3cret", "https://h/k?***"),
        ("https://h/k?a=b: timed out", "https://h/k?a=***: timed out"),
        (
            "https://h/k?a=b, which https://h/?c names",
            "https://h/k?a=***, which https://h/?*** names",
        ),
        ("https://h/k?a==s3=c&b=", "https://h/k?a=***&b="),
        ("https://h/?a=x?y=z", "https://h/?a=***"),
        ("https://h/k?" + "n" * 200 + "=s3cret", "https://h/k?***"),
        ("(see https://h/?a=x)", "(see https://h/?a=***)"),
        ("is it there? yes", "is it there? yes"),
        ("https://h/k", "https://h/k"),
    ],
)
def test_values_in_queries_are_masked(text: str, shown: str) -> None:
    assert mask_queries(text) == shown


def test_number_stands_with_its_noun() -> None:
    assert [format_count(number, "key") for number in (0, 1, 2, 1000)] == [
        "0 keys", "1 key", "2 keys", "1,000 keys",
    ]  # fmt: skip
    assert format_count(1, "entry", "entries") == "1 entry"
    assert format_count(3, "object is", "objects are") == "3 objects are"
