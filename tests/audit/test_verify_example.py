"""The stand-alone verifier on files of --audit-log, on a selection, and after a rollback that was accepted."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kms_tornado.audit.signing import make_private_pem, parse_private_pem
from kms_tornado.service.auditing.anchor_file import ANCHOR_FILE
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings

from ..service.auditing.audited import use
from .verifier import VERIFIER, run_verifier

Lines = list[bytes]


class Place:
    """A key service that is opened, used and closed, with a log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "audit.jsonl"

    def serve(self, *, accept_rollback: bool = False) -> None:
        settings = ServiceSettings(
            data_dir=self.data, audit_log=self.log, accept_rollback=accept_rollback
        )

        async def main() -> None:
            async with KMS(settings) as kms:
                await use(kms)

        asyncio.run(main())

    def export(self) -> Path:
        with sqlite3.connect(self.data / "kms.db") as connection:
            checkpoints = connection.execute(
                "SELECT line FROM audit_checkpoints ORDER BY checkpoint"
            ).fetchall()
            segments = connection.execute(
                "SELECT lines FROM audit_segments ORDER BY chain, first"
            ).fetchall()
        lines = [line.encode() for (line,) in checkpoints] + [lines for (lines,) in segments]
        return self.write("export.jsonl", lines)

    def write(self, name: str, lines: Lines) -> Path:
        file = self.directory / name
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        return file

    def verify(self, *words: str | Path, key: Path | None = None) -> tuple[int, str]:
        """(exit code, what is told)."""
        return run_verifier("--key", key or self.data / "audit.key.pub", *words)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("place"))
    place.serve()
    place.serve()
    return place


def test_program_is_short_and_imports_nothing_of_ours() -> None:
    text = VERIFIER.read_text()
    assert len(text.splitlines()) <= 180
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if "import " in line[:12]
    }
    assert imported - set(sys.stdlib_module_names) <= {"cryptography"}


def test_log_is_well_whole_and_from_its_middle(place: Place) -> None:
    lines = place.log.read_bytes().splitlines()
    anchor = ("--anchor", place.data / ANCHOR_FILE)
    assert place.verify("--log", "--signed-only", *anchor, place.log)[0] == 0
    for start in range(1, 8):
        rest = place.write("rest.jsonl", lines[start:])
        code, told = place.verify("--log", "--signed-only", *anchor, rest)
        assert (code, told.splitlines()[0]) == (0, "all is well"), start


def test_rotated_files_are_one_log(place: Place) -> None:
    lines = place.log.read_bytes().splitlines()
    first, second = place.write("1.jsonl", lines[:6]), place.write("2.jsonl", lines[6:])
    assert place.verify("--log", first, second)[0] == 0
    code, told = place.verify("--log", second, first)
    assert code == 1
    assert "stands again, or elsewhere" in told


def records_of(lines: Lines) -> list[int]:
    """Where they stand."""
    return [at for at, line in enumerate(lines) if not line.startswith(b'{"chains":')]


def delete(lines: Lines) -> None:
    del lines[records_of(lines)[3]]


def cut(lines: Lines) -> None:
    """The last records, but not the checkpoint behind them."""
    for at in reversed(records_of(lines)[-2:]):
        del lines[at]


def edit(lines: Lines) -> None:
    at = records_of(lines)[3]
    lines[at] = lines[at].replace(b'"time":"2', b'"time":"1')


def tear(lines: Lines) -> None:
    """As a server does it that is killed in the middle of a write."""
    at = records_of(lines)[-1]
    lines[at:] = [lines[at][:40]]


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        pytest.param(delete, "records are gone, or stand elsewhere: 1/4 to 1/4", id="deleted"),
        pytest.param(edit, "record 1/4 was edited", id="edited"),
        pytest.param(cut, "chain 1 is cut behind 1/", id="cut before a checkpoint"),
        pytest.param(tear, "is no record of version 1: it was cut or edited", id="torn"),
    ],
)
def test_tampered_log_is_found(place: Place, tamper: Callable[[Lines], None], told: str) -> None:
    lines = place.log.read_bytes().splitlines()
    tamper(lines)
    code, text = place.verify("--log", place.write("tampered.jsonl", lines))
    assert code == 1
    assert told in text


def test_selection_cannot_be_verified(place: Place) -> None:
    lines = place.log.read_bytes().splitlines()
    selection = place.write("selection.jsonl", [lines[at] for at in records_of(lines)[2:4]])
    code, told = place.verify(selection)
    assert code == 2
    assert "records are gone, or stand elsewhere: 1/1 to 1/2" in told
    code, told = place.verify("--log", selection)
    assert (code, told.splitlines()[-2:]) == (
        2, ["nothing is signed, as in a selection", "2 records, 0 checkpoints"],
    )  # fmt: skip


@pytest.mark.parametrize("content", [None, b"no key"], ids=["no file", "no key"])
def test_without_a_key_nothing_can_be_verified(place: Place, content: bytes | None) -> None:
    key = place.directory / "key.pem"
    if content is not None:
        key.write_bytes(content)
    code, told = place.verify(place.log, key=key)
    assert code == 2
    assert told.startswith("it cannot be verified: ")


@pytest.mark.parametrize("content", [b"", b"{}\n"], ids=["empty", "no checkpoint"])
def test_anchor_without_a_checkpoint_is_no_anchor(place: Place, content: bytes) -> None:
    anchors = [place.data / ANCHOR_FILE, place.directory / "anchor.json"]
    anchors[1].write_bytes(content)
    words = [word for anchor in anchors for word in ("--anchor", anchor)]
    told = "it cannot be verified: an anchor has no checkpoint\n"
    assert place.verify(*words, place.export()) == (2, told)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000, b"1", b"{}", b'{"chain":[],"seq":1,"prev":"","v":1}', b"\xff", b'{"chains":[]}',
        b'{"chains":[[1,2]],"checkpoint":1,"signature":1,"v":1}', b'{"chains":' + b"[" * 100_000,
        b'{"chains":[[1,1,"0"]],"checkpoint":1,"key":"","signature":"","v":1}',
    ],
    ids=range(9),
)  # fmt: skip
def test_line_that_is_neither_is_a_fault_and_no_crash(place: Place, line: bytes) -> None:
    file = place.write("odd.jsonl", [*place.export().read_bytes().splitlines(), line])
    code, told = place.verify(file)
    assert (code, len(told.splitlines())) == (1, 2)


def test_file_may_have_the_keys_of_former_years(place: Place) -> None:
    keys = place.directory / "keys.pem"
    other = parse_private_pem(make_private_pem()).public.to_pem()
    keys.write_bytes(other + (place.data / "audit.key.pub").read_bytes())
    assert place.verify(place.export(), key=keys)[0] == 0
    keys.write_bytes(other)
    code, told = place.verify(place.export(), key=keys)
    assert code == 2
    assert "checkpoint 1 is signed by a key that was not given" in told


def test_accepted_rollback_is_well_in_the_export_and_in_the_log(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.serve()
    shutil.copy(place.data / "kms.db", tmp_path / "older.db")
    place.serve()
    for file in place.data.glob("kms.db*"):
        file.unlink()
    shutil.copy(tmp_path / "older.db", place.data / "kms.db")
    old_anchor = Path(shutil.copy(place.data / ANCHOR_FILE, tmp_path / "anchor.json"))
    place.serve(accept_rollback=True)
    for anchor in (old_anchor, place.data / ANCHOR_FILE):
        assert place.verify("--anchor", anchor, place.export())[0] == 0
    code, told = place.verify("--anchor", old_anchor, "--log", place.log)
    assert (code, told.splitlines()[0]) == (0, "all is well")
