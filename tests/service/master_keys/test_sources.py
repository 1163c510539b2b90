"""Where the master key comes from, and everything that is no place for one."""

from __future__ import annotations

import base64
import logging
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import MasterKey
from kms_tornado.errors import ConfigurationError
from kms_tornado.service.master_keys.sources import (
    load_master_keys,
    make_key_file,
    parse_master_keys,
    read_key_file,
)
from kms_tornado.service.private_file import find_access_fault

from ...rows import each_row

KEY = bytes(range(100, 132))
TEXT = base64.b64encode(KEY).decode()
CHECK = MasterKey(KeyMaterial(KEY)).check_value


def parse_one(text: str) -> MasterKey:
    [key] = parse_master_keys(text)
    return key


def read_one(path: Path) -> MasterKey:
    [line] = read_key_file(path)
    assert not line.is_next
    return line.key


def load_one(**places: object) -> MasterKey:
    [key] = load_master_keys(**places)
    return key


def key_file(path: Path, content: bytes = TEXT.encode() + b"\n", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


# --- the value ----------------------------------------------------------------------------------


def test_the_value_is_base64_of_32_bytes():
    assert parse_one(TEXT).check_value == CHECK


@each_row(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("!" + TEXT[1:], id="no base64"),
        pytest.param(TEXT[:-1], id="without padding"),
        pytest.param(TEXT + "\n", id="a line end"),
        pytest.param(" " + TEXT, id="a blank"),
        pytest.param(TEXT[:20] + "\n" + TEXT[20:], id="two lines"),
        pytest.param(KEY.hex(), id="hexadecimal"),
        pytest.param(base64.b64encode(KEY[:31]).decode(), id="31 bytes"),
        pytest.param(base64.b64encode(KEY + b"x").decode(), id="33 bytes"),
        pytest.param(base64.b64encode(KEY[:16]).decode(), id="16 bytes"),
        pytest.param(TEXT[:-2] + "N=", id="bits set that count for nothing"),
        pytest.param(base64.urlsafe_b64encode(b"\xff" * 32).decode(), id="the alphabet of URLs"),
        pytest.param("é" * 44, id="no ASCII"),
    ],
)
def test_other_values_are_refused_without_being_shown(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_one(text)
    message = str(caught.value)
    assert message.startswith("master_key: ")
    assert "\n" not in message
    assert not text.strip() or text.strip() not in message
    assert caught.value.__cause__ is None


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode() + b"\n", id="one line"),
        pytest.param(TEXT.encode(), id="no line end"),
        pytest.param(TEXT.encode() + b"\r\n", id="a line end of Windows"),
    ],
)
def test_a_key_file_is_read(tmp_path, content):
    assert read_one(key_file(tmp_path / "key", content)).check_value == CHECK


def test_a_key_file_may_be_a_link_to_one(tmp_path):
    (tmp_path / "link").symlink_to(key_file(tmp_path / "key"))
    assert read_one(tmp_path / "link").check_value == CHECK


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n", "0 bytes", id="an empty line"),
        pytest.param(KEY, "is not base64", id="raw bytes"),
        pytest.param(b"\xff" * 32, "is not base64", id="no text"),
        pytest.param(TEXT.encode() + b"\n\n", "line 2 has 0 bytes", id="two line ends"),
        pytest.param(TEXT.encode() + b"\nQQ==\n", "line 2 has 1 bytes", id="no key behind one"),
        pytest.param(base64.b64encode(KEY[:24]), "24 bytes", id="24 bytes"),
        pytest.param(b"A" * 5000, "is too long", id="far too long"),
    ],
)
def test_a_file_with_other_content_is_refused_by_name(tmp_path, content, fault):
    path = key_file(tmp_path / "key", content)
    with pytest.raises(ConfigurationError, match=fault) as caught:
        read_one(path)
    assert str(caught.value).startswith(f"master_key_file: master key file {path}: ")
    assert "\n" not in str(caught.value)
    if content.strip():
        assert content.decode("latin-1").strip() not in str(caught.value)


def test_a_file_may_have_a_key_in_each_line(tmp_path):
    other = base64.b64encode(bytes(32))
    for end in (b"\n", b"\r\n"):
        path = key_file(tmp_path / "key", end.join((TEXT.encode(), other, b"")))
        first, second = read_key_file(path)
        assert first.key.check_value == CHECK
        assert second.key.check_value == parse_one(other.decode()).check_value


def test_a_key_that_is_marked_as_the_next_opens_and_does_not_seal(tmp_path):
    other = parse_one(base64.b64encode(bytes(32)).decode())
    line = b"next:" + base64.b64encode(bytes(32)) + b"\n"
    path = key_file(tmp_path / "key", line + TEXT.encode() + b"\n")
    keys = load_master_keys(value=None, files=[path], default_file=tmp_path, may_make=False)
    assert [key.check_value for key in keys] == [CHECK, other.check_value]
    key_file(path, line)
    with pytest.raises(ConfigurationError, match="has no key that seals"):
        load_master_keys(value=None, files=[path], default_file=tmp_path, may_make=False)


def test_the_value_may_have_several_keys_with_commas(tmp_path):
    other = base64.b64encode(bytes(32)).decode()
    first, second = parse_master_keys(f"{TEXT},{other}")
    assert (first.check_value, second.check_value) == (CHECK, parse_one(other).check_value)
    with pytest.raises(ConfigurationError, match="key 2 has 0 bytes"):
        parse_master_keys(f"{TEXT},")


def test_a_key_that_stands_in_several_places_counts_once_in_the_first(tmp_path):
    other = base64.b64encode(bytes(32))
    one = key_file(tmp_path / "one", TEXT.encode() + b"\n" + other + b"\n")
    two = key_file(tmp_path / "two", other + b"\n" + TEXT.encode() + b"\n")
    for files, first in (((one, two), CHECK), ((two, one), parse_one(other.decode()).check_value)):
        keys = load_master_keys(value=None, files=files, default_file=tmp_path, may_make=False)
        assert len(keys) == 2
        assert keys[0].check_value == first


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        read_one(tmp_path / "key")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is a directory"):
        read_one(tmp_path)


def test_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigurationError, match="symbolic links"):
        read_one(tmp_path / "a")


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        read_one(tmp_path / "pipe")


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666, 0o777])
def test_a_file_that_is_open_to_others_is_refused(tmp_path, mode):
    path = key_file(tmp_path / "key", mode=mode)
    with pytest.raises(ConfigurationError, match=f"open to others.*{mode:04o}"):
        read_one(path)
    path.chmod(0o400)
    assert read_one(path).check_value == CHECK


@each_row(
    ("owner", "us", "mode", "fault"),
    [
        pytest.param(1000, 1000, 0o600, None, id="ours"),
        pytest.param(1000, 1000, 0o640, "open to others", id="ours, group reads"),
        pytest.param(0, 1000, 0o640, None, id="root's, group reads"),
        pytest.param(0, 1000, 0o440, None, id="root's, group reads, nobody writes"),
        pytest.param(0, 1000, 0o660, "open to others", id="root's, group writes"),
        pytest.param(0, 1000, 0o644, "open to others", id="root's, all read"),
        pytest.param(0, 0, 0o640, "open to others", id="we are root, group reads"),
        pytest.param(1001, 1000, 0o600, "another user", id="another user's"),
        pytest.param(1000, 0, 0o600, "another user", id="another user's, we are root"),
    ],
)
def test_owner_and_mode_follow_the_rule_of_postgresql(owner, us, mode, fault):
    status = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 0, 45, 0, 0, 0))
    found = find_access_fault(status, our_uid=us)
    assert found is None if fault is None else fault in (found or "")


# --- the first start ----------------------------------------------------------------------------


def test_the_first_start_makes_a_private_file_and_says_to_back_it_up(tmp_path, caplog):
    path = tmp_path / "master.key"
    with caplog.at_level(logging.WARNING):
        made = load_one(value=None, files=(), default_file=path, may_make=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]
    assert read_one(path).check_value == made.check_value
    [line] = caplog.messages
    assert "back it up" in line
    assert str(path) in line
    assert path.read_text().strip() not in caplog.text


@pytest.mark.parametrize(("named", "lines"), [(False, 0), (True, 1)])
def test_key_that_is_thrown_away_is_not_to_be_backed_up(tmp_path, caplog, named, lines):
    path = tmp_path / "master.key"
    file = [tmp_path / "mine.key"] if named else []  # one that --master-key-file names stays
    with caplog.at_level(logging.WARNING):
        load_one(value=None, files=file, default_file=path, may_make=True, is_throw_away=True)
    assert len(caplog.messages) == lines


def test_the_mode_does_not_depend_on_the_umask(tmp_path):
    before = os.umask(0o777)
    try:
        make_key_file(tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_the_second_start_reads_the_file_of_the_first(tmp_path):
    path = tmp_path / "master.key"
    one = load_one(value=None, files=(), default_file=path, may_make=True)
    two = load_one(value=None, files=(), default_file=path, may_make=True)
    assert two.check_value == one.check_value


def test_a_key_is_never_made_when_the_database_is_not_new(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        load_one(value=None, files=(), default_file=tmp_path / "master.key", may_make=False)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_never_overwritten(tmp_path):
    path = key_file(tmp_path / "key")
    make_key_file(path)
    assert read_one(path).check_value == CHECK
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_an_empty_file_is_not_taken_for_a_missing_one(tmp_path):
    path = key_file(tmp_path / "key", b"")
    with pytest.raises(ConfigurationError, match="is empty"):
        load_one(value=None, files=(), default_file=path, may_make=True)


def test_a_link_to_nowhere_is_not_taken_for_a_missing_file(tmp_path):
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="no such file"):
        load_one(value=None, files=(), default_file=tmp_path / "key", may_make=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_directory_is_a_mistake_of_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be made"):
        make_key_file(tmp_path / "absent" / "key")


def test_a_start_that_dies_while_writing_leaves_no_key_file(tmp_path, monkeypatch):
    def die(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(ConfigurationError, match="no space left"):
        make_key_file(tmp_path / "key")
    assert not list(tmp_path.iterdir())


def _start(path: Path, barrier, results) -> None:
    barrier.wait()
    key = load_one(value=None, files=(), default_file=path, may_make=True)
    results.put(key.check_value)


def test_first_starts_at_once_end_with_one_key(tmp_path):
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        barrier, results = context.Barrier(4), context.SimpleQueue()
        path = tmp_path / f"key-{attempt}"
        starts = [context.Process(target=_start, args=(path, barrier, results)) for _ in range(4)]
        for process in starts:
            process.start()
        values = {results.get() for _ in starts}
        for process in starts:
            process.join()
        assert len(values) == 1
        assert read_one(path).check_value == values.pop()
    assert len(list(tmp_path.iterdir())) == 5


# --- which place --------------------------------------------------------------------------------


def test_the_environment_comes_before_the_default_file(tmp_path):
    key = load_one(value=TEXT, files=(), default_file=tmp_path / "master.key", may_make=True)
    assert key.check_value == CHECK
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_named_comes_before_the_default_file(tmp_path):
    make_key_file(tmp_path / "master.key")
    named = key_file(tmp_path / "named")
    key = load_one(value=None, files=[named], default_file=tmp_path / "master.key", may_make=False)
    assert key.check_value == CHECK


def test_an_empty_environment_variable_counts_as_not_set(tmp_path):
    named = key_file(tmp_path / "named")
    key = load_one(value="", files=[named], default_file=tmp_path / "x", may_make=False)
    assert key.check_value == CHECK
