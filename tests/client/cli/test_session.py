"""What a command takes from the configuration, the environment and its options."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Place
from .runner import Kmsctl


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


def configure(home: Path, text: str, name: str = ".kms_tornado/kmsctl.toml") -> Path:
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def server_at(url: str, more: str = "") -> str:
    return f'[http_config]\nserver_url = "{url}"\n{more}'


def test_command_without_a_configuration_says_two_ways_out(kmsctl: Kmsctl) -> None:
    outcome = kmsctl("server-version")
    assert outcome.code == 2
    assert outcome.output == b""
    assert outcome.stderr == (
        "kmsctl: no server is configured: run kmsctl configure, or paste the export lines that "
        "kms-tornado --dev prints\n"
    )


@pytest.mark.parametrize("name", [".kms_tornado/kmsctl.toml", ".cosmian/ckms.toml"])
def test_server_of_the_file_is_asked(
    name: str, kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    configure(tmp_path, server_at(place.url), name)
    assert kmsctl("server-version").code == 0


@pytest.mark.parametrize("variable", ["KMSCTL_CONF", "CKMS_CONF"])
def test_server_of_the_file_in_a_variable_is_asked(
    variable: str, kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    path = configure(tmp_path, server_at(place.url), "else.toml")
    assert kmsctl("server-version", **{variable: str(path)}).code == 0


def test_options_may_name_file_and_server(kmsctl: Kmsctl, place: Place, tmp_path: Path) -> None:
    path = configure(tmp_path, server_at("http://127.0.0.1:9"), "else.toml")
    assert kmsctl("--conf", path, "server-version").code == 3
    assert kmsctl("--conf", path, "server-version", "--url", place.url).code == 0
    assert kmsctl("--conf", path, "server-version", KMSCTL_SERVER_URL=place.url).code == 0


def test_token_of_the_environment_stands_above_the_one_of_the_file(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    token = place.token("alice@example.com")
    configure(tmp_path, server_at(place.url, f'access_token = "{token}"'))
    assert kmsctl("whoami").code == 0
    assert kmsctl("whoami", KMS_TOKEN="no.such.token").code == 1
    assert kmsctl("whoami", KMS_TOKEN="no.such.token", KMSCTL_ACCESS_TOKEN=token).code == 0


def test_unknown_keys_are_warned_about_in_one_line(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    path = configure(tmp_path, "a = 1\n" + server_at(place.url, "b = 2"))
    outcome = kmsctl("server-version")
    assert outcome.code == 0
    assert outcome.stderr == (
        f"kmsctl: warning: {path}: keys that kmsctl does not know: a, http_config.b\n"
    )


def test_secret_that_others_may_read_is_warned_about_in_one_line(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    path = configure(tmp_path, server_at(place.url, 'access_token = "s3cr3t"'))
    path.chmod(0o644)
    outcome = kmsctl("server-version")
    assert outcome.code == 0
    assert outcome.stderr == (
        f"kmsctl: warning: {path} holds secrets that others may read: run chmod 600 {path}\n"
    )


def test_secret_that_others_may_change_is_refused_with_exit_code_2(
    kmsctl: Kmsctl, tmp_path: Path
) -> None:
    path = configure(tmp_path, server_at("http://kms", 'access_token = "s3cr3t"'))
    path.chmod(0o620)
    outcome = kmsctl("server-version")
    assert outcome.code == 2
    assert outcome.stderr == (
        f"kmsctl: {path} holds secrets, and others may change it: run chmod 600 {path}\n"
    )


def test_print_json_of_the_file_shows_the_exchange(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    token = place.token("alice@example.com")
    configure(tmp_path, "print_json = true\n" + server_at(place.url, f'access_token = "{token}"'))
    outcome = kmsctl("whoami")
    assert outcome.code == 0
    assert outcome.stderr
    assert token not in outcome.stderr


# --- files that are none ------------------------------------------------------------------------


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_large_file(path: Path) -> None:
    path.write_bytes(b"# a comment\n" * 1_000_000)


def make_binary_file(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def make_deep_file(path: Path) -> None:
    path.write_text("a = " + "[" * 100_000)


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    "make",
    [
        make_directory,
        make_fifo,
        make_large_file,
        make_binary_file,
        make_deep_file,
        make_link_to_itself,
    ],
)
def test_what_is_no_configuration_is_one_line_and_exit_code_2(
    make: Callable[[Path], None], kmsctl: Kmsctl, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    make(path)
    outcome = kmsctl("server-version", "--conf", path)
    assert outcome.code == 2
    assert outcome.output == b""
    assert outcome.stderr.startswith(f"kmsctl: {path} ")
    assert outcome.stderr.count("\n") == 1
