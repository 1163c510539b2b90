"""WatchedBackend: a backend whose failures are told to what watches over the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import Unavailable
from ..health import DatabaseHealth
from .backend import Backend
from .commits import Job
from .statements import NO_VALUES, Prepared, Rows, Values


class WatchedBackend:
    """What requests use of a `Backend`. Where nothing fails, a call costs one more step."""

    __slots__ = ("_backend", "_health")

    def __init__(self, backend: Backend, health: DatabaseHealth) -> None:
        self._backend = backend
        self._health = health

    async def read(self, statement: Prepared, values: Values = NO_VALUES) -> Rows:
        try:
            return await self._backend.read(statement, values)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise

    async def search(self, statement: Prepared, values: Values) -> Rows:
        try:
            return await self._backend.search(statement, values)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise

    async def search_tagged(self, statement: Prepared, values: Iterator[Values]) -> Rows:
        try:
            return await self._backend.search_tagged(statement, values)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=False)
            raise

    async def submit(self, job: Job, *, erases: bool = False) -> Any:
        try:
            return await self._backend.submit(job, erases=erases)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=True)
            raise

    async def rehearse(self, job: Job) -> Any:
        try:
            return await self._backend.rehearse(job)
        except Unavailable as exc:
            self._health.note_failure(exc, wrote=True)
            raise
