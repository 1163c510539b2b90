"""What is sent again, and what never is: each fault is injected on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from kms_tornado.client import (
    AsyncKMSClient,
    ConnectionFailed,
    ConnectionSettings,
    KMSClient,
    ObjectAlreadyExists,
    ServerUnavailable,
    TooManyRequests,
    repeats,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType
from kms_tornado.kmip.objects import Object
from kms_tornado.kmip.payloads import CreateRequest

from .conftest import Server
from .faulty import UNAVAILABLE, Scripted, Step, Tap, answer, refusal

VERSION = answer('"0.1.0"')


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BACKOFF_S", 0)
    monkeypatch.setattr(repeats, "JITTER_S", 0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are asked for, none of which is made."""
    asked: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", asked.append)
    return asked


@pytest.fixture
def tap(server: Server) -> Iterator[Tap]:
    with Tap(server.port) as running:
        yield running


@pytest.fixture
def alice(server: Server, tap: Tap) -> Iterator[KMSClient]:
    with KMSClient(tap.url, server.token("alice")) as client:
        yield client


def requests_with(tap: Tap, word: str) -> int:
    return sum(word in request for request in tap.requests)


# --- a server that is out for a moment ------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([None, VERSION], id="connection closed before an answer"),
        pytest.param([UNAVAILABLE, UNAVAILABLE, VERSION], id="503 twice"),
        pytest.param([refusal("429 Too Many Requests", "slow down"), VERSION], id="429"),
        pytest.param([answer(b"<html>", "503 Busy", closes=True), VERSION], id="503 of a proxy"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{", VERSION],
            id="body cut short",
        ),
        pytest.param([b"HTTP/1.1 2", VERSION], id="status line cut short"),
    ],
)
def test_read_is_repeated_until_there_is_an_answer(steps: list[Step], pauses: list[float]) -> None:
    with Scripted(*steps) as server, KMSClient(server.url) as client:
        assert client.server_version() == "0.1.0"
        assert len(server.requests) == len(steps)


def test_server_says_how_long_to_wait(pauses: list[float]) -> None:
    with Scripted(UNAVAILABLE, VERSION) as server, KMSClient(server.url) as client:
        client.server_version()
    assert pauses == [1]


@pytest.mark.parametrize(
    ("value", "pause"),
    [("99999", repeats.MAX_RETRY_AFTER_S), ("9" * 5000, None), ("soon", None), ("-1", None)],
)
def test_no_server_can_make_a_client_wait_for_long(
    value: str, pause: float | None, pauses: list[float]
) -> None:
    busy = refusal("503 Service Unavailable", "not now", Retry_After=value)
    with Scripted(busy, VERSION) as server, KMSClient(server.url) as client:
        assert client.server_version() == "0.1.0"
    assert pauses == ([] if pause is None else [pause])


def test_repeats_come_to_an_end_and_the_last_answer_counts(pauses: list[float]) -> None:
    with Scripted(UNAVAILABLE) as server, KMSClient(server.url) as client:
        with pytest.raises(ServerUnavailable, match="not now") as caught:
            client.server_version()
        assert len(server.requests) == 1 + repeats.MAX_REPEATS
    assert caught.value.retry_after_s == 1


def test_too_many_requests_are_an_error_of_their_own_in_the_end(pauses: list[float]) -> None:
    slow = refusal("429 Too Many Requests", "more than 5 a second", Retry_After="2")
    with (
        Scripted(slow) as server,
        KMSClient(server.url) as client,
        pytest.raises(TooManyRequests, match="more than 5 a second"),
    ):
        client.server_version()
    assert pauses == [2] * repeats.MAX_REPEATS


def test_what_carries_its_own_nonce_is_repeated_after_429_and_not_after_503(
    pauses: list[float],
) -> None:
    """Nothing of the first was begun; a 503 of a proxy may come after the server has worked."""
    slow = refusal("429 Too Many Requests", "slow down", Retry_After="1")
    for first, number in ((slow, 2), (UNAVAILABLE, 1)):
        with (
            Scripted(first, UNAVAILABLE) as server,
            KMSClient(server.url) as client,
            pytest.raises(ServerUnavailable),
        ):
            client.encrypt("key", b"data", iv=bytes(12))
        assert len(server.requests) == number


def test_asynchronous_client_waits_and_repeats_after_429_too(pauses: list[float]) -> None:
    async def ask(url: str) -> str:
        async with AsyncKMSClient(url) as client:
            return await client.server_version()

    slow = refusal("429 Too Many Requests", "slow down", Retry_After="3")
    with Scripted(slow, VERSION) as server:
        assert asyncio.run(ask(server.url)) == "0.1.0"
        assert len(server.requests) == 2
    assert pauses == [3]


def test_pauses_grow_and_vary(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr(repeats, "BACKOFF_S", 0.2)
    monkeypatch.setattr(repeats, "JITTER_S", 0.1)
    with (
        Scripted(None) as server,
        KMSClient(server.url) as client,
        pytest.raises(ConnectionFailed),
    ):
        client.server_version()
    parts = [pause - fixed for pause, fixed in zip(pauses, (0.4, 0.8, 1.6), strict=True)]
    assert all(0 <= part <= 0.1 for part in parts)
    assert len(set(parts)) == 3


def test_server_that_does_not_answer_in_time_is_not_asked_again() -> None:
    with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as server:
        settings = ConnectionSettings(server_url=server.url, timeout_s=0.5)
        with (
            KMSClient(settings=settings) as client,
            pytest.raises(ConnectionFailed, match="did not answer in time"),
        ):
            client.server_version()
        assert len(server.requests) == 1


# --- changes whose answer was lost ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "create"),
    [
        ("Create", lambda client: client.create_symmetric_key(name="lost 1")),
        (
            "CreateKeyPair",
            lambda client: client.create_key_pair("EC", curve="P-256").private_key,
        ),
        ("Import", lambda client: client.import_object(_some_object(client))),
        ("Register", lambda client: client.register(_some_object(client), name="lost 2")),
    ],
)
def test_new_object_whose_answer_was_lost_is_found_by_the_repeat(
    alice: KMSClient, tap: Tap, operation: str, create: Callable[[KMSClient], str]
) -> None:
    tap.lose_once(f'"tag":"{operation}"')
    uid = create(alice)
    assert requests_with(tap, f'"tag":"{operation}"') == 2
    assert alice.get_attributes(uid).unique_identifier == uid


def _some_object(client: KMSClient) -> Object:
    return client.get(client.create_symmetric_key()).object


def test_repeat_makes_no_second_object(alice: KMSClient, tap: Tap) -> None:
    tap.lose_once('"tag":"Create"')
    uid = alice.create_symmetric_key(tags=["once"])
    assert alice.locate(tags=["once"]) == [uid]


def test_identifier_that_was_chosen_by_a_person_is_not_repeated(alice: KMSClient, tap: Tap) -> None:
    tap.lose_once('"tag":"Create"')
    with pytest.raises(ConnectionFailed, match="whether the request was carried out is not known"):
        alice.create_symmetric_key(unique_identifier="billing-1")
    assert requests_with(tap, '"tag":"Create"') == 1
    with pytest.raises(ObjectAlreadyExists):
        alice.create_symmetric_key(unique_identifier="billing-1")


def test_create_without_an_identifier_is_not_repeated(alice: KMSClient, tap: Tap) -> None:
    tap.lose_once('"tag":"Create"')
    attributes = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES, cryptographic_length=256
    )
    with pytest.raises(ConnectionFailed) as caught:
        alice.perform(CreateRequest(ObjectType.SYMMETRIC_KEY, attributes))
    assert not caught.value.is_outcome_known
    assert requests_with(tap, '"tag":"Create"') == 1


def test_encryption_is_repeated_where_the_server_makes_the_nonce(
    alice: KMSClient, tap: Tap
) -> None:
    key = alice.create_symmetric_key()
    tap.lose_once('"tag":"Encrypt"')
    assert alice.decrypt(key, alice.encrypt(key, b"data")) == b"data"
    assert requests_with(tap, '"tag":"Encrypt"') == 2


def test_encryption_with_the_caller_s_nonce_is_not_repeated(alice: KMSClient, tap: Tap) -> None:
    key = alice.create_symmetric_key()
    tap.lose_once('"tag":"Encrypt"')
    with pytest.raises(ConnectionFailed):
        alice.encrypt(key, b"data", iv=bytes(12))
    assert requests_with(tap, '"tag":"Encrypt"') == 1


def test_destroying_is_repeated_by_identifier_and_not_by_tags(alice: KMSClient, tap: Tap) -> None:
    keys = [alice.create_symmetric_key(tags=["many"]) for _ in range(2)]
    for key in keys:
        alice.revoke(key)
    tap.lose_once('"tag":"Destroy"')
    assert alice.destroy(keys[0]) == keys[0]
    tap.lose_once('"tag":"Destroy"')
    with pytest.raises(ConnectionFailed):  # the tags would mean the other key the second time
        alice.destroy(["many"])
    assert requests_with(tap, '"tag":"Destroy"') == 3


def test_activation_is_not_repeated(alice: KMSClient, tap: Tap) -> None:
    tap.lose_once('"tag":"Activate"')
    with pytest.raises(ConnectionFailed):
        alice.activate(alice.create_symmetric_key())
    assert requests_with(tap, '"tag":"Activate"') == 1
