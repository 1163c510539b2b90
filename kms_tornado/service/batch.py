"""The items of one RequestMessage, one after the other (KMIP 2.1 §6.1, §9).

All of them together are one transaction. With Continue and Stop a failure takes back what its own item
did, with Undo everything; so does an answer that is too long, so that nobody has to guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..auth.principal import Principal
from ..errors import (
    GeneralFailure,
    KMIPError,
    MissingData,
    ResponseTooLarge,
    Unavailable,
)
from ..kmip import responses
from ..kmip.enums import BatchErrorContinuationOption
from ..kmip.requests import RequestItem, RequestMessage
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Node, encoded_length
from ..operations.common.transaction import Transaction
from ..store.base import Conflict, Refused
from .limits import MAX_RESPONSE_BYTES
from .service import ATTEMPTS, Service, too_many_conflicts

#: After so many seconds no further item is begun; most clients have given up by then.
DEADLINE_S = 30.0

#: Other requests wait meanwhile: after so many seconds it is their turn.
TURN_S = 0.001


@dataclass(frozen=True, slots=True)
class ItemResult:
    """node: the item of the response. length: its bytes in TTLV. result, uid: for log and metrics."""

    item: RequestItem
    node: Node
    length: int
    result: str
    uid: str | None = None
    has_failed: bool = False

    @property
    def operation(self) -> str:
        return "none" if self.item.operation is None else OPERATION_TAGS[self.item.operation]


async def run(
    service: Service,
    principal: Principal,
    message: RequestMessage,
    *,
    overhead: int,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[ItemResult]:
    """The results of the items that were reached. Failures are results.

    overhead: bytes of TTLV in the answer before its first item.
    Raises Unavailable where the store is out of reach before anything was done.
    """
    if message.header is None:
        return [
            _failed(each, each.request)
            for each in message.items
            if isinstance(each.request, KMIPError)
        ]
    run_ = _Run(service, principal, message, overhead, monotonic)
    if message.header.batch_error_continuation_option is BatchErrorContinuationOption.UNDO:
        return await run_.all_or_nothing()
    return await run_.one_by_one()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is on disk already, and where to go on: items that settled are not run again."""

    position: int
    results: tuple[ItemResult, ...]
    placeholder: str | None
    room: int


class _Run:
    """placeholder: the ID placeholder. room: bytes that the response may still grow by.

    Failures are told even where there is no room: they are short, and silence would be worse.
    """

    def __init__(
        self,
        service: Service,
        principal: Principal,
        message: RequestMessage,
        overhead: int,
        monotonic: Callable[[], float],
    ) -> None:
        assert message.header is not None
        self.service = service
        self.principal = principal
        self.items = message.items
        self.option = message.header.batch_error_continuation_option
        self.monotonic = monotonic
        self.turn_ends = time.perf_counter() + TURN_S
        self.deadline = monotonic() + DEADLINE_S
        wanted = message.header.maximum_response_size
        limit = MAX_RESPONSE_BYTES if wanted is None else min(wanted, MAX_RESPONSE_BYTES)
        self.room_for_items = limit - overhead
        self.placeholder: str | None = None
        self.room = self.room_for_items
        self.kept = _Kept(0, (), None, self.room_for_items)
        #: Items whose changes the database refused, when all of them were to be committed.
        self.refused: dict[int, KMIPError] = {}

    async def one_by_one(self) -> list[ItemResult]:
        """What was settled on the way is told, even if the rest cannot be."""
        async with contextlib.AsyncExitStack() as turn:
            for number in range(ATTEMPTS):
                await self._wait(number, turn)
                try:
                    return await self._in_one_transaction()
                except Conflict:
                    continue
                except Refused as exc:
                    self.refused.update(exc.failures)
                except Unavailable as exc:
                    if not self.kept.results:
                        raise
                    return self._given_up(GeneralFailure(str(exc)))
        return self._given_up(too_many_conflicts())

    async def _wait(self, number: int, turn: contextlib.AsyncExitStack) -> None:
        """The first attempt is made at once, the others when it is their turn."""
        if number == 1:
            requests = (item.request for item in self.items)
            await turn.enter_async_context(self.service.turn(self.principal, *requests))

    async def _in_one_transaction(self) -> list[ItemResult]:
        """A failure takes back what its own item did. Raises Conflict, Refused and Unavailable."""
        transaction = self.service.transaction()
        results = [*self.kept.results]
        self.placeholder, self.room = self.kept.placeholder, self.kept.room
        for position in range(self.kept.position, len(self.items)):
            result = await self._execute(position, transaction)
            if result.has_failed:
                transaction.take_back()
            results.append(result)
            self.room -= result.length
            if transaction.has_committed_early:
                await transaction.finish()
                transaction.has_committed_early = False
                self.kept = _Kept(position + 1, tuple(results), self.placeholder, self.room)
            if result.has_failed and self.option is BatchErrorContinuationOption.STOP:
                break
            await self._let_others_run()
        await transaction.finish()
        return results

    async def _let_others_run(self) -> None:
        if time.perf_counter() > self.turn_ends:
            await asyncio.sleep(0)
            self.turn_ends = time.perf_counter() + TURN_S

    def _given_up(self, error: KMIPError) -> list[ItemResult]:
        rest = self.items[self.kept.position :]
        if self.option is BatchErrorContinuationOption.STOP:
            rest = rest[:1]
        return [*self.kept.results, *(_failed(item, error) for item in rest)]

    async def all_or_nothing(self) -> list[ItemResult]:
        async with contextlib.AsyncExitStack() as turn:
            for number in range(ATTEMPTS):
                await self._wait(number, turn)
                self.placeholder, self.room = None, self.room_for_items
                try:
                    return await self._together()
                except Conflict:
                    continue
                except Refused as exc:
                    self.refused.update(exc.failures)
        return self._undone([], _failed(self.items[0], too_many_conflicts()))

    async def _together(self) -> list[ItemResult]:
        """Raises Conflict and Refused."""
        transaction = self.service.transaction(undoes=True)
        results: list[ItemResult] = []
        for position in range(len(self.items)):
            result = await self._execute(position, transaction)
            if result.has_failed:
                return self._undone(results, result)
            results.append(result)
            self.room -= result.length
            await self._let_others_run()
        await transaction.finish()
        return results

    def _undone(self, results: Sequence[ItemResult], failed: ItemResult) -> list[ItemResult]:
        return [
            dataclasses.replace(
                each, node=responses.render_undone(each.item, each.uid), result="Operation_Undone"
            )
            for each in results
        ] + [failed]

    async def _execute(self, position: int, transaction: Transaction) -> ItemResult:
        """The result, with nothing committed yet. Raises Conflict, Refused and Unavailable."""
        item = self.items[position]
        transaction.begin(position)
        uid = getattr(item.request, "unique_identifier", None)
        try:
            self._check_deadline()
            if position in self.refused:
                raise self.refused[position]
            request = self._with_placeholder(item)
            uid = getattr(request, "unique_identifier", None)
            assert item.operation is not None
            response = await self.service.attempt(
                self.principal, item.operation, request, transaction
            )
            node = responses.render_success(item, response)
            length = encoded_length(node)
            if length > self.room:
                raise ResponseTooLarge("the answer is longer than there is room for")
        except KMIPError as exc:
            self._clear_placeholder(item)
            return _failed(item, exc, uid)
        self._set_placeholder(item, response)
        return ItemResult(
            item, node, length, "Success", getattr(response, "unique_identifier", None)
        )

    def _check_deadline(self) -> None:
        if self.monotonic() > self.deadline:
            raise GeneralFailure("the batch takes too long: send the rest in another message")

    def _with_placeholder(self, item: RequestItem) -> Any:
        """The request, an omitted identifier filled in. Raises what is wrong with the payload."""
        request: Any = item.request
        if isinstance(request, KMIPError):
            raise request
        assert item.operation is not None
        fields = self.service.operations[item.operation].identifier_fields
        omitted = [field for field in fields if getattr(request, field) in (None, ())]
        if not omitted:
            return request
        if self.placeholder is None:
            raise MissingData("UniqueIdentifier is missing, and no item before this one left one")
        is_one = omitted[0] != "unique_identifiers"
        uid = self.placeholder if is_one else (self.placeholder,)
        return dataclasses.replace(request, **{omitted[0]: uid})

    def _set_placeholder(self, item: RequestItem, response: Any) -> None:
        assert item.operation is not None
        placeholder = self.service.operations[item.operation].placeholder
        if placeholder is not None:
            self.placeholder = placeholder(response)

    def _clear_placeholder(self, item: RequestItem) -> None:
        """After a failure of an operation that sets it, or of one that is not offered here.

        What follows was not meant for another object.
        """
        row = None if item.operation is None else self.service.operations.get(item.operation)
        if row is None or row.placeholder is not None:
            self.placeholder = None


def _failed(item: RequestItem, error: KMIPError, uid: str | None = None) -> ItemResult:
    node = responses.render_failure(item, error)
    result = error.reason_with_underscores
    return ItemResult(item, node, encoded_length(node), result, uid, has_failed=True)
