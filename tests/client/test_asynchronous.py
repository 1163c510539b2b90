"""AsyncKMSClient: the calls of KMSClient, side by side in one event loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kms_tornado.client import AsyncKMSClient, InvalidSettings, ItemNotFound, KMSClient
from kms_tornado.client.pool import MAX_KEPT
from kms_tornado.kmip.payloads import GetRequest, QueryRequest

from .conftest import Server
from .faulty import Scripted, answer

VERSION = answer('"0.1.0"')


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test as a function that pytest calls."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Slow(Scripted):
    """Answers when `open` is set. waiting: how many requests are there at the same time."""

    def __init__(self) -> None:
        super().__init__(VERSION)
        self.open = threading.Event()
        self.waiting = threading.Semaphore(0)

    def answer_with(self, step: bytes | None) -> bytes | None:
        self.waiting.release()
        assert self.open.wait(10)
        return step

    async def wait_for(self, number: int) -> None:
        """Until so many requests wait for their answers."""
        for _ in range(number):
            await asyncio.to_thread(self.waiting.acquire, timeout=10)


@in_loop
async def test_calls_are_those_of_the_blocking_client(server: Server) -> None:
    async with AsyncKMSClient(server.url, server.token("alice")) as alice:
        key = await alice.create_symmetric_key(tags=["async"])
        sealed = await alice.encrypt(key, b"data")
        assert await alice.decrypt(["async"], sealed) == b"data"
        assert (await alice.perform(GetRequest(unique_identifier=key))).unique_identifier == key
        assert len(await alice.perform_batch([QueryRequest(())])) == 1
        with pytest.raises(ItemNotFound):
            await alice.get("nowhere")


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    def methods(client: type[object]) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(value)
            for name, value in inspect.getmembers(client, callable)
            if not name.startswith("_") and name != "run"
        }

    assert methods(AsyncKMSClient) == methods(KMSClient)


@in_loop
async def test_fifty_calls_run_side_by_side(server: Server) -> None:
    async with AsyncKMSClient(server.url, server.token("alice")) as alice:
        key = await alice.create_symmetric_key()
        messages = [bytes([number]) for number in range(50)]
        sealed = await asyncio.gather(*(alice.encrypt(key, message) for message in messages))
        opened = await asyncio.gather(*(alice.decrypt(key, each) for each in sealed))
    assert opened == messages


@in_loop
async def test_loop_is_free_and_the_number_of_threads_bounded_while_calls_wait() -> None:
    with Slow() as server:
        async with AsyncKMSClient(server.url) as client:
            calls = [asyncio.ensure_future(client.server_version()) for _ in range(50)]
            await asyncio.wait_for(server.wait_for(MAX_KEPT), 10)
            assert len(server.requests) == MAX_KEPT  # the others wait for their turn
            began = time.monotonic()
            for _ in range(10):
                await asyncio.sleep(0.001)
            assert time.monotonic() - began < 5  # the calls take until `open` is set
            server.open.set()
            assert await asyncio.gather(*calls) == ["0.1.0"] * 50
        assert server.connections == MAX_KEPT


@in_loop
async def test_cancelled_call_leaves_the_client_usable() -> None:
    with Slow() as server:
        async with AsyncKMSClient(server.url) as client:
            call = asyncio.ensure_future(client.server_version())
            await asyncio.wait_for(server.wait_for(1), 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            server.open.set()
            assert await client.server_version() == "0.1.0"


@in_loop
async def test_time_out_of_the_caller_s_own_works() -> None:
    with Slow() as server:
        async with AsyncKMSClient(server.url) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.server_version()
            server.open.set()


@in_loop
async def test_wrong_argument_is_an_exception_of_the_call() -> None:
    async with AsyncKMSClient("http://127.0.0.1:1") as client:
        with pytest.raises(ValueError, match="no CryptographicAlgorithm"):
            await client.create_symmetric_key("ASE")


def test_settings_are_checked_when_the_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMS_URL", raising=False)
    with pytest.raises(InvalidSettings, match="KMS_URL"):
        AsyncKMSClient()


@in_loop
async def test_closing_stops_what_has_not_begun() -> None:
    with Slow() as server:
        client = AsyncKMSClient(server.url)
        calls = [asyncio.ensure_future(client.server_version()) for _ in range(MAX_KEPT + 1)]
        await asyncio.wait_for(server.wait_for(MAX_KEPT), 10)
        client.close()
        server.open.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, asyncio.CancelledError) for each in results) == 1
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.server_version()
