"""Long answers are written in slices, to the same bytes as short ones."""

from __future__ import annotations

from binascii import hexlify
from functools import partial

import pytest

from kms_tornado.kmip.codecs import binary_codec, json_codec, long_answers
from kms_tornado.kmip.codecs.long_answers import (
    format_long,
    is_written,
    replace_by_written,
    write_item,
)
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

from ...rows import each_row

JSON_DIALECTS = [dialect for dialect in Dialect if dialect is not Dialect.BINARY]


def octets(tag: str, size: int) -> Node:
    return Node(tag, ItemType.BYTE_STRING, bytes(range(256)) * (size // 256) + b"\xff")


def text(tag: str, value: str) -> Node:
    return Node(tag, ItemType.TEXT_STRING, value)


ITEM = structure(
    "BatchItem",
    Node("Operation", ItemType.ENUMERATION, 31),
    structure("ResponsePayload", text("UniqueIdentifier", "é"), octets("Data", 700_000)),
)

ANSWERS = [
    pytest.param(structure("EncryptResponse", text("UniqueIdentifier", "a"), octets("Data", 3_000_000)), id="data"),
    pytest.param(structure("EncryptResponse", octets("Data", 100_000), octets("IVCounterNonce", 12), octets("AuthenticatedEncryptionTag", 70_000)), id="several values"),
    pytest.param(structure("GetResponse", structure("SymmetricKey", structure("KeyBlock", structure("KeyValue", octets("KeyMaterial", 200_000))))), id="key material"),
    pytest.param(structure("LocateResponse", *[text("UniqueIdentifier", str(number)) for number in range(2000)]), id="many short values"),
    pytest.param(structure("EncryptResponse"), id="nothing"),
]  # fmt: skip

MESSAGES = [
    pytest.param(structure("ResponseMessage", structure("ResponseHeader", text("ServerCorrelationValue", "x")), ITEM, ITEM), id="two items"),
    pytest.param(structure("ResponseMessage"), id="no item"),
]  # fmt: skip


@each_row("dialect", JSON_DIALECTS)
@each_row("answer", ANSWERS)
def test_long_answer_is_written_as_a_short_one_is(answer: Node, dialect: Dialect) -> None:
    assert format_long(answer, dialect) == json_codec.format(answer, dialect)


@pytest.mark.parametrize("dialect", [Dialect.OASIS, Dialect.OASIS_UNTYPED])
@pytest.mark.parametrize("answer", MESSAGES)
def test_long_message_is_written_as_a_short_one_is(answer: Node, dialect: Dialect) -> None:
    assert format_long(answer, dialect) == json_codec.format(answer, dialect)


def test_no_call_of_the_encoder_gets_a_long_value_or_more_than_one_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call holds the interpreter's lock to its end."""
    written: list[int] = []
    form = json_codec.format

    def watched(node: Node, dialect: Dialect) -> bytes:
        written.append(len(form(node, dialect)))
        return form(node, dialect)

    monkeypatch.setattr(long_answers.json_codec, "format", watched)
    items = [ITEM] * 10
    assert len(format_long(structure("ResponseMessage", *items), Dialect.OASIS)) > 14_000_000
    assert max(written) < 1000


def test_long_value_is_written_in_slices_between_which_other_threads_may_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def watched(octets: bytes) -> bytes:
        sizes.append(len(octets))
        return hexlify(octets)

    monkeypatch.setattr(long_answers, "hexlify", watched)
    format_long(structure("EncryptResponse", octets("Data", 3_000_000)), Dialect.COSMIAN)
    assert sum(sizes) > 2_990_000
    assert max(sizes) <= 64 * 1024


@pytest.mark.parametrize("dialect", [Dialect.OASIS, Dialect.OASIS_UNTYPED, Dialect.BINARY])
def test_item_that_was_written_before_stands_in_the_message_as_one_that_was_not(
    dialect: Dialect,
) -> None:
    header = structure("ResponseHeader", text("ServerCorrelationValue", "x"))
    written = replace_by_written(ITEM, write_item(ITEM, dialect))
    assert is_written(written)
    assert not is_written(ITEM)
    format_short = (
        binary_codec.format
        if dialect is Dialect.BINARY
        else partial(json_codec.format, dialect=dialect)
    )
    message = format_short(structure("ResponseMessage", header, ITEM, ITEM))
    other = structure("ResponseMessage", header, written, ITEM)
    assert format_long(other, dialect) == message
