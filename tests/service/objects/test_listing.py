"""Lists of many objects: how far one request goes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.audit.record import Origin
from kms_tornado.kmip.enums import Operation
from kms_tornado.service.kms import KMS
from kms_tornado.service.objects import listing as object_listing
from kms_tornado.service.objects.listing_request import ListingRequest
from kms_tornado.settings.service import make_service_settings
from kms_tornado.store.interface.changes import Grant, Insert

from ...store.helpers import ALICE, BOB, an_object

NUMBER = 30


def test_one_request_looks_at_so_many_objects_and_says_where_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_listing, "_MOST_LOOKED_AT", 10)
    monkeypatch.setattr(object_listing, "_TURN", 4)

    async def body() -> None:
        async with KMS(make_service_settings(data_dir=tmp_path)) as kms:
            await kms.store.commit(
                [Insert(an_object(f"key-{i:02}", created_at=i)) for i in range(NUMBER)]
            )

            async def read(request: ListingRequest) -> tuple[list[str], int]:
                """(what is found, in how many answers)"""
                found: list[str] = []
                answers = 0
                while True:
                    answer = await kms.listing.list(ALICE, (), request, origin())
                    found += [item["object_id"] for item in answer.objects]
                    answers += 1
                    if answer.next is None:
                        return found, answers
                    request = ListingRequest(
                        text=request.text, limit=request.limit, cursor=answer.next
                    )

            assert await read(ListingRequest(text="key-0", limit=50)) == (
                [f"key-{i:02}" for i in reversed(range(10))],
                3,
            )
            whole = [f"key-{i:02}" for i in reversed(range(NUMBER))]
            assert (await read(ListingRequest(limit=7)))[0] == whole
            assert (await read(ListingRequest(limit=NUMBER)))[0] == whole

    asyncio.run(body())


def test_first_page_alone_needs_no_second_request(tmp_path: Path) -> None:
    async def body() -> None:
        async with KMS(make_service_settings(data_dir=tmp_path)) as kms:
            await kms.store.commit([Insert(an_object(f"{i}", created_at=i)) for i in range(5)])
            assert (
                await kms.listing.list(ALICE, (), ListingRequest(limit=5), origin())
            ).next is None
            assert (await kms.listing.list(ALICE, (), ListingRequest(limit=4), origin())).next

    asyncio.run(body())


def test_objects_are_compared_on_another_thread_than_the_loop_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of one turn may have 16 MB of names and tags, which hold up everybody else on the loop."""
    threads: set[threading.Thread] = set()
    matches = ListingRequest.matches

    def note(*args: Any, **options: Any) -> bool:
        threads.add(threading.current_thread())
        return matches(*args, **options)

    monkeypatch.setattr(ListingRequest, "matches", note)

    async def body() -> None:
        grant = Grant("bobs", BOB, ALICE, frozenset({Operation.GET}))
        async with KMS(make_service_settings(data_dir=tmp_path)) as kms:
            await kms.store.commit(
                [Insert(an_object("mine")), Insert(an_object("bobs", owner=BOB))]
            )
            await kms.store.commit([grant])
            for is_owned in (True, False):
                threads.clear()
                request = ListingRequest(is_owned=is_owned, text="s")
                await kms.listing.list(ALICE, (), request, origin())
                assert threads
                assert threading.current_thread() not in threads

    asyncio.run(body())


def origin() -> Origin:
    return Origin(ALICE, None, None, "1")
