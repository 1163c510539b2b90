"""`--audit-log` of a server process: rotation, workers, stdout, a directory that goes, and commands beside it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kms_tornado.audit.verification import ChainVerifier

from ...server import NO_AUTH, ServerProcess, check_refused, eventually, run, serving

LOG = ("--audit-log", "log/audit.jsonl")


def read_lines(*files: Path) -> list[bytes]:
    return [line for file in files for line in file.read_bytes().splitlines()]


def records_of(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    parsed = [json.loads(line) for line in lines]
    return [one for one in parsed if "checkpoint" not in one]


def check_whole(lines: Iterable[bytes], directory: Path) -> None:
    """They are the records of the database, byte for byte, each chain in its order."""
    chains = ChainVerifier({})
    mine: dict[int, list[bytes]] = {}
    for line in lines:
        if not line.startswith(b'{"chains":'):
            chain = json.loads(line)["chain"]
            assert [*chains.feed(chain, [line])] == []
            mine.setdefault(chain, []).append(line)
    stored: dict[int, list[bytes]] = {}
    with sqlite3.connect(directory / "kms-data/kms.db") as connection:
        for chain, segment in connection.execute(
            "SELECT chain, lines FROM audit_segments ORDER BY chain, first"
        ):
            stored.setdefault(chain, []).extend(segment.split(b"\n"))
    assert mine == stored


def test_rotated_files_of_two_workers_have_every_record(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    file, first, second = (tmp_path / "log" / f"audit.jsonl{end}" for end in ("", ".1", ".2"))
    with serving(*NO_AUTH, *LOG, "--workers", "2", cwd=tmp_path) as server:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for _ in range(20):
            server.client.create("x")
        # By a new name alone: the server makes the file.
        file.rename(second)
        server.send(signal.SIGHUP)
        eventually(file.exists)
        for _ in range(20):
            server.client.create("x")
        # logrotate's `create`: the file is there before the signal, with a mode of its own.
        file.rename(first)
        file.touch(0o640)
        server.send(signal.SIGHUP)
        for _ in range(20):
            server.client.create("x")
        eventually(lambda: file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    lines = read_lines(second, first, file)
    check_whole(lines, tmp_path)
    assert len([one for one in records_of(lines) if one["operation"] == "Create"]) == 60


def test_lines_are_on_stdout_and_have_no_token(tmp_path: Path) -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2VjcmV0"
    with serving(*NO_AUTH, "--audit-log", "-", cwd=tmp_path) as server:
        server.client.create(token)
        server.client.get(f"/access/owned?access_token={token}", token=token)
        server.client.kmip(token, {"tag": token, "type": "Structure", "value": []})
    lines = [line.encode() for line in server.output["stdout"]]
    check_whole(lines, tmp_path)
    told = records_of(lines)
    assert {"Create", "AccessOwned", "ServerStop"} <= {one["operation"] for one in told}
    assert not [line for line in lines if re.search(rb"eyJ|c2VjcmV0", line)]
    assert [one for one in map(json.loads, lines) if "checkpoint" in one]  # of the start


def test_directory_that_goes_away_stops_nothing_and_ready_shows_it(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    fast = {"service.auditing.stream._RETRY_S": 0.05}
    with ServerProcess(*NO_AUTH, *LOG, cwd=tmp_path, constants=fast) as server:
        assert server.client.ready()["audit"]["state"] == "OK"
        shutil.rmtree(tmp_path / "log")
        key = server.client.create("x")
        eventually(lambda: server.client.ready()["audit"]["state"] == "DEGRADED")
        assert server.client.ready()["audit"]["cause"] == "log"
        assert server.client.get("/ready").status == 200
        assert server.client.get_key("x", key).status == 200
        (tmp_path / "log").mkdir()
        eventually(lambda: server.client.ready()["audit"]["state"] == "OK")
        assert server.stop() == 0
        told = [line for line in server.output["stderr"] if "the audit's log" in line]
    assert len(told) == 2, told
    # What was in the file that is gone is gone; what came later is whole.
    records = records_of(read_lines(tmp_path / "log" / "audit.jsonl"))
    assert [one["operation"] for one in records][:1] == ["Create"]
    assert {"Get", "ServerStop"} <= {one["operation"] for one in records}


def test_start_without_a_place_for_the_file_is_refused(tmp_path: Path) -> None:
    line = check_refused(run(*NO_AUTH, *LOG, "--port", "0", cwd=tmp_path), 2)
    assert (
        "--audit-log (flag): log/audit.jsonl: cannot be opened: no such file or directory" in line
    )


def test_records_of_commands_are_in_the_file_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with serving(*NO_AUTH, *LOG, cwd=tmp_path) as server:
        server.client.create("x")
        moved = run("transfer", "admin", "bob", *NO_AUTH, *LOG, cwd=tmp_path)
        assert (moved.returncode, moved.stderr) == (0, "")
    lines = read_lines(tmp_path / "log" / "audit.jsonl")
    check_whole(lines, tmp_path)
    assert "Transfer" in {one["operation"] for one in records_of(lines)}
    (tmp_path / "log/audit.jsonl").unlink()
    moved = run("transfer", "bob", "admin", *NO_AUTH, *LOG, cwd=tmp_path)
    assert (moved.returncode, moved.stderr) == (0, "")
    assert list((tmp_path / "log").iterdir()) == []  # it is the server's to make
