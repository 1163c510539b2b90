"""One exchange: the token, its renewal, the headers, connections that are reused."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from kms_tornado.client import (
    AuthenticationFailed,
    ClientWarning,
    ConnectionFailed,
    ConnectionSettings,
    InvalidSettings,
    ItemNotFound,
    KMSClient,
    ProxySettings,
    TokenExpired,
)

from ..server import free_port
from .conftest import Server
from .faulty import Scripted, Tap, answer, refusal

VERSION = answer('"0.1.0"')
EXPIRED = refusal("401 No", "token expired", WWW_Authenticate='Bearer realm="kms"')


@dataclass
class Source:
    """Gives the first token; `renew` goes on to the next one, if there is one."""

    tokens: list[str]
    asked: int = 0
    renewed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self) -> str | None:
        self.asked += 1
        return self.tokens[0] if self.tokens else None

    def renew(self) -> bool:
        self.renewed += 1
        if len(self.tokens) < 2:
            return False
        self.tokens.pop(0)
        return True


# --- the token ------------------------------------------------------------------------------------


def test_token_is_asked_for_before_each_request() -> None:
    source = Source(["one"])
    with Scripted(VERSION) as server, KMSClient(server.url, source) as client:
        client.server_version()
        source.tokens = ["two"]
        client.server_version()
    assert ["Bearer one" in server.requests[0], "Bearer two" in server.requests[1]] == [True] * 2


def test_expired_token_is_renewed_and_the_request_repeated_once(server: Server) -> None:
    source = Source([server.token("alice", exp=1), server.token("alice")])
    with KMSClient(server.url, source) as client:
        key = client.create_symmetric_key()
    assert (source.renewed, bool(key)) == (1, True)


def test_token_that_cannot_be_renewed_is_an_error_that_says_to_log_in() -> None:
    source = Source(["one"])
    with Scripted(EXPIRED) as server, KMSClient(server.url, source) as client:
        with pytest.raises(TokenExpired, match="log in again"):
            client.locate()
        assert (len(server.requests), source.renewed) == (1, 1)


def test_renewed_token_that_has_expired_too_is_not_renewed_again() -> None:
    source = Source(["one", "two", "three"])
    with Scripted(EXPIRED) as server, KMSClient(server.url, source) as client:
        with pytest.raises(TokenExpired):
            client.locate()
        assert (len(server.requests), source.renewed) == (2, 1)


def test_another_refusal_of_the_token_renews_nothing() -> None:
    source = Source(["one", "two"])
    wrong = refusal("401 No", "audience not accepted", WWW_Authenticate="Bearer")
    with (
        Scripted(wrong) as server,
        KMSClient(server.url, source) as client,
        pytest.raises(AuthenticationFailed, match="audience"),
    ):
        client.locate()
    assert source.renewed == 0


def test_without_a_token_no_header_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMS_TOKEN", raising=False)
    with Scripted(VERSION) as server, KMSClient(server.url) as client:
        client.server_version()
    assert "authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y"])
def test_source_that_gives_no_token_adds_no_header(token: str) -> None:
    with (
        Scripted(VERSION) as server,
        KMSClient(server.url, Source([token])) as client,
        pytest.raises(InvalidSettings),
    ):
        client.server_version()
    assert server.requests == []


def test_token_over_http_to_another_machine_is_warned_of_once() -> None:
    with Scripted(VERSION) as proxy:
        settings = ConnectionSettings(
            server_url="http://kms.example", proxy=ProxySettings(url=proxy.url)
        )
        with KMSClient(settings=settings, token="token") as client:
            with pytest.warns(ClientWarning, match="use https"):
                client.server_version()
            client.server_version()  # a second warning would fail the test


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_token_over_http_on_this_machine_is_fine(host: str) -> None:
    with Scripted(VERSION) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        with KMSClient(f"http://{host}:{server.port}", "token") as client:
            client.server_version()


# --- where it comes from --------------------------------------------------------------------------


def test_server_and_token_come_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMS_URL", server.url)
    monkeypatch.setenv("KMS_TOKEN", server.token("alice") + "\n")
    with KMSClient() as client:
        assert client.locate(name="there is none") == []


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("KMS_TOKEN", "of-the-environment")
    with Scripted(VERSION) as server, KMSClient(server.url, "given") as client:
        client.server_version()
    assert "Bearer given" in server.requests[0]


def test_no_server_and_two_servers_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMS_URL", raising=False)
    with pytest.raises(InvalidSettings, match="KMS_URL"):
        KMSClient()
    settings = ConnectionSettings(server_url="https://kms.example")
    with pytest.raises(InvalidSettings, match="give one of them"):
        KMSClient("https://other.example", settings=settings)


# --- what is sent ---------------------------------------------------------------------------------


def test_custom_headers_and_the_prefix_are_sent() -> None:
    with Scripted(VERSION) as server:
        settings = ConnectionSettings(
            server_url=f"{server.url}/kms/", custom_headers=(("X-Tenant", "acme"),)
        )
        with KMSClient(settings=settings) as client:
            client.server_version()
    assert server.requests[0].startswith("GET /kms/version HTTP/1.1\r\n")
    assert "X-Tenant: acme\r\n" in server.requests[0]
    assert "User-Agent: kms-tornado-client/" in server.requests[0]


def test_bodies_are_shown_to_the_observer_and_the_token_is_not(server: Server) -> None:
    seen: list[tuple[str, bytes]] = []
    token = server.token("alice")
    with KMSClient(server.url, token, observe=lambda *pair: seen.append(pair)) as client:
        client.locate()
        with pytest.raises(ItemNotFound):
            client.get("nowhere")
    assert [direction for direction, _ in seen] == ["request", "answer"] * 2
    assert seen[0][1].startswith(b'{"tag":"Locate"')
    assert seen[3][1].startswith(b"Item_Not_Found")
    assert not any(token.encode() in body for _, body in seen)


# --- connections ----------------------------------------------------------------------------------


def test_connection_is_reused(server: Server) -> None:
    with Tap(server.port) as tap, KMSClient(tap.url, server.token("alice")) as client:
        key = client.create_symmetric_key()
        for _ in range(10):
            client.decrypt(key, client.encrypt(key, b"data"))
        with pytest.raises(ItemNotFound):
            client.get("nowhere")
        client.server_version()
        assert (tap.connections, len(tap.requests)) == (1, 23)


def test_connection_that_the_server_has_closed_is_replaced_unseen() -> None:
    with Scripted(answer('"1"', closes=True)) as server, KMSClient(server.url) as client:
        for _ in range(3):
            client.server_version()
        assert server.connections == 3


def test_threads_share_a_client(server: Server) -> None:
    with Tap(server.port) as tap, KMSClient(tap.url, server.token("alice")) as client:
        key = client.create_symmetric_key()

        def round_trip(number: int) -> bool:
            data = str(number).encode()
            return client.decrypt(key, client.encrypt(key, data)) == data

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(round_trip, range(40)))
        assert tap.connections <= 8


def test_client_is_usable_again_after_its_server_was_away() -> None:
    port = free_port()
    with KMSClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ConnectionFailed, match="is the server running") as caught:
            client.server_version()
        assert caught.value.is_outcome_known
        with Scripted(VERSION, port=port):
            assert client.server_version() == "0.1.0"
