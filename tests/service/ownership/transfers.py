"""A store that is disturbed while objects change hands, and what is theirs afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kms_tornado.domain.search import LocateSearch, ObjectFilter

from ...operations.inside import Inside


def grants_of(kms: Inside, key: str, owner: str) -> dict[str, set[str]]:
    listed = kms.run(kms.rights.list_grants(owner, key))
    return {item["user_id"]: set(item["operations"]) for item in listed}


def owned(kms: Inside, owner: str) -> set[str]:
    return {item["object_id"] for item in kms.run(kms.rights.list_owned(owner))}


def check_whole(kms: Inside, owner: str, count: int) -> None:
    """Every object is found by Locate, which compares it with its rows in all indexes, and opens."""
    page = kms.run(kms.store.locate(LocateSearch(ObjectFilter(), owner, 0, 1000)))
    assert page.total == count
    for uid in page.uids:
        assert kms.key_of(uid, owner)


class Meddling:
    """A store that has something done before a commit, or ends at one of its calls."""

    def __init__(
        self,
        store: Any,
        *,
        before_commit: Callable[[], Any] | None = None,
        ends_at: int = -1,
        is_done: bool = False,
    ) -> None:
        self._store, self._before, self._left, self._is_done = (
            store,
            before_commit,
            ends_at,
            is_done,
        )

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        return _MeddlingPart(self, member) if name == "naming" else self.wrap(name, member)

    def wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if name == "commit_groups" and self._before is not None:
                before, self._before = self._before, None
                await before()
            if self._left == 0 and not self._is_done:
                raise asyncio.CancelledError
            result = await method(*args, **options)
            if self._left == 0:
                raise asyncio.CancelledError
            return result

        return call


class _MeddlingPart:
    """A part of such a store, whose calls count among those of the store."""

    def __init__(self, store: Meddling, part: Any) -> None:
        self._store, self._part = store, part

    def __getattr__(self, name: str) -> Any:
        return self._store.wrap(name, getattr(self._part, name))
