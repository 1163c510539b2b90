"""Checkpoints: what is signed counts, and nothing else."""

from __future__ import annotations

import json

import pytest

from kms_tornado.audit.chain import ChainHead
from kms_tornado.audit.checkpoint import BadSignature, UnknownSigner, parse_checkpoint
from kms_tornado.audit.parsing import MalformedRecord
from kms_tornado.audit.record import canonical
from kms_tornado.audit.signing import make_private_pem, parse_private_pem, parse_public_pem

from ..rows import each_row
from .logs import DATABASE, KEY, make_checkpoint

HEADS = [ChainHead(1, 5, "00" * 32), ChainHead(2, 7, "11" * 32)]
LINE = make_checkpoint(3, HEADS, before="the one before")
OTHER_KEY = parse_private_pem(make_private_pem())


def test_signed_checkpoint_says_what_it_was_made_of():
    checkpoint = parse_checkpoint(LINE.encode(), [OTHER_KEY.public, KEY.public])
    assert (checkpoint.number, checkpoint.database) == (3, DATABASE)
    assert dict(checkpoint.heads) == {head.chain: head for head in HEADS}
    assert checkpoint.key == KEY.public.fingerprint
    assert canonical(json.loads(LINE)) == LINE.encode()


def edited(**members):
    return canonical({**json.loads(LINE), **members})


@each_row(
    ("line", "error"),
    [
        pytest.param(edited(checkpoint=4), BadSignature, id="number"),
        pytest.param(edited(chains=[[1, 5, "00" * 32]]), BadSignature, id="a chain less"),
        pytest.param(edited(previous=None), BadSignature, id="the one before it"),
        pytest.param(edited(database="ff" * 16), BadSignature, id="database"),
        pytest.param(edited(signature=""), BadSignature, id="no signature"),
        pytest.param(edited(signature=7), BadSignature, id="a number as signature"),
        pytest.param(edited(key="00"), UnknownSigner, id="unknown key"),
        pytest.param(edited(chains=[[1, 5]]), MalformedRecord, id="half a head"),
        pytest.param(edited(chains=7), MalformedRecord, id="no heads"),
        pytest.param(edited(checkpoint="3"), MalformedRecord, id="number as a text"),
        pytest.param(edited(more=1), MalformedRecord, id="unknown member"),
        pytest.param(LINE.encode()[:-1], MalformedRecord, id="truncated"),
    ],
)
def test_edited_checkpoint_is_refused(line, error):
    with pytest.raises(error):
        parse_checkpoint(line, [KEY.public])


def test_checkpoint_of_another_signer_is_refused():
    with pytest.raises(UnknownSigner):
        parse_checkpoint(LINE.encode(), [OTHER_KEY.public])


def test_public_half_verifies_and_reveals_nothing():
    public = parse_public_pem(KEY.public.to_pem())
    assert parse_checkpoint(LINE.encode(), [public]).number == 3
    assert b"PRIVATE" not in KEY.public.to_pem()


@pytest.mark.parametrize(
    "content", [b"", b"no key", KEY.public.to_pem().replace(b"A", b"!", 3)], ids=["", "text", "cut"]
)
def test_what_is_no_key_is_refused_without_repeating_it(content):
    for parse in (parse_private_pem, parse_public_pem):
        with pytest.raises(ValueError, match="is no") as caught:
            parse(content)
        assert caught.value.__cause__ is None
