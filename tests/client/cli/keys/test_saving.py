"""Files of the verbs: whole or not at all, for their owner alone, never in the place of another unasked."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import click
import pytest

from kms_tornado.client.cli.keys import saving
from kms_tornado.client.cli.keys.saving import read_input, write_output
from kms_tornado.client.cli.output import Refused


@pytest.fixture
def umask():
    """The usual one, whatever the machine has."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize(("secret", "mode"), [("", 0o644), ("the key", 0o600)])
@pytest.mark.parametrize("replaces", [False, True])
def test_secret_file_is_for_its_owner_and_others_are_as_the_umask_says(
    tmp_path: Path, umask, secret: str, mode: int, replaces: bool
) -> None:
    path = tmp_path / "out"
    if replaces:
        path.write_bytes(b"older")
        path.chmod(0o666)
    write_output(str(path), b"octets", secret=secret, replaces=replaces)
    assert path.read_bytes() == b"octets"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.listdir(tmp_path) == ["out"]


def test_file_that_comes_while_the_other_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    write_new = saving._write_new

    def write_and_be_overtaken(temporary: Path, octets: bytes, mode: int) -> None:
        write_new(temporary, octets, mode)
        path.write_bytes(b"theirs")

    monkeypatch.setattr(saving, "_write_new", write_and_be_overtaken)
    with pytest.raises(click.ClickException, match="exists: name another file"):
        write_output(str(path), b"octets")
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["out"]


def test_file_system_without_links_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_output(str(tmp_path / "out"), b"octets", secret="the key")
    assert (tmp_path / "out").read_bytes() == b"octets"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_nothing_is_left_where_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "out"
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_output(str(path), b"octets")
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == []


def test_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"older")
    link.symlink_to(real)
    with pytest.raises(click.ClickException):
        write_output(str(link), b"octets")
    write_output(str(link), b"octets", replaces=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"octets"


def test_device_is_written_to_as_it_is() -> None:
    write_output("/dev/null", b"octets", secret="the key")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("path", ["nowhere/out", "."])
def test_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError) as caught:
        write_output(path, b"octets")
    assert caught.value.filename is not None
    assert os.listdir(tmp_path) == []


def test_file_that_is_too_long_for_a_key_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film"
    with path.open("wb") as file:
        file.truncate(saving.MOST_BYTES + 1)
    with pytest.raises(Refused, match="larger than 1 MiB"):
        read_input(str(path))
    assert len(read_input(str(path), most_bytes=None)) == saving.MOST_BYTES + 1
