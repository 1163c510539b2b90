"""A database that cannot be written to is refused at the start, whatever keeps us from writing."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kms_tornado.errors import ConfigurationError, Unavailable
from kms_tornado.store.interface.changes import Insert

from ..helpers import an_object, opened, run, with_store

NOBODY = 65534


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that another user reaches, too, with a database of ours."""
    path = Path(tempfile.mkdtemp(prefix="kms-access-"))
    with_store(path / "kms.db", lambda store: store.commit([Insert(an_object("one"))]))
    yield path
    shutil.rmtree(path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write whatever the mode says."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        # Linux makes a process whose user changes undumpable, for tests that come later as well.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


def give(directory: Path, *, but: str = "") -> None:
    """The directory and what is in it to the user who runs the server, except one file."""
    for path in (directory, *directory.iterdir()):
        if path.name != but and os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)


def make_read_only(directory: Path) -> None:
    (directory / "kms.db").chmod(0o444)


def make_private_and_read_only(directory: Path) -> None:
    (directory / "kms.db").chmod(0o400)


def restore_as_root(directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    give(directory, but="kms.db")
    os.chown(directory / "kms.db", 0, 0)


def close_directory(directory: Path) -> None:
    directory.chmod(0o500)


def leave_log_of_root(directory: Path) -> None:
    (directory / "kms.db-wal").touch()
    (directory / "kms.db-wal").chmod(0o400)


def leave_index_that_is_read_only(directory: Path) -> None:
    (directory / "kms.db-shm").touch()
    (directory / "kms.db-shm").chmod(0o400)


Make = Callable[[Path], None]


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make_read_only, r"kms\.db: cannot be written to .*mode 0444", id="0444"),
        pytest.param(make_private_and_read_only, "mode 0400", id="0400"),
        pytest.param(restore_as_root, "belongs to uid 0 and has mode 0600", id="restored by root"),
        pytest.param(close_directory, "kms-access-.* cannot be written to", id="directory"),
        pytest.param(leave_log_of_root, "kms.db-wal cannot be written to", id="log"),
        pytest.param(leave_index_that_is_read_only, "kms.db-shm cannot be written to", id="index"),
    ],
)
def test_start_on_files_that_cannot_be_written_to_is_refused(
    directory: Path, make: Make, fault: str
) -> None:
    give(directory)
    make(directory)
    if make in (leave_log_of_root, leave_index_that_is_read_only):
        give(directory)
    for of_command in ({}, {"may_make": False, "may_upgrade": False}):
        with as_nobody(), pytest.raises(ConfigurationError, match=fault):
            with_store(directory / "kms.db", lambda store: store.ping(), **of_command)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_start_on_files_of_its_own_serves(directory: Path, mode: int) -> None:
    give(directory)
    (directory / "kms.db").chmod(mode)
    with as_nobody():
        with_store(directory / "kms.db", lambda store: store.commit([Insert(an_object("two"))]))


@pytest.fixture
def immutable(directory: Path) -> Iterator[Path]:
    path = directory / "kms.db"
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        pytest.skip("only root makes files immutable, by chattr")
    if subprocess.run(["chattr", "+i", path], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable files")
    yield path
    subprocess.run(["chattr", "-i", path], check=True)


def test_start_on_an_immutable_file_is_refused(immutable: Path) -> None:
    with pytest.raises(ConfigurationError, match="immutable"):
        with_store(immutable, lambda store: store.ping())


@contextmanager
def read_only_mount(directory: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    with ExitStack() as stack:
        for command in (["--bind", directory], ["-o", "remount,bind,ro"]):
            done = subprocess.run(["mount", *command, directory], capture_output=True)
            if done.returncode != 0:
                pytest.skip("nothing can be mounted here")
            if "--bind" in command:
                stack.callback(subprocess.run, ["umount", "-l", directory], check=True)
        yield


def test_start_on_a_read_only_file_system_is_refused(directory: Path) -> None:
    with (
        read_only_mount(directory),
        pytest.raises(ConfigurationError, match="read-only file system"),
    ):
        with_store(directory / "kms.db", lambda store: store.ping())


def test_successor_of_a_worker_waits_until_the_disk_can_be_written_to(directory: Path) -> None:
    with read_only_mount(directory), pytest.raises(Unavailable) as caught:
        with_store(directory / "kms.db", lambda store: store.ping(), may_make=False)
    assert "read-only file system" in caught.value.detail
    with_store(directory / "kms.db", lambda store: store.ping(), may_make=False)


def test_server_is_not_ready_while_its_disk_is_read_only(directory: Path) -> None:
    async def body() -> None:
        async with opened(directory / "kms.db") as store:
            await store.ping()
            with read_only_mount(directory), pytest.raises(Unavailable) as caught:
                await store.ping()
            assert "read-only file system" in caught.value.detail
            await store.ping()

    run(body())


def test_what_only_sqlite_finds_to_be_read_only_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system that says yes to access(2), and no to open(2)."""
    monkeypatch.setattr(
        "kms_tornado.store.sqlite.database_file.find_write_fault", lambda path: None
    )
    give(directory)
    (directory / "kms.db").chmod(0o400)
    with as_nobody(), pytest.raises(ConfigurationError, match="readonly database"):
        with_store(directory / "kms.db", lambda store: store.ping())


def test_check_of_writing_changes_nothing_in_the_file(directory: Path) -> None:
    before = (directory / "kms.db").read_bytes()
    with_store(directory / "kms.db", lambda store: store.ping())
    assert (directory / "kms.db").read_bytes() == before
