"""The identifier of a request: how it is made, and what of a proxy's is taken."""

from __future__ import annotations

from kms_tornado.request_context import is_request_id, make_request_id

from .rows import each_row


def test_made_identifiers_are_short_plain_and_never_the_same():
    made = [make_request_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(each) for each in made} == {16}
    assert all(map(is_request_id, made))


@each_row(
    "value",
    [
        "a",
        "7f3f9c1e-6a2b-4f1d-9e3a-0c5b7d2e8f10",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "1-67891233-abcdef012345678912345678",
        "Root=1-67891233-abcdef012345678912345678",
        "dGhlIHNhbXBsZQ==",
        "eyJpZCI6NX0",
        "a" * 128,
    ],
)
def test_identifier_that_proxies_make_is_one(value):
    assert is_request_id(value)


@each_row(
    "value",
    [
        "", " ", "a" * 129, "a b", "a,b", "a;b", 'a"b', "a\n", "a\r\nSet-Cookie: x", "\x1b[31m", "a\x00", "ä", "١",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "eyJhbGciOiJFUzI1NiJ9.",
        "-a", "<script>", "a'b", "a\\b", "{a}", "a%0d", None, 5, b"a",
    ],
)  # fmt: skip
def test_what_could_break_a_line_or_a_header_or_is_a_token_is_no_identifier(value):
    assert not is_request_id(value)
