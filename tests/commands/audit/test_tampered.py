"""Tampered audits, each found by `audit verify` in the database and by the program of examples/ in an export."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from kms_tornado.audit.chain import hash_line
from kms_tornado.audit.checkpoint import read_checkpoint, sign_checkpoint
from kms_tornado.audit.parsing import parse_object
from kms_tornado.audit.record import canonical
from kms_tornado.audit.signing import make_private_pem, parse_private_pem
from kms_tornado.service.auditing.anchor_file import ANCHOR_FILE
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings

from ... import postgres
from ...audit.verifier import run_verifier
from ...server import NO_AUTH, run
from ...service.auditing.audited import use

OTHER_KEY = parse_private_pem(make_private_pem())


# --- an audit that can be tampered with ---------------------------------------------------------


@dataclass
class Row:
    """One of audit_segments. rest: its other columns."""

    chain: int
    first: int
    last: int
    lines: list[bytes]
    rest: dict[str, Any]


@dataclass
class Log:
    """heads: chain → (number, hash) of its last record, as the database has them."""

    rows: list[Row] = field(default_factory=list)
    checkpoints: list[tuple[int, str]] = field(default_factory=list)
    heads: dict[int, tuple[int, str]] = field(default_factory=dict)

    def of(self, chain: int) -> list[Row]:
        return [row for row in self.rows if row.chain == chain]

    def set_head(self, chain: int) -> None:
        """As somebody does who knows how it works."""
        last = self.of(chain)[-1]
        self.heads[chain] = last.last, hash_line(last.lines[-1])

    def export(self) -> bytes:
        """As `audit export` does it."""
        lines = [line.encode() for _, line in self.checkpoints]
        lines += [line for row in self.rows for line in row.lines]
        return b"".join(line + b"\n" for line in lines)


class Database:
    """One database. url: as an option has it."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        if url.startswith("sqlite"):
            address = f"sqlite:///{data / url.removeprefix('sqlite:///')}"
        else:
            address = url.replace("postgresql:", "postgresql+psycopg:")
        self._engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.pool.NullPool)

    def read(self) -> Log:
        log = Log()
        with self._engine.connect() as connection:
            for row in connection.execute(
                _sql("SELECT * FROM audit_segments ORDER BY chain, first")
            ):
                values = dict(row._mapping)
                lines = bytes(values.pop("lines")).split(b"\n")
                places = (values.pop(name) for name in ("chain", "first", "last"))
                log.rows.append(Row(*places, lines, values))
            checkpoints = connection.execute(
                _sql("SELECT checkpoint, line FROM audit_checkpoints ORDER BY checkpoint")
            )
            log.checkpoints += [(number, line) for number, line in checkpoints]
            heads = connection.execute(_sql("SELECT chain, seq, head FROM audit_chains"))
            log.heads.update({chain: (seq, head) for chain, seq, head in heads})
        return log

    def write(self, log: Log) -> None:
        with self._engine.begin() as connection:
            connection.execute(_sql("DELETE FROM audit_segments"))
            for row in log.rows:
                values = {
                    "chain": row.chain, "first": row.first, "last": row.last,
                    "lines": b"\n".join(row.lines), **row.rest,
                }  # fmt: skip
                names = ", ".join(values)
                places = ", ".join(f":{name}" for name in values)
                connection.execute(
                    _sql(f"INSERT INTO audit_segments ({names}) VALUES ({places})"), values
                )
            connection.execute(_sql("DELETE FROM audit_checkpoints"))
            for number, line in log.checkpoints:
                connection.execute(
                    _sql("INSERT INTO audit_checkpoints VALUES (:number, :line)"),
                    {"number": number, "line": line},
                )
            for chain, (seq, head) in log.heads.items():
                connection.execute(
                    _sql("UPDATE audit_chains SET seq = :seq, head = :head WHERE chain = :chain"),
                    {"seq": seq, "head": head, "chain": chain},
                )


_sql = sqlalchemy.text


class Place:
    """What two servers left behind. older: the database as it was before they were started for the second time."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.directory = directory
        self.data = directory / "data"
        url = "sqlite:///kms.db" if kind == "sqlite" else postgres.cluster().new_database()
        self._serve(url)
        self.older = Database(self._copy(url), self.data)
        self._serve(url)
        self.newer = Database(url, self.data)

    def _serve(self, url: str) -> None:
        settings = ServiceSettings(data_dir=self.data, database_url=url)

        async def main() -> None:
            async with KMS(settings) as one, KMS(settings) as two:
                for kms in (one, two, one, two):
                    await use(kms)

        asyncio.run(main())

    def _copy(self, url: str) -> str:
        if url.startswith("sqlite"):
            shutil.copy(self.data / "kms.db", self.data / "older.db")
            return "sqlite:///older.db"
        name = postgres.name_of(url)
        with postgres.cluster().connect() as connection:
            connection.autocommit = True
            connection.execute(f"CREATE DATABASE {name}_older TEMPLATE {name}")
        return postgres.cluster().url(f"{name}_older")

    def command(self, *words: str, database: Database) -> Any:
        options = ("--data-dir", str(self.data), "--database-url", database.url)
        return run("audit", *words, *NO_AUTH, *options, cwd=self.directory)

    def verify_export(self, log: Log, *flags: str) -> tuple[int, str]:
        """(exit code, what is told) by the program of examples/, with the public key and the anchor."""
        file = self.directory / "audit.jsonl"
        file.write_bytes(log.export())
        files = ("--key", self.data / "audit.key.pub", "--anchor", self.data / ANCHOR_FILE, file)
        return run_verifier(*flags, *files)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp(request.param), request.param)


@contextlib.contextmanager
def tampered(database: Database, tamper: Callable[[Log], None]) -> Iterator[Log]:
    log = database.read()
    sound = copy.deepcopy(log)
    tamper(log)
    database.write(log)
    try:
        yield log
    finally:
        database.write(sound)


# --- what somebody does to it -------------------------------------------------------------------


def middle(log: Log, chain: int) -> tuple[list[bytes], int]:
    """Lines of a row, and the place in them of a record that has neighbours there."""
    [row, *_] = [row for row in log.of(chain) if len(row.lines) >= 3]
    return row.lines, 1


def edit(log: Log, chain: int = 1) -> None:
    lines, at = middle(log, chain)
    lines[at] = lines[at].replace(b'"time":"2', b'"time":"1')


def edit_second_server(log: Log) -> None:
    edit(log, 2)


def delete(log: Log) -> None:
    lines, at = middle(log, 1)
    del lines[at]


def reorder(log: Log) -> None:
    lines, at = middle(log, 1)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def duplicate(log: Log) -> None:
    lines, at = middle(log, 1)
    lines.insert(at, lines[at])


def truncate(log: Log) -> None:
    lines, at = middle(log, 1)
    lines[at] = lines[at][:-20]


def forge(log: Log) -> None:
    """A new record at the end, with the right hash and number; only nothing signs it."""
    last = log.of(1)[-1]
    members = parse_object(last.lines[-1])
    members |= {"seq": last.last + 1, "prev": hash_line(last.lines[-1]), "principal": "mallory"}
    last.lines.append(canonical(members))
    last.last += 1
    log.set_head(1)


def hide_from_periods(log: Log) -> None:
    """From whoever asks for a period by the times of the row."""
    for row in log.rows:
        row.rest |= {"since": 0, "until": 0}


def cut_end(log: Log) -> None:
    log.rows.remove(log.of(1)[-1])
    log.set_head(1)


def cut_end_and_checkpoints(log: Log) -> None:
    cut_end(log)
    end, _ = log.heads[1]
    log.checkpoints = [
        (number, line)
        for number, line in log.checkpoints
        if read_checkpoint(parse_object(line.encode())).heads[1].seq <= end
    ]


def delete_checkpoint(log: Log) -> None:
    del log.checkpoints[1]


def sign_by_another_key(log: Log) -> None:
    number, line = log.checkpoints[1]
    checkpoint = read_checkpoint(parse_object(line.encode()))
    log.checkpoints[1] = number, sign_checkpoint(checkpoint, OTHER_KEY)


def sign_in_the_name_of_the_key(log: Log) -> None:
    """By another key, whose fingerprint it does not tell."""
    number, line = log.checkpoints[1]
    mine = parse_object(line.encode())["key"]
    sign_by_another_key(log)
    members = parse_object(log.checkpoints[1][1].encode())
    log.checkpoints[1] = number, canonical({**members, "key": mine}).decode()


def garble_newest_checkpoint(log: Log) -> None:
    log.checkpoints[-1] = log.checkpoints[-1][0], '{"chains":'


def swap_between_chains(log: Log) -> None:
    (ours, at), (theirs, there) = middle(log, 1), middle(log, 2)
    ours[at], theirs[there] = theirs[there], ours[at]


#: (what is done, what `audit verify` tells, what the program of examples/ tells), by what it is.
TAMPERED: dict[str, tuple[Callable[[Log], None], str, str]] = {
    "an edited field": (edit, "record 1/{at} was edited", "record 1/{at} was edited"),
    "a deleted record": (
        delete,
        "records are gone, or stand elsewhere: 1/{at}",
        "records are gone, or stand elsewhere: 1/{at} to 1/{at}",
    ),
    "reordered records": (
        reorder,
        "record 1/{at} stands again, or in another place than its own",
        "record 1/{at} stands again, or elsewhere than it did",
    ),
    "a duplicated record": (
        duplicate,
        "record 1/{at} stands again, or in another place than its own",
        "record 1/{at} stands again, or elsewhere than it did",
    ),
    "a truncated record": (
        truncate, "record 1/{at} cannot be read", "is no record of version 1: it was cut or edited",
    ),
    "a forged record at the end": (
        forge,
        "were not written by this server, or edited",
        "no checkpoint covers 1/{forged} to 1/{forged}",
    ),
    "a chain cut at its end": (cut_end, "chain 1 is cut", "chain 1 is cut behind 1/{cut}"),
    "a chain cut with its checkpoints": (
        cut_end_and_checkpoints,
        "the database is older than this server's anchor",
        "is not here, which the anchor names",
    ),
    "one of two servers' chains": (
        edit_second_server, "record 2/{second} was edited", "record 2/{second} was edited",
    ),
    "a deleted checkpoint": (
        delete_checkpoint,
        "the checkpoint before 3 is gone, or another one than it names",
        "the checkpoint before 3 is gone, or another one than it names",
    ),
    "a newest checkpoint that is none": (
        garble_newest_checkpoint,
        "a checkpoint does not count: the line is no JSON",
        "is no checkpoint of version 1: it was cut or edited",
    ),
    "records swapped between chains": (
        swap_between_chains,
        "record 1/{at} says that it is 2/{second}",
        "records are gone, or stand elsewhere: 1/{at} to 1/{at}",
    ),
    "a checkpoint by another key": (
        sign_by_another_key,
        "checkpoint 2 is signed by an unknown key",
        "checkpoint 2 is signed by a key that was not given",
    ),
    "a checkpoint in the name of the key": (
        sign_in_the_name_of_the_key,
        "the signature of checkpoint 2 is wrong",
        "the signature of checkpoint 2 is wrong",
    ),
}  # fmt: skip


def number_at(log: Log, chain: int) -> int:
    lines, at = middle(log, chain)
    return int(json.loads(lines[at])["seq"])


# --- what is told -------------------------------------------------------------------------------


def test_intact_audit_of_two_servers_is_well(place: Place) -> None:
    log = place.newer.read()
    assert {row.chain for row in log.rows} >= {1, 2}  # one that was slow may have begun another
    result = place.command("verify", database=place.newer)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("all is well: ")
    exported = place.command("export", database=place.newer)
    assert exported.stdout.encode() == log.export()
    records = sum(len(row.lines) for row in log.rows)
    all_is_well = f"all is well\n{records} records, {len(log.checkpoints)} checkpoints\n"
    assert place.verify_export(log, "--signed-only") == (0, all_is_well)


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_audit_is_found_twice(place: Place, name: str) -> None:
    tamper, by_command, by_example = TAMPERED[name]
    sound = place.newer.read()
    numbers = {
        "at": number_at(sound, 1), "second": number_at(sound, 2),
        "forged": sound.of(1)[-1].last + 1, "cut": sound.of(1)[-1].first - 1,
    }  # fmt: skip
    with tampered(place.newer, tamper) as log:
        result = place.command("verify", database=place.newer)
    assert (result.returncode, result.stderr) == (1, "")
    assert by_command.format(**numbers) in result.stdout
    code, told = place.verify_export(log, "--signed-only")
    assert code == 1
    assert by_example.format(**numbers) in told
    if tamper is edit_second_server:
        assert "1/" not in result.stdout.partition("faults: ")[0] + told


def test_bytes_that_became_a_text_are_found(place: Place) -> None:
    """SQLite's `replace` makes a text of bytes, and nothing keeps a column from it."""
    if not place.newer.url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps the types of columns")
    with tampered(place.newer, lambda log: None):
        with place.newer._engine.begin() as connection:
            connection.execute(
                _sql("UPDATE audit_segments SET lines = replace(lines, 'alice', 'malice')")
            )
            connection.execute(_sql("UPDATE audit_checkpoints SET line = CAST(line AS BLOB)"))
        results = [place.command(word, database=place.newer) for word in ("verify", "export")]
    assert [result.returncode for result in results] == [1, 1]
    assert "was edited: its hash is not the one that the next record names" in results[0].stdout


def test_times_of_rows_that_were_edited_hide_no_record_from_a_selection_and_are_told(
    place: Place,
) -> None:
    selection = ("export", "--since", "2026-01-01", "--operation", "Create")
    sound = place.command(*selection, database=place.newer)
    assert (sound.returncode, sound.stdout.count('"Create"')) == (0, 8)
    with tampered(place.newer, hide_from_periods):
        results = [place.command(*words, database=place.newer) for words in (selection, ["verify"])]
    assert [result.returncode for result in results] == [1, 1]
    assert results[0].stdout == sound.stdout
    assert "records 1/1 to 1/" in results[0].stderr
    for told in (results[0].stderr, results[1].stdout):
        assert "were not written by this server, or edited" in told


def test_restored_older_database_is_found_twice_by_the_anchor(place: Place) -> None:
    result = place.command("verify", database=place.older)
    assert (result.returncode, result.stderr) == (1, "")
    assert "the database is older than this server's anchor" in result.stdout
    code, told = place.verify_export(place.older.read())
    assert code == 1
    assert "is not here, which the anchor names" in told


def test_forged_record_is_told_where_unsigned_ones_are_no_fault(place: Place) -> None:
    with tampered(place.newer, forge) as log:
        code, told = place.verify_export(log)
    assert code == 0
    assert told.startswith("no checkpoint covers 1/")


def test_edited_records_are_exported_as_they_are_and_told(place: Place) -> None:
    with tampered(place.newer, edit) as log:
        exported = place.command("export", database=place.newer)
    assert exported.returncode == 1
    assert exported.stdout.encode() == log.export()
    assert "were not written by this server, or edited" in exported.stderr
