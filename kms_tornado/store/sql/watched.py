"""WatchedBackend: a backend that counts its running calls, and reports failures to `DatabaseHealth`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import Unavailable
from ..health import DatabaseHealth, DatabaseLoad
from .backend import Backend
from .commits import Job
from .statements import NO_VALUES, Prepared, Rows, Values


class WatchedBackend:
    """The part of a `Backend` that requests use. While nothing fails, a call costs one more step."""

    __slots__ = ("_backend", "_health", "_reads", "_searches", "_writes")

    def __init__(self, backend: Backend, health: DatabaseHealth) -> None:
        self._backend = backend
        self._health = health
        self._reads = self._searches = self._writes = 0

    def load(self) -> DatabaseLoad:
        return DatabaseLoad(self._reads, self._searches, self._writes, self._backend.pool_load())

    async def read(self, statement: Prepared, values: Values = NO_VALUES) -> Rows:
        self._reads += 1
        try:
            return await self._backend.read(statement, values)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise
        finally:
            self._reads -= 1

    async def search(self, statement: Prepared, values: Values, *, principal: str) -> Rows:
        self._searches += 1
        try:
            return await self._backend.search(statement, values, principal=principal)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise
        finally:
            self._searches -= 1

    async def search_tagged(
        self, statement: Prepared, values: Iterator[Values], *, principal: str
    ) -> Rows:
        self._searches += 1
        try:
            return await self._backend.search_tagged(statement, values, principal=principal)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise
        finally:
            self._searches -= 1

    async def submit(self, job: Job, *, erases: bool = False) -> Any:
        self._writes += 1
        try:
            return await self._backend.submit(job, erases=erases)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=True)
            raise
        finally:
            self._writes -= 1

    async def rehearse(self, job: Job) -> Any:
        self._searches += 1
        try:
            return await self._backend.rehearse(job)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=True)
            raise
        finally:
            self._searches -= 1
