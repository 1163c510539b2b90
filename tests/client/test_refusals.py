"""One exception a result reason."""

from __future__ import annotations

import pytest

from kms_tornado import client, errors
from kms_tornado.client.refusals import EXCEPTIONS, make_refusal, parse_refusal
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.enums import ResultReason
from kms_tornado.kmip.tables import ENUMERATIONS, loosen

from ..rows import each_row

CLASSES = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, KMIPError) and cls is not KMIPError
]


@each_row("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_reason_that_the_server_gives_is_read_back(cls: type[KMIPError]) -> None:
    parsed = parse_refusal(f"{cls('').reason_with_underscores}: what is wrong".encode())
    assert parsed.reason == cls.reason
    assert str(parsed) == "what is wrong"


def test_of_several_classes_the_one_that_is_named_like_the_reason_is_raised() -> None:
    for number, cls in EXCEPTIONS.items():
        names = {other.__name__ for other in CLASSES if other.reason == cls.reason}
        if len(names) > 1:
            assert loosen(cls.__name__) == loosen(ENUMERATIONS["ResultReason"].oasis[number])


def test_every_class_that_is_raised_is_a_name_of_the_package() -> None:
    for cls in EXCEPTIONS.values():
        assert getattr(client, cls.__name__) is cls
        assert cls.__name__ in client.__all__


@each_row("reason", list(ResultReason))
def test_every_reason_of_kmip_gives_an_exception_that_says_it(reason: ResultReason) -> None:
    error = make_refusal(reason, "what is wrong")
    if reason in EXCEPTIONS:
        assert type(error) is EXCEPTIONS[reason]
    else:
        assert type(error) is KMIPError
        assert loosen(str(error)).startswith(loosen(reason.name))


def test_missing_object_has_one_exception_under_both_of_its_reasons() -> None:
    for reason in (ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND):
        assert type(make_refusal(reason, "")) is errors.ItemNotFound


def test_reason_that_nobody_knows_keeps_its_text() -> None:
    error = parse_refusal(b"Moon_In_The_Wrong_Phase: wait a week")
    assert type(error) is KMIPError
    assert str(error) == "Moon_In_The_Wrong_Phase: wait a week"
    assert "0x7f" in str(make_refusal(0x7F, "text"))


def test_text_of_the_server_is_put_on_one_line() -> None:
    assert str(parse_refusal(b"Item_Not_Found: one\n two\x1b[31m")) == "one two?[31m"


@pytest.mark.parametrize("body", [b"", b"no reason", b"<a>: b", b": text", b"\xff\xfe", b"x" * 999])
def test_text_without_a_reason_is_no_answer_of_this_server(body: bytes) -> None:
    with pytest.raises(client.UnexpectedAnswer):
        parse_refusal(body)
