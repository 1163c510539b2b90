"""Tokens in the keyring of the system: which backends count, and that none makes the command hang."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kms_tornado.client.login.token_keyring import KeyringTokenStore
from kms_tornado.client.login.tokens import KeyringUnavailable, Tokens

TOKENS = Tokens(access_token="secret-1", refresh_token="secret-2", expires_at=1.0, scopes=("a",))

PLAINTEXT = "keyrings.alt.file.PlaintextKeyring"


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No D-Bus, no configuration, a home of its own."""
    for name in ("PYTHON_KEYRING_BACKEND", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def _working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", PLAINTEXT)


@pytest.mark.usefixtures("_working")
def test_saved_tokens_are_loaded_again() -> None:
    store = KeyringTokenStore("https://kms https://issuer client")
    assert store.load() is None
    store.save(TOKENS)
    assert KeyringTokenStore("https://kms https://issuer client").load() == TOKENS


@pytest.mark.usefixtures("_working")
def test_forgotten_tokens_are_gone() -> None:
    store = KeyringTokenStore("a")
    store.save(TOKENS)
    store.forget()
    store.forget()
    assert store.load() is None


@pytest.mark.usefixtures("_working")
def test_secret_of_another_program_counts_as_none() -> None:
    import keyring

    KeyringTokenStore("a").load()
    keyring.set_password("kms_tornado", "a", "not JSON")
    assert KeyringTokenStore("a").load() is None


def test_backend_may_be_named_in_the_configuration_of_keyring(tmp_path: Path) -> None:
    (tmp_path / "python_keyring").mkdir()
    (tmp_path / "python_keyring" / "keyringrc.cfg").write_text(
        f"[backend]\ndefault-keyring={PLAINTEXT}\n"
    )
    KeyringTokenStore("a").save(TOKENS)
    assert KeyringTokenStore("a").load() == TOKENS


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(None, id="no session"),
        pytest.param("keyring.backends.fail.Keyring", id="fail"),
        pytest.param("keyring.backends.null.Keyring", id="null"),
        pytest.param("keyring.backends.SecretService.Keyring", id="no D-Bus"),
        pytest.param("no.such.Keyring", id="absent"),
        pytest.param("nonsense", id="no class"),
    ],
)
def test_keyring_that_keeps_nothing_is_none(
    backend: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if backend is not None:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    store = KeyringTokenStore("a")
    for call in (store.load, lambda: store.save(TOKENS), store.forget):
        with pytest.raises(KeyringUnavailable):
            call()
    assert list(tmp_path.iterdir()) == []


def test_plaintext_file_is_no_keyring_unless_the_user_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'absent'}")
    with pytest.raises(KeyringUnavailable):
        KeyringTokenStore("a").save(TOKENS)
    assert list(tmp_path.iterdir()) == []


def test_keyring_without_the_package_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", PLAINTEXT)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyringUnavailable):
        KeyringTokenStore("a").load()


def test_nothing_of_keyring_is_loaded_where_there_is_no_session() -> None:
    code = (
        "import sys\n"
        "from kms_tornado.client.login.token_keyring import KeyringTokenStore\n"
        "try: KeyringTokenStore('a').load()\n"
        "except Exception: print('keyring' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"


def test_bus_that_does_not_answer_is_given_up_on_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(path))
        bus.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={path}")
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring")
        store = KeyringTokenStore("a", timeout_s=0.5)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(KeyringUnavailable):
                store.load()
        assert time.monotonic() - began < 2.5  # not five times 0.5 s, if slowly


# --- the real thing -----------------------------------------------------------------------------

GNOME = """
set -eu
eval "$(printf '%s' "$PASSWORD" | gnome-keyring-daemon --unlock --components=secrets)"
exec "$PYTHON" -c "$CODE"
"""
SAVE_AND_LOAD = """
from kms_tornado.client.login.token_store import open_token_store
from kms_tornado.client.login.tokens import Tokens
store = open_token_store("a")
store.save(Tokens(access_token="secret-1"))
print(store.place)
again = open_token_store("a")
print(again.load() == Tokens(access_token="secret-1"), again.place)
again.forget()
print(open_token_store("a").load())
"""
LOCKED = """
import secretstorage
from kms_tornado.client.login import token_keyring
from kms_tornado.client.login.token_store import open_token_store
from kms_tornado.client.login.tokens import Tokens
secretstorage.get_default_collection(secretstorage.dbus_init()).lock()
token_keyring.TIMEOUT_S = 2
store = open_token_store("a")
store.save(Tokens(access_token="secret-1"))
print(store.place)
print(open_token_store("a").load() == Tokens(access_token="secret-1"))
"""


@pytest.fixture
def gnome_keyring(tmp_path: Path) -> object:
    """Runs Python code in a session of its own with an unlocked GNOME keyring; its output."""
    if not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")):
        pytest.skip("the GNOME keyring is not installed")

    def run(code: str) -> str:
        runtime = tmp_path / "runtime"
        runtime.mkdir(mode=0o700)
        answer = subprocess.run(
            ["dbus-run-session", "--", "sh", "-c", GNOME],
            env={
                **os.environ,
                "PASSWORD": "of the login",
                "PYTHON": sys.executable,
                "CODE": code,
                "XDG_RUNTIME_DIR": str(runtime),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run


def test_gnome_keyring_keeps_the_tokens_and_no_file_does(
    gnome_keyring: object, tmp_path: Path
) -> None:
    assert callable(gnome_keyring)
    lines = gnome_keyring(SAVE_AND_LOAD).splitlines()
    assert lines == ["the system keyring", "True the system keyring", "None"]
    assert not (tmp_path / ".kms_tornado" / "tokens.json").exists()
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored
    assert all(b"secret-1" not in path.read_bytes() for path in stored)


def test_locked_gnome_keyring_does_not_hang_and_the_file_has_the_tokens(
    gnome_keyring: object, tmp_path: Path
) -> None:
    assert callable(gnome_keyring)
    place, is_loaded = gnome_keyring(LOCKED).splitlines()
    assert place == str(tmp_path / ".kms_tornado" / "tokens.json")
    assert is_loaded == "True"
