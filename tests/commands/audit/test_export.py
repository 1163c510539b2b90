"""`kms-tornado audit export` and `audit tail`: what is stored, byte for byte, beside a server that serves."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
from pathlib import Path

import pytest

from kms_tornado.audit.chain import NOTHING, ChainHead, hash_line
from kms_tornado.audit.signing import parse_public_pem
from kms_tornado.audit.verification import ChainVerifier, CheckpointVerifier
from kms_tornado.commands.audit import tail as audit_tail
from kms_tornado.commands.audit.line_output import escape_line
from kms_tornado.errors import Unavailable
from kms_tornado.store.interface.object_checks import StoredSegment
from kms_tornado.wording import format_count

from ...kmip_items import uid
from ...server import check_refused, eventually, run, warm_servers
from ..conftest import Place


def test_export_of_everything_is_verified_without_the_database(place: Place) -> None:
    user = place.kms.user()
    user.key_of(user.create())
    eventually(lambda: "Get" in place.told(user))
    done = place.run("audit", "export")
    assert done.returncode == 0
    lines = done.stdout.encode().splitlines()
    is_checkpoint = [line.startswith(b'{"chains":') for line in lines]
    assert is_checkpoint == sorted(is_checkpoint, reverse=True)  # first
    key = parse_public_pem((place.kms.data_dir / "audit.key.pub").read_bytes())
    checkpoints = CheckpointVerifier([key])
    records = []
    for line in lines:
        if line.startswith(b'{"chains":'):
            assert [*checkpoints.feed(line.decode())] == []
        else:
            records.append(line)
    chains = ChainVerifier(checkpoints.heads)
    places = []
    for line in records:
        record = json.loads(line)
        places.append((record["chain"], record["seq"]))
        assert [*chains.feed(record["chain"], [line])] == []
    assert [*chains.finish()] == []
    assert places == sorted(places)
    assert checkpoints.number >= 1
    told = format_count(checkpoints.number, "checkpoint")
    assert done.stderr.endswith(f"{len(records)} records and {told}\n")


def test_selection_by_user_object_operation_and_result(place: Place) -> None:
    alice, bob = place.kms.user(), place.kms.user()
    key, other = alice.create(), alice.create()
    alice.key_of(key)
    bob.refused("Get", uid(key))
    eventually(lambda: place.told(bob) == ["Get"] and "Get" in place.told(alice))
    of_key = place.export("--uid", key)
    assert {(one["operation"], one["principal"]) for one in of_key} == {
        ("Create", alice.name), ("Get", alice.name), ("Get", bob.name),
    }  # fmt: skip
    [created] = place.export("--uid", other, "--operation", "create")
    assert (created["uid"], created["principal"]) == (other, alice.name)
    [failed] = place.export("--uid", key, "--result", "failed", "--operation", "Get")
    assert (failed["principal"], failed["result"]) == (bob.name, "Failed")


def test_selection_by_time(place: Place) -> None:
    alice = place.kms.user()
    for _ in range(3):
        alice.create()
    _, second, _ = (one["time"] for one in place.export("--principal", alice.name))
    by_name = ("--principal", alice.name)
    assert [one["time"] <= second for one in place.export(*by_name, "--until", second)] == [
        True
    ] * 2
    later = place.export(*by_name, "--since", second)
    assert [one["time"] >= second for one in later] == [True, True]
    assert len(place.export(*by_name, "--since", second[:10])) == 3  # the day
    assert place.export(*by_name, "--until", second[:10]) == []


def test_tail_prints_the_newest_records_as_they_are_stored(place: Place) -> None:
    alice = place.kms.user()
    keys = [alice.create() for _ in range(4)]
    done = place.run("audit", "tail", "-n", "3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [json.loads(line)["uid"] for line in lines] == keys[1:]
    exported = place.run("audit", "export").stdout.splitlines()
    assert set(lines) <= set(exported)


def test_tail_follows_what_is_recorded_until_it_is_ended(place: Place) -> None:
    alice = place.kms.user()
    alice.create()
    argv = ["audit", "tail", "-n", "1", "--follow", *place.options]
    process = warm_servers().start(argv, place.kms.directory)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            first = json.loads(process.stdout.readline())
            keys = [alice.create(), alice.create()]
            seen: list[str] = []
            while keys[-1] not in seen:  # others' records come, too: of starts, of refusals
                seen.append(json.loads(process.stdout.readline())["uid"])
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(30)
        told = process.stderr.read()
    assert (ended, told) == (1, "kms-tornado: interrupted\n")
    assert first["operation"] == "Create"
    assert [one for one in seen if one in keys] == keys


def test_tail_follows_beyond_an_outage_which_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    away = Unavailable("the database is out of reach", detail="connection refused")
    looks = iter([away, away, {1: ChainHead(1, 3, "")}, KeyboardInterrupt()])

    class Store:
        async def heads(self) -> dict[int, ChainHead]:
            look = next(looks)
            if isinstance(look, BaseException):
                raise look
            return look

        async def read_segments(self, chain: int, after: int) -> list[StoredSegment]:
            assert (chain, after) == (1, 1)
            return [StoredSegment(1, 2, 3, (b"two", b"three"), True)]

    monkeypatch.setattr(audit_tail, "_POLL_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(audit_tail._follow(Store(), {1: ChainHead(1, 1, "")}))
    told = capfd.readouterr()
    assert told.out == "two\nthree\n"
    assert told.err.splitlines() == [
        "the database is out of reach: connection refused",
        "the database is back",
    ]


class History:
    """A database whose chain is set back and goes on otherwise. looks: its segments at each look, as (first, records)."""

    def __init__(self, *looks: list[tuple[int, str]]) -> None:
        self._looks = iter(looks)
        self._segments: list[StoredSegment] = []

    async def heads(self) -> dict[int, ChainHead]:
        try:
            look = next(self._looks)
        except StopIteration:
            raise KeyboardInterrupt from None
        self._segments, head = [], ChainHead(1, 0, NOTHING)
        for first, names in look:
            lines = []
            for seq, name in enumerate(names, first):
                lines.append(b'{"name":"%s","prev":"%s"}' % (name.encode(), head.hash.encode()))
                head = ChainHead(1, seq, hash_line(lines[-1]))
            self._segments.append(StoredSegment(1, first, head.seq, lines, True))
        return {1: head}

    async def read_segments(self, chain: int, after: int) -> list[StoredSegment]:
        return [segment for segment in self._segments if segment.first > after]


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ([(1, "a"), (2, "b"), (3, "x")], "abcdx"),
        ([(1, "a"), (2, "b"), (3, "xy")], "abcdxy"),
        ([(1, "a"), (2, "b"), (3, "xyz")], "abcdxyz"),
        ([(1, "a"), (2, "b"), (3, "x"), (4, "y"), (5, "z")], "abcdxyz"),
        ([(1, "a"), (2, "b")], "abcd"),
    ],
    ids=["is behind", "is as far again", "is further", "goes on in smaller steps", "stands still"],
)
def test_tail_tells_that_the_database_was_set_back_and_prints_what_came_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    after: list[tuple[int, str]],
    names: str,
) -> None:
    before = [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    monkeypatch.setattr(audit_tail, "_POLL_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(audit_tail._follow(History(before, before, after, after), {}))  # type: ignore[arg-type]
    told = capfd.readouterr()
    assert "".join(json.loads(line)["name"] for line in told.out.splitlines()) == names
    assert told.err.splitlines() == [
        "chain 1 was set back, or changed by something else than a server: it had record 1/4; what it has behind "
        "1/2 follows; run kms-tornado audit verify"
    ]


def test_reader_that_goes_away_is_no_error(place: Place) -> None:
    (read, write), (told, errors) = os.pipe(), os.pipe()
    os.close(read)
    argv = ["audit", "export", *place.options]
    process = warm_servers().start(argv, place.kms.directory, write, errors=errors)
    os.close(write)
    os.close(errors)
    with open(told) as stream:
        assert (stream.read(), process.wait(60)) == ("", 0)


@pytest.mark.parametrize("sign", ["\x1b", "\x9b", "\u202e", "\U000e0041"], ids=ascii)
def test_terminal_is_given_nothing_that_it_obeys(sign: str) -> None:
    line = json.dumps({"uid": f"a{sign}b", "é": 1}, ensure_ascii=False).encode()
    escaped = escape_line(line)
    assert escaped.decode().isprintable()
    assert json.loads(escaped) == json.loads(line)
    assert escape_line(b'{"uid": "\xff' + sign.encode()).decode().isprintable()
    assert escape_line('{"é":1}'.encode()) == '{"é":1}'.encode()


def test_terminal_has_escaped_lines_and_a_pipe_the_bytes(place: Place) -> None:
    alice = place.kms.user()
    alice.refused("Get", uid("a\x9b31mb"))
    eventually(lambda: place.told(alice))
    argv = ["audit", "export", "--principal", alice.name, *place.options]
    terminal, end = pty.openpty()
    with open(os.devnull, "w") as nothing:
        process = warm_servers().start(argv, place.kms.directory, end, errors=nothing.fileno())
    os.close(end)
    with open(terminal, "rb") as stream:
        shown = stream.readline()
        assert process.wait(30) == 0
    assert json.loads(shown)["uid"] == "a\x9b31mb"
    assert shown.decode().strip().isprintable()
    assert "\x9b" in place.run("audit", "export", "--principal", alice.name).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "--since", "yesterday"), "--since (flag): is no time such as"),
        (("export", "--since", "2026-11-30", "--until", "2026-11-29"), "--since is behind --until"),
        (("export", "--result", "good"), "--result (flag): 'good' is none of Success"),
        (("tail", "-n", "-1"), "--lines (flag): "),
    ],
    ids=["no time", "span without a moment", "no result", "fewer than none"],
)
def test_what_is_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = run("audit", *words, "--insecure-no-auth", cwd=tmp_path)
    assert told in check_refused(done, 2)
