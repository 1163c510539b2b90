"""What is done to an audit, and what the verification says of it: the record is named."""

from __future__ import annotations

import json
import sys

import pytest

from kms_tornado.audit.chain import ChainHead, hash_line
from kms_tornado.audit.record import canonical
from kms_tornado.audit.signing import make_private_pem, parse_private_pem
from kms_tornado.audit.verification import ChainVerifier, CheckpointHeads, CheckpointVerifier

from ..rows import each_row
from .logs import DATABASE, KEY, make_chain, make_checkpoint

LINES = make_chain(1, [("a", None if n == 1 else f"{n - 1:02}", f"{n:02}") for n in range(1, 9)])


def verify(lines, *, heads=None):
    verifier = ChainVerifier({1: heads or {}})
    return [*verifier.feed(1, lines), *verifier.finish()]


def edit(number, **members):
    lines = [*LINES]
    lines[number - 1] = canonical({**json.loads(lines[number - 1]), **members})
    return lines


def rechain(lines):
    """As somebody does who knows the format: every record names the edited one before it."""
    fixed = []
    for line in lines:
        record = json.loads(line)
        if fixed:
            record["prev"] = hash_line(fixed[-1])
        fixed.append(canonical(record))
    return fixed


HEADS = {6: hash_line(LINES[5])}


@each_row(
    ("lines", "heads", "told"),
    [
        pytest.param(LINES, HEADS, [], id="nothing"),
        pytest.param(edit(3, principal="mallory"), {}, ["record 1/3 was edited"], id="field"),
        pytest.param(
            edit(1, principal="mallory"), {}, ["record 1/1 was edited"], id="first record"
        ),
        pytest.param(edit(4, prev="11" * 32), {}, ["record 1/4 was edited"], id="prev"),
        pytest.param(
            [*LINES[:3], *LINES[4:]], {}, ["are gone, or stand elsewhere: 1/4"], id="deleted"
        ),
        pytest.param([*LINES[:2], *LINES[5:]], {}, ["1/3 to 1/5"], id="several deleted"),
        pytest.param(
            [*LINES[:3], LINES[4], LINES[3], *LINES[5:]],
            {},
            ["1/4", "record 1/4 stands again, or in another place", "1/5"],
            id="reordered",
        ),
        pytest.param([*LINES[:4], *LINES[3:]], {}, ["record 1/4 stands again"], id="duplicated"),
        pytest.param(
            [*LINES[:3], LINES[3][:-20], *LINES[4:]], {}, ["record 1/4 cannot be read"], id="cut"
        ),
        pytest.param(LINES[:5], HEADS, ["records 1/6 to 1/6 are gone"], id="chain cut at its end"),
        pytest.param([], HEADS, ["records 1/1 to 1/6 are gone"], id="whole chain"),
        pytest.param(
            rechain(edit(3, principal="mallory")),
            HEADS,
            ["record 1/6 is another one than the checkpoint names"],
            id="edited and chained anew",
        ),
        pytest.param(
            [*LINES[:2], *make_chain(2, [("x", None, "00")]), *LINES[2:]],
            {},
            ["record 1/3 says that it is 2/1"],
            id="record of another chain",
        ),
    ],
)
def test_what_was_done_to_a_chain_is_told_by_record(lines, heads, told):
    faults = verify(lines, heads=heads)
    assert len(faults) >= len(told)
    for words, fault in zip(told, faults, strict=False):
        assert words in fault
    assert bool(faults) == bool(told)


def test_edited_last_record_is_found_by_its_checkpoint():
    (fault,) = verify(edit(8, principal="mallory"), heads={8: hash_line(LINES[7])})
    assert "record 1/8 is another one than the checkpoint names" in fault


def test_chains_are_verified_apart():
    others = make_chain(2, [("b", None, "00"), ("b", "00", "01")])
    verifier = ChainVerifier({})
    faults = [*verifier.feed(1, LINES[:4]), *verifier.feed(2, others), *verifier.feed(1, LINES[4:])]
    assert faults == [] == [*verifier.finish()]
    assert {chain: end.seq for chain, end in verifier.ends.items()} == {1: 8, 2: 2}


ONE = make_checkpoint(1, [ChainHead(1, 2, hash_line(LINES[1]))])
TWO = make_checkpoint(2, [ChainHead(1, 6, hash_line(LINES[5]))], ONE)
THREE = make_checkpoint(3, [ChainHead(1, 8, hash_line(LINES[7]))], TWO)
STRANGER = parse_private_pem(make_private_pem())


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        pytest.param([ONE, TWO, THREE], [], id="nothing"),
        pytest.param([ONE, THREE], ["the checkpoint before 3 is gone"], id="one deleted"),
        pytest.param([TWO, THREE], ["the checkpoints before 2 are gone"], id="the first deleted"),
        pytest.param(
            [ONE, TWO.replace('"checkpoint":2', '"checkpoint":4'), THREE],
            ["the signature of checkpoint 4 is wrong", "the checkpoint before 3 is gone"],
            id="edited",
        ),
    ],
)
def test_what_was_done_to_checkpoints_is_told(lines, told):
    verifier = CheckpointVerifier([KEY.public], DATABASE)
    faults = [fault for line in lines for fault in verifier.feed(line)]
    assert len(faults) == len(told)
    for words, fault in zip(told, faults, strict=True):
        assert words in fault


def test_checkpoints_of_a_stranger_and_of_another_database_do_not_count():
    stranger = CheckpointVerifier([STRANGER.public], DATABASE)
    assert "signed by an unknown key" in next(stranger.feed(ONE))
    assert stranger.heads == {}
    assert list(stranger.feed(TWO)) == []  # the same key is told once
    assert stranger.number == 2
    other = CheckpointVerifier([KEY.public], "ff" * 16)
    assert "is of another database" in next(other.feed(ONE))


def test_heads_are_kept_by_number_whatever_their_order():
    heads = CheckpointHeads()
    for number in (5, 9, 7, 1, 9):  # the last one of a number counts
        heads.add(ChainHead(1, number, f"{number + len(heads):064x}"))
    assert dict(heads) == {1: f"{4:064x}", 5: f"{5:064x}", 7: f"{9:064x}", 9: f"{13:064x}"}
    assert (2 in heads, heads.get(10), max(heads)) == (False, None, 9)


@pytest.mark.parametrize("text", ["", "no hash", "ab", "ab" * 40, "é"])
def test_head_whose_hash_is_none_is_no_records(text):
    heads = CheckpointHeads()
    heads.add(ChainHead(1, 1, text))
    heads.add(ChainHead(1, 2, "cd" * 32))
    assert heads[1] not in (hash_line(LINES[0]), text)
    assert heads[2] == "cd" * 32


def test_heads_take_fifty_bytes_each_at_most():
    heads = CheckpointHeads()
    for number in range(1, 100_001):
        heads.add(ChainHead(1, number, "ab" * 32))
    assert sum(map(sys.getsizeof, vars(heads).values())) < 5_000_000
