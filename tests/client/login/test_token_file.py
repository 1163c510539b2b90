"""Tokens in the user's file, and the lock beside it."""

from __future__ import annotations

import json
import multiprocessing
import stat
import threading
import time
from pathlib import Path

import pytest

from kms_tornado.client.login.token_file import FileLock, FileTokenStore
from kms_tornado.client.login.tokens import Tokens, token_account
from kms_tornado.errors import ConfigurationError

TOKENS = Tokens(
    access_token="secret-1",
    refresh_token="secret-2",
    id_token="secret-3",
    expires_at=1_800_000_000.5,
    scopes=("openid", "email"),
)


def test_saved_tokens_are_loaded_again(tmp_path: Path) -> None:
    FileTokenStore("a", tmp_path).save(TOKENS)
    assert FileTokenStore("a", tmp_path).load() == TOKENS


def test_tokens_show_no_secret() -> None:
    assert "secret" not in repr(TOKENS)
    assert "secret" not in str(TOKENS)


def test_nobody_is_logged_in_at_first(tmp_path: Path) -> None:
    assert FileTokenStore("a", tmp_path).load() is None


def test_accounts_do_not_see_one_another_s_tokens(tmp_path: Path) -> None:
    store, other = FileTokenStore("a", tmp_path), FileTokenStore("b", tmp_path)
    store.save(TOKENS)
    assert other.load() is None
    other.save(Tokens(access_token="other"))
    store.forget()
    assert store.load() is None
    assert other.load() == Tokens(access_token="other")


def test_file_and_directory_are_for_the_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "home"
    FileTokenStore("a", directory).save(TOKENS)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_file_goes_with_the_last_tokens(tmp_path: Path) -> None:
    store = FileTokenStore("a", tmp_path)
    store.save(TOKENS)
    store.forget()
    store.forget()
    assert not Path(store.place).exists()


def test_file_that_others_may_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    store = FileTokenStore("a", tmp_path)
    store.save(TOKENS)
    Path(store.place).chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"run chmod 600 .*json$"):
        store.load()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"a": []}', id="no object of tokens"),
        pytest.param('{"a": {}}', id="no access token"),
        pytest.param('{"a": {"access_token": 1}}', id="a number"),
        pytest.param('{"a": {"access_token": "x", "refresh_token": 1}}', id="another number"),
        pytest.param('{"a": {"access_token": "x", "expires_at": "soon"}}', id="no time"),
        pytest.param('{"a": {"access_token": "x", "scopes": [1]}}', id="no scopes"),
        pytest.param('{"a": {"access_token": "x", "scopes": "openid"}}', id="no list"),
        pytest.param("[[[[[[]]]]]]", id="deep"),
        pytest.param('{"a": {"access_token": "x", "expires_at": NaN}}', id="not a number"),
    ],
)
def test_damaged_file_is_mended_by_a_login(text: str, tmp_path: Path) -> None:
    store = FileTokenStore("a", tmp_path)
    Path(store.place).write_text(text)
    Path(store.place).chmod(0o600)
    assert store.load() is None
    store.save(TOKENS)
    assert store.load() == TOKENS


def test_account_names_server_issuer_and_client() -> None:
    accounts = {
        token_account("https://kms/", issuer="https://issuer/", client_id="c"),
        token_account("https://other", issuer="https://issuer/", client_id="c"),
        token_account("https://kms", issuer="https://issuer/", client_id="d"),
        token_account("https://kms", issuer="https://evil/", client_id="c"),
        token_account("https://kms", issuer=None, client_id=None),
    }
    assert len(accounts) == 5
    assert token_account("https://kms", issuer="https://issuer/", client_id="c") in accounts


# --- the lock -----------------------------------------------------------------------------------


def refresh_often(directory: Path, times: int) -> None:
    """What a command does that finds its token expired: the number in the token counts refreshes."""
    store = FileTokenStore("a", directory)
    for _ in range(times):
        with store.locked():
            tokens = store.load()
            assert tokens is not None
            store.save(Tokens(access_token=str(int(tokens.access_token) + 1)))


def test_processes_and_threads_refresh_one_after_another(tmp_path: Path) -> None:
    FileTokenStore("a", tmp_path).save(Tokens(access_token="0"))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=refresh_often, args=(tmp_path, 20)) for _ in range(2)]
    threads = [threading.Thread(target=refresh_often, args=(tmp_path, 20)) for _ in range(2)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join()
    assert FileTokenStore("a", tmp_path).load() == Tokens(access_token="80")


def test_thread_may_take_its_lock_again(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock, lock:
        pass
    with lock:
        pass


def test_lock_that_is_held_too_long_is_one_line(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(ConfigurationError, match=r"held .*lock for 0 s: end it and try again"),
        FileLock(tmp_path / "lock", timeout_s=0.1),
    ):
        pass


def test_thread_that_waits_too_long_for_another_is_told_so(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", timeout_s=0.1)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            with lock:
                pass
        except ConfigurationError as exc:
            errors.append(exc)

    with lock:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert len(errors) == 1


def hold_lock(path: Path, ready: object) -> None:
    with FileLock(path):
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold_lock, args=(tmp_path / "lock", ready))
    process.start()
    assert ready.wait(30)
    process.kill()
    process.join()
    with FileLock(tmp_path / "lock", timeout_s=5):
        pass


def test_lock_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match=r"cannot be opened|cannot be written"),
        FileLock(tmp_path / "file" / "lock"),
    ):
        pass


def test_file_is_plain_json(tmp_path: Path) -> None:
    store = FileTokenStore("a", tmp_path)
    store.save(TOKENS)
    assert set(json.loads(Path(store.place).read_text())) == {"a"}
