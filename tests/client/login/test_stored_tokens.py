"""The token of a sign-in for each request: renewed in time, by one process at a time, and by nobody twice."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.client.login.login_errors import IssuerUnreachable, SessionEnded
from kms_tornado.client.login.stored_tokens import StoredTokenSource, choose_token
from kms_tornado.client.login.token_file import FileTokenStore
from kms_tornado.client.login.tokens import Tokens

from ...keys import b64

ROOT = Path(__file__).resolve().parents[3]


def jwt(name: str, *, exp: float | None = None, iat: float | None = None) -> str:
    import json

    claims = {"jti": name, "exp": exp, "iat": iat}
    claims = {name: value for name, value in claims.items() if value is not None}
    return f"e30.{b64(json.dumps(claims).encode())}.c2ln"


def tokens(name: str, **changes: Any) -> Tokens:
    """By default an hour long, from 0 on."""
    given = {
        "access_token": jwt(name, iat=0, exp=3600), "refresh_token": f"refresh {name}",
        "expires_at": 3600.0, **changes,
    }  # fmt: skip
    return Tokens(**given)


class Issuer:
    """Counts what it is asked; `answer` decides."""

    def __init__(self, answer: Callable[[Tokens], Tokens]) -> None:
        self.answer = answer
        self.asked: list[str | None] = []

    def refresh(self, spent: Tokens) -> Tokens:
        self.asked.append(spent.refresh_token)
        return self.answer(spent)


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore("account", tmp_path)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(lambda _: tokens("2", access_token=jwt("2", iat=3600, exp=7200)))


def source_of(
    store: FileTokenStore, issuer: Issuer, first: Tokens, clock: Clock, **more: Any
) -> StoredTokenSource:
    store.save(first)
    return StoredTokenSource(store, first, issuer.refresh, now=clock, **more)


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "now", "is_renewed"),
    [
        pytest.param(tokens("1"), 0, False, id="new"),
        pytest.param(tokens("1"), 3539, False, id="a minute and a second left"),
        pytest.param(tokens("1"), 3541, True, id="less than a minute left"),
        pytest.param(tokens("1"), 9999, True, id="over"),
        pytest.param(tokens("1"), -9999, False, id="the clock went back"),
        pytest.param(tokens("1", refresh_token=None), 9999, False, id="over, and no refresh token"),
        pytest.param(
            tokens("1", access_token=jwt("1", iat=0, exp=60)), 44, False, id="short-lived, in time"
        ),
        pytest.param(
            tokens("1", access_token=jwt("1", iat=0, exp=60)), 46, True,
            id="short-lived, in its last quarter",
        ),
        pytest.param(tokens("1", access_token="opaque"), 3541, True, id="opaque, by expires_in"),
        pytest.param(
            tokens("1", access_token="opaque", expires_at=None), 10**9, False, id="no expiry known"
        ),
    ],
)  # fmt: skip
def test_token_is_renewed_when_it_is_due(
    store: FileTokenStore, issuer: Issuer, first: Tokens, now: float, is_renewed: bool
) -> None:
    source = source_of(store, issuer, first, Clock(now))
    expected = jwt("2", iat=3600, exp=7200) if is_renewed else first.access_token
    assert source.token() == expected
    assert store.load() == (issuer.answer(first) if is_renewed else first)
    assert issuer.asked == (["refresh 1"] if is_renewed else [])


def test_servers_word_counts_more_than_the_clock(store: FileTokenStore, issuer: Issuer) -> None:
    source = source_of(store, issuer, tokens("1"), Clock(0))
    assert source.renew()
    assert source.token() == jwt("2", iat=3600, exp=7200)
    assert issuer.asked == ["refresh 1"]


def test_without_a_refresh_token_the_expiry_is_final(store: FileTokenStore, issuer: Issuer) -> None:
    source = source_of(store, issuer, tokens("1", refresh_token=None), Clock())
    assert not source.renew()
    assert issuer.asked == []


# --- which ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access_token", "id_token", "choice", "sent"),
    [
        pytest.param("a.b.c", "i.i.i", None, "a.b.c", id="a JWT"),
        pytest.param("opaque", "i.i.i", None, "i.i.i", id="opaque, so the id token"),
        pytest.param("a.b.c.d.e", "i.i.i", None, "i.i.i", id="encrypted, so the id token"),
        pytest.param("opaque", None, None, "opaque", id="no other"),
        pytest.param("a.b.c", "i.i.i", "id", "i.i.i", id="configured: id"),
        pytest.param("opaque", "i.i.i", "access", "opaque", id="configured: access"),
        pytest.param("a.b.c", None, "id", "a.b.c", id="configured: id, and none there"),
    ],
)
def test_which_token_the_server_gets(
    access_token: str, id_token: str | None, choice: Any, sent: str
) -> None:
    assert choose_token(Tokens(access_token=access_token, id_token=id_token), choice) == sent


def test_expiry_is_that_of_the_token_that_is_sent(store: FileTokenStore) -> None:
    issuer = Issuer(lambda spent: tokens("2", id_token=jwt("id 2", iat=60, exp=999)))
    first = tokens("1", access_token="opaque", id_token=jwt("id 1", iat=0, exp=60))
    source = source_of(store, issuer, first, Clock(50))
    assert source.token() == issuer.answer(first).access_token
    assert issuer.asked == ["refresh 1"]


def test_refresh_without_the_id_token_that_is_sent_ends_the_session(store: FileTokenStore) -> None:
    issuer = Issuer(lambda spent: tokens("2", id_token=spent.id_token))
    first = tokens("1", id_token=jwt("id 1", iat=0, exp=60))
    source = source_of(store, issuer, first, Clock(61), choice="id")
    with pytest.raises(SessionEnded, match="run kmsctl login"):
        source.token()


# --- when it fails --------------------------------------------------------------------------------


def fail(error: Exception) -> Callable[[Tokens], Tokens]:
    def answer(spent: Tokens) -> Tokens:
        raise error

    return answer


@pytest.mark.parametrize("error", [IssuerUnreachable("away"), SessionEnded("over")])
def test_failed_refresh_keeps_the_tokens_and_serves_what_is_left(
    store: FileTokenStore, error: Exception
) -> None:
    issuer, clock = Issuer(fail(error)), Clock(3541)
    source = source_of(store, issuer, tokens("1"), clock)
    for _ in range(3):
        assert source.token() == tokens("1").access_token
    assert len(issuer.asked) == 1  # an issuer that hangs does not slow every request
    clock.now = 3601
    with pytest.raises(type(error)):
        source.token()
    assert store.load() == tokens("1")
    issuer.answer = lambda _: tokens("2")
    clock.now = 0
    assert source.renew()


def test_signing_out_elsewhere_ends_the_session_here(store: FileTokenStore, issuer: Issuer) -> None:
    source = source_of(store, issuer, tokens("1"), Clock(9999))
    store.forget()
    with pytest.raises(SessionEnded, match="signed out"):
        source.token()
    assert issuer.asked == []


# --- together -------------------------------------------------------------------------------------


def test_what_another_process_renewed_is_used(store: FileTokenStore, issuer: Issuer) -> None:
    clock = Clock(3541)
    source = source_of(store, issuer, tokens("1"), clock)
    store.save(other := tokens("other", access_token=jwt("other", iat=3000, exp=9999)))
    assert source.token() == other.access_token
    assert issuer.asked == []


def test_what_another_process_renewed_long_ago_is_renewed_with_its_refresh_token(
    store: FileTokenStore, issuer: Issuer
) -> None:
    source = source_of(store, issuer, tokens("1"), Clock(3541))
    store.save(tokens("other"))
    assert source.token() == jwt("2", iat=3600, exp=7200)
    assert issuer.asked == ["refresh other"]


def test_threads_that_hear_of_one_expiry_renew_once(store: FileTokenStore, issuer: Issuer) -> None:
    source = source_of(store, issuer, tokens("1"), Clock(0))
    barrier = threading.Barrier(8)

    def request() -> None:
        barrier.wait()
        assert source.renew()

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.asked == ["refresh 1"]


def _renew_in_a_process(directory: Path, barrier: Any, spent: Any) -> None:
    """A refresh token is good for one use: `spent` counts each."""

    def refresh(given: Tokens) -> Tokens:
        spent.append(given.refresh_token)
        return tokens(f"{given.refresh_token}+", access_token=jwt("n", iat=3600, exp=7200))

    store = FileTokenStore("account", directory)
    source = StoredTokenSource(store, tokens("1"), refresh, now=Clock(3541))
    barrier.wait()
    spent.append(f"sent {source.token() == jwt('n', iat=3600, exp=7200)}")


def test_processes_that_find_the_token_due_renew_once(
    store: FileTokenStore, tmp_path: Path
) -> None:
    store.save(tokens("1"))
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        spent, barrier = manager.list(), manager.Barrier(3)
        processes = [
            context.Process(target=_renew_in_a_process, args=(tmp_path, barrier, spent))
            for _ in range(3)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(20)
        assert sorted(spent) == ["refresh 1", "sent True", "sent True", "sent True"]


def test_a_token_that_is_not_due_loads_no_library_of_the_sign_in(tmp_path: Path) -> None:
    FileTokenStore("account", tmp_path).save(
        tokens("1", access_token=jwt("1", iat=0, exp=4_000_000_000))
    )
    code = f"""
import sys
from pathlib import Path
from kms_tornado.client.connection import ConnectionSettings
from kms_tornado.client.login.login_settings import LoginSettings
from kms_tornado.client.login.stored_tokens import stored_token_source
from kms_tornado.client.login.token_file import FileTokenStore
store = FileTokenStore("account", Path({str(tmp_path)!r}))
source = stored_token_source(
    store,
    store.load(),
    ConnectionSettings(server_url="https://kms.example"),
    LoginSettings(client_id="kmsctl", issuer="https://issuer.example"),
)
assert source.token()
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"authlib", "joserfc", "requests", "cryptography"} & set(done.stdout.split())


def test_tokens_are_not_shown(store: FileTokenStore, issuer: Issuer) -> None:
    source = source_of(store, issuer, tokens("1"), Clock())
    assert tokens("1").access_token not in repr(source) + repr(store.load())
