"""`kms-tornado rewrap` beside servers that serve under the old and the new key."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .. import postgres
from ..server import NO_AUTH, ServerProcess, eventually, run, serving
from ..service.test_key_ring import NEW, OLD, Place, key_id, write_keys
from .load import ADMIN, Load


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "sqlite":
        return ()
    try:
        return ("--database-url", postgres.cluster().new_database())
    except postgres.NoPostgres as exc:
        pytest.skip(str(exc))


def reload(server: ServerProcess) -> None:
    server.send(signal.SIGHUP)
    eventually(lambda: f"master keys: {key_id(NEW).hex()} seals" in server.log)


def test_no_request_fails_while_everything_comes_under_the_new_key(
    tmp_path: Path, database: tuple[str, ...]
) -> None:
    old_first, new_first = tmp_path / "old", tmp_path / "new"
    write_keys(old_first, OLD)
    with serving(*NO_AUTH, *database, "--master-key-file", str(old_first), cwd=tmp_path) as server:
        uids = [server.client.create(ADMIN) for _ in range(60)]
        before = [server.client.get_key(ADMIN, uid).body for uid in uids]
    write_keys(old_first, OLD, NEW)
    write_keys(new_first, NEW, OLD)
    command = ("rewrap", *database, "--master-key-file", str(new_first))
    with (
        serving(*NO_AUTH, *database, "--master-key-file", str(old_first), cwd=tmp_path) as one,
        serving(*NO_AUTH, *database, "--master-key-file", str(new_first), cwd=tmp_path) as two,
    ):
        load = Load([one, two])
        with load.running():
            first = run(*command, cwd=tmp_path)
            write_keys(old_first, NEW, OLD)
            reload(one)
            second = run(*command, cwd=tmp_path)
        assert load.failed == []
        assert first.stderr == second.stderr == ""
        assert int(first.stdout.split()[0]) >= 60
        assert second.returncode == 0, second.stdout
        assert "no object needs another master key" in second.stdout
    write_keys(new_first, NEW)
    with serving(*NO_AUTH, *database, "--master-key-file", str(new_first), cwd=tmp_path) as server:
        assert [server.client.get_key(ADMIN, uid).body for uid in uids] == before
        assert {server.client.get_key(ADMIN, uid).status for uid in load.uids} == {200}


def test_what_is_left_is_told_and_the_exit_code_is_1(tmp_path: Path) -> None:
    place = Place(tmp_path)
    uid = place.create(OLD)
    place.create(NEW, OLD)
    write_keys(place.file, NEW)
    finished = run(
        "rewrap", "--data-dir", "data", "--master-key-file", str(place.file), cwd=tmp_path
    )
    assert (finished.returncode, finished.stderr) == (1, "")
    assert finished.stdout.splitlines() == [
        f"0 objects were sealed anew under the master key {key_id(NEW).hex()}",
        f"{uid} was left as it is: sealed under the master key {key_id(OLD).hex()}, which is not in "
        f"KeyRing({key_id(NEW).hex()})",
        f"1 objects are sealed under the master key {key_id(OLD).hex()}",
    ]
