"""Which file is read, and which is refused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.configuration import file as configuration_file
from kms_tornado.client.configuration.configuration import Configuration
from kms_tornado.client.configuration.file import (
    NamedFile,
    find_configuration_file,
    load_configuration,
    read_configuration,
)
from kms_tornado.errors import ConfigurationError

PLACES = ("conf", "KMSCTL_CONF", "kmsctl.toml", "CKMS_CONF", "ckms.toml", "system")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(configuration_file, "CKMS_SYSTEM_FILE", tmp_path / "etc" / "ckms.toml")


def paths(home: Path) -> dict[str, Path]:
    return {
        "conf": home / "conf.toml",
        "KMSCTL_CONF": home / "variable.toml",
        "kmsctl.toml": home / ".kms_tornado" / "kmsctl.toml",
        "CKMS_CONF": home / "ckms-variable.toml",
        "ckms.toml": home / ".cosmian" / "ckms.toml",
        "system": home / "etc" / "ckms.toml",
    }


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def name_server(path: Path, server_url: str, mode: int = 0o600) -> Path:
    return write(path, f'[http_config]\nserver_url = "{server_url}"\n', mode)


@pytest.mark.parametrize("strongest", range(len(PLACES)), ids=PLACES)
def test_files_are_looked_for_from_the_strongest_place_down(strongest: int, tmp_path: Path) -> None:
    places = paths(tmp_path)
    present = PLACES[strongest:]
    for place in present:
        name_server(places[place], f"http://{place.lower().replace('_', '-')}")
    environ = {name: str(places[name]) for name in ("KMSCTL_CONF", "CKMS_CONF") if name in present}
    given = places["conf"] if "conf" in present else None
    configuration = load_configuration(environ, conf_file=given)
    assert configuration.server_url == f"http://{present[0].lower().replace('_', '-')}"


def test_nothing_is_configured_where_there_is_no_file() -> None:
    assert load_configuration({}) == Configuration()
    assert load_configuration({"KMSCTL_CONF": "", "CKMS_CONF": ""}) == Configuration()


@pytest.mark.parametrize("place", ["--conf", "KMSCTL_CONF", "CKMS_CONF"])
def test_named_file_that_is_absent_is_an_error(place: str, tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    environ = {} if place == "--conf" else {place: str(path)}
    given = path if place == "--conf" else None
    with pytest.raises(ConfigurationError) as refusal:
        load_configuration(environ, conf_file=given)
    assert str(refusal.value) == f"{place} names a file that does not exist: {path}"


def test_variable_of_ckms_is_not_looked_at_where_kmsctl_has_a_file(tmp_path: Path) -> None:
    name_server(paths(tmp_path)["kmsctl.toml"], "http://own")
    assert load_configuration({"CKMS_CONF": "/absent"}).server_url == "http://own"


def test_environment_and_flag_stand_above_the_file(tmp_path: Path) -> None:
    name_server(paths(tmp_path)["kmsctl.toml"], "http://file")
    environ = {"KMS_URL": "http://variable", "KMS_TOKEN": "t"}
    assert load_configuration(environ).server_url == "http://variable"
    assert load_configuration(environ).access_token == "t"
    assert load_configuration(environ, server_url="http://flag").server_url == "http://flag"


def test_machine_s_file_counts_only_for_those_who_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server(paths(tmp_path)["system"], "http://system")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert find_configuration_file({}) is None


def test_warnings_are_given_once_for_all_keys(tmp_path: Path) -> None:
    path = write(paths(tmp_path)["ckms.toml"], "a = 1\nb = 2\n[http_config]\nc = 3\n")
    with pytest.warns(UserWarning, match="does not know: a, b, http_config.c$") as given:
        load_configuration({})
    assert len(given) == 1
    assert str(path) in str(given[0].message)


# --- who may read it ----------------------------------------------------------------------------

SECRET = '[http_config]\nserver_url = "http://kms"\naccess_token = "secret"\n'
OPEN = '[http_config]\nserver_url = "http://kms"\n'


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        pytest.param(SECRET, 0o600, None, id="secret, mine alone"),
        pytest.param(SECRET, 0o400, None, id="secret, mine, read only"),
        pytest.param(SECRET, 0o660, "run chmod 600 ", id="secret, the group writes it"),
        pytest.param(SECRET, 0o620, "run chmod 600 ", id="secret, the group writes it unread"),
        pytest.param(OPEN, 0o644, None, id="no secret, everybody reads it"),
        pytest.param(OPEN, 0o664, None, id="no secret, the group writes it"),
        pytest.param(OPEN, 0o646, "run chmod o-w ", id="no secret, everybody writes it"),
    ],
)
def test_file_with_a_secret_that_others_may_change_is_refused(
    text: str, mode: int, words: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path / "a file.toml", text, mode)
    if words is None:
        assert read_configuration(NamedFile(path)).server_url == "http://kms"
        return
    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_configuration(NamedFile(path))
    message = str(refusal.value)
    assert message.endswith(f"'{path}'")
    assert '"secret"' not in message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644], ids=oct)
def test_file_with_a_secret_that_others_may_read_is_read_with_a_warning(
    mode: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a file.toml", SECRET, mode)
    configuration = read_configuration(NamedFile(path))
    assert configuration.access_token == "secret"
    assert configuration.warnings == (
        f"{path} holds secrets that others may read: run chmod 600 '{path}'",
    )
    assert read_configuration(NamedFile(write(path, OPEN, mode))).warnings == ()


@pytest.mark.parametrize("mode", [0o644, 0o660], ids=["read", "written"])
def test_command_that_is_told_mends_the_file(mode: int, tmp_path: Path) -> None:
    path = write(tmp_path / "it's.toml", SECRET, mode)
    try:
        [told] = read_configuration(NamedFile(path)).warnings
    except ConfigurationError as refusal:
        told = str(refusal)
    assert os.system(told.partition(": run ")[2]) == 0
    configuration = read_configuration(NamedFile(path))
    assert (configuration.access_token, configuration.warnings) == ("secret", ())


def test_mode_that_counts_is_that_of_the_file_behind_a_link(tmp_path: Path) -> None:
    write(tmp_path / "target", SECRET, 0o664)
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_configuration(NamedFile(tmp_path / "link"))


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"[http_config]\n\xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8 at byte 14: is it a TOML file"):
        read_configuration(NamedFile(path))


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf" + OPEN.encode())
    assert read_configuration(NamedFile(path)).server_url == "http://kms"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_one_line(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        line = ""
        try:
            read_configuration(NamedFile(Path(file.name)))
        except ConfigurationError as exc:
            line = str(exc)
    assert line == "" or line.isprintable()
