"""Which place keeps the tokens: the keyring where it works, else the file, never both."""

from __future__ import annotations

from pathlib import Path

import pytest

from kms_tornado.client.login.token_file import FileTokenStore
from kms_tornado.client.login.token_store import open_token_store
from kms_tornado.client.login.tokens import Tokens

TOKENS = Tokens(access_token="secret-1", refresh_token="secret-2")
NEWER = Tokens(access_token="secret-3", refresh_token="secret-4")

WORKING = "keyrings.alt.file.PlaintextKeyring"
BROKEN = "keyring.backends.fail.Keyring"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", WORKING)


def file_of(home: Path) -> Path:
    return home / ".kms_tornado" / "tokens.json"


def test_keyring_that_works_has_the_tokens_and_the_file_has_not(tmp_path: Path) -> None:
    store = open_token_store("a")
    store.save(TOKENS)
    assert store.place == "the system keyring"
    assert not file_of(tmp_path).exists()
    again = open_token_store("a")
    assert again.load() == TOKENS
    assert again.place == "the system keyring"


def test_file_has_the_tokens_where_no_keyring_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", BROKEN)
    store = open_token_store("a")
    store.save(TOKENS)
    assert store.place == str(file_of(tmp_path))
    assert open_token_store("a").load() == TOKENS


def test_nobody_is_logged_in_where_neither_has_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_token_store("a").load() is None
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", BROKEN)
    assert open_token_store("a").load() is None


def test_tokens_move_from_the_file_to_a_keyring_that_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", BROKEN)
    open_token_store("a").save(TOKENS)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", WORKING)
    store = open_token_store("a")
    assert store.load() == TOKENS
    store.save(NEWER)
    assert not file_of(tmp_path).exists()
    assert open_token_store("a").load() == NEWER


def test_newer_tokens_of_the_file_hide_those_of_a_keyring_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_token_store("a").save(TOKENS)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", BROKEN)
    open_token_store("a").save(NEWER)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", WORKING)
    assert open_token_store("a").load() == NEWER


def test_forgotten_tokens_are_nowhere(tmp_path: Path) -> None:
    open_token_store("a").save(TOKENS)
    FileTokenStore("a", tmp_path / ".kms_tornado").save(TOKENS)
    open_token_store("a").forget()
    assert open_token_store("a").load() is None
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_store_of_another_directory_leaves_the_home_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", BROKEN)
    open_token_store("a", directory=tmp_path / "else").save(TOKENS)
    assert not file_of(tmp_path).exists()


def test_who_saves_under_the_lock_does_not_wait_for_itself() -> None:
    store = open_token_store("a")
    with store.locked():
        store.save(TOKENS)
        store.forget()
