"""The items of one RequestMessage, run one after the other (KMIP 2.1 §6.1, §9).

A batch is one transaction. Its items run on a `Transaction`, which holds their changes back: a later
item sees what an earlier one did, the database does not. At the end all changes are committed in one
step, durable before the answer is sent. The option decides what a failed item undoes:

    Continue   its own changes; the other items count
    Stop       its own changes; the items after it are not run
    Undo       everything: nothing is committed, and the items before it are answered Operation Undone

An item whose answer does not fit into the response fails like any other, so that nobody has to guess
what was done. The client's MaximumResponseSize counts binary TTLV, whatever the encoding; the server's
own limit counts what will be sent, as JSON has up to ten times as many bytes. Room for that failure is kept for
each item to come, and the texts of others are cut to it, as a client may have no more memory than it said; a
message of several items for which all of that is too much is refused whole, with nothing done.

Two things may go wrong at the commit. **Conflict**: another writer changed an object after an item had
read it. Nothing was written, and the whole batch is run again, from the second attempt on in turn
(`service`). **Refused**: the database refuses the changes of certain items (a Name that is in
use, a nonce that was spent). Nothing was written either; the batch is run again, and those items fail
at once with what the database said.

Some items cannot be run twice: a stream cannot give back the data that it has processed. Such an operation
calls `commit_now`, and all changes up to and including its own are committed there and then. From that
point on the batch has a *checkpoint*: an attempt that follows a conflict goes on after it, and if no
attempt succeeds, the items before the checkpoint are answered as they ended. Undo cannot take a commit
back, so such an operation fails within Undo.

The ID placeholder (§6.1) stands for the object of an item that names none. The catalogue says which
operations set it, and `domain.search.choose_placeholder` which located object. It is cleared when one of them
fails, or an operation that is not offered: the items after it were not meant for another object. The names of §11.58
stand for the objects of one operation each (`placeholder`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..audit.record import Origin
from ..auth.principal import Principal
from ..errors import (
    GeneralFailure,
    KMIPError,
    Unavailable,
)
from ..kmip.codecs.long_answers import LONG_ITEM, replace_by_written, write_item
from ..kmip.enums import BatchErrorContinuationOption
from ..kmip.messages import responses
from ..kmip.messages.batch_items import RequestItem
from ..kmip.messages.requests import DEFAULT_OPTION, RequestMessage
from ..kmip.ttlv import Node, encoded_length
from ..kmip.version_gate import VersionGate
from ..operations.common.client_profile import choose_message_profile
from ..operations.common.transaction import Transaction
from ..store.interface.changes import Conflict, Refused
from .auditing.item_records import ItemRecorder
from .item_results import ItemResult, make_failure, mark_undone, too_large
from .load.limits import MAX_RESPONSE_BYTES, has_many_values
from .placeholder import Placeholder
from .service import ATTEMPTS, Service, TooManyConflicts, find_identifier

# In Python 3.11, BatchErrorContinuationOption.UNDO calls a function each time.
_STOP, _UNDO = BatchErrorContinuationOption.STOP, BatchErrorContinuationOption.UNDO

#: Seconds after which no further item is begun; most clients have given up by then.
DEADLINE_S = 30.0

#: Seconds after which a batch lets the other requests of the process run, and waits for its turn. A short request takes
#: five turns of the loop or more, and each of them may have such a step.
TURN_S = 0.0003

# Bytes by which an answer grows before that is counted among what the server holds: it refuses none that is shorter.
_HOLD_STEP = 16 * 1024


async def run(
    service: Service,
    principal: Principal,
    message: RequestMessage,
    *,
    overhead: int,
    hold: Callable[[int], None] = lambda size: None,
    monotonic: Callable[[], float] = time.monotonic,
    origin: Origin | None = None,
    default_option: BatchErrorContinuationOption = DEFAULT_OPTION,
) -> list[ItemResult]:
    """The results of the items that were reached. A failure is a result, too.

    overhead: bytes of TTLV in the answer before its first item.
    hold: is told how many bytes the answer has so far, and may raise Unavailable.
    origin: the origin under which each item is recorded; None records nothing.
    default_option: the option if the header of the message leaves it to the server.
    Raises Unavailable where the store is out of reach, or memory for the answer, before anything was done.
    """
    recorder = ItemRecorder(service.auditor, origin, message.items)
    if message.header is None:
        results = [
            make_failure(item, item.request)
            for item in message.items
            if isinstance(item.request, KMIPError)
        ]
    else:
        batch_run = _BatchRun(service, principal, message, overhead, hold, monotonic, recorder)
        if batch_run.room_for_items < batch_run.reserved[0] and len(message.items) > 1:
            error = too_large()
            return [make_failure(RequestItem(None, error), error, room=batch_run.room_for_items)]
        batch_run.option = message.header.batch_error_continuation_option or default_option
        if batch_run.option is _UNDO:
            results = await batch_run.run_all_or_nothing()
        else:
            results = await batch_run.run_item_by_item()
    for position, result in enumerate(results):
        recorder.finish(
            position,
            result.result,
            result.uid,
            has_failed=result.has_failed,
            is_undone=result.is_undone,
        )
    return results


class _Checkpoint(NamedTuple):
    """The position of the first item that is not on disk yet, and the state at that point."""

    position: int
    results: tuple[ItemResult, ...]
    objects: Mapping[int, str]
    room: int
    sent: int


class _BatchRun:
    """One message while it runs.

    room: the bytes of TTLV by which the response may still grow.
    sent: its bytes so far, as they will be sent.
    reserved: by position, the bytes of TTLV that are kept for the items from there on, so that each can be told that
    its answer is too large; 0 where the client set no limit.
    """

    def __init__(
        self,
        service: Service,
        principal: Principal,
        message: RequestMessage,
        overhead: int,
        hold: Callable[[int], None],
        monotonic: Callable[[], float],
        recorder: ItemRecorder,
    ) -> None:
        assert message.header is not None
        self.recorder = recorder
        self.service = service
        self.principal = principal
        self.items = message.items
        self.gate = message.gate
        self.client = choose_message_profile(message.version)
        self.dialect = message.dialect
        self.hold = hold
        self.option = DEFAULT_OPTION
        self.monotonic = monotonic
        self.turn_ends = time.perf_counter() + TURN_S
        self.deadline = monotonic() + DEADLINE_S
        size = message.header.maximum_response_size
        limit = MAX_RESPONSE_BYTES if size is None else min(size, MAX_RESPONSE_BYTES)
        self.room_for_items = limit - overhead
        self.reserved = [0] * (len(self.items) + 1)
        if size is not None:
            for position, item in reversed([*enumerate(self.items)]):
                length = make_failure(item, too_large()).length
                self.reserved[position] = self.reserved[position + 1] + length
        self.placeholder = Placeholder(service.operations)
        self.room, self.sent = self.room_for_items, 0
        #: How many bytes of the answer `hold` knows of.
        self.held = 0
        self.checkpoint = _Checkpoint(0, (), {}, self.room, self.sent)
        #: Items whose changes the database refused, when all of them were to be committed.
        self.refused: dict[int, KMIPError] = {}

    async def run_item_by_item(self) -> list[ItemResult]:
        """For Continue and Stop.

        Items that are on disk are answered as done, even if the others cannot be carried out.
        """
        try:
            results = await self._attempt_in_turn(self._attempt_item_by_item)
        except Unavailable as exc:
            if not self.checkpoint.results:
                raise
            return self._fail_rest(GeneralFailure(str(exc)))
        return self._fail_rest(TooManyConflicts()) if results is None else results

    async def run_all_or_nothing(self) -> list[ItemResult]:
        """For Undo."""
        results = await self._attempt_in_turn(self._attempt_all_or_nothing)
        if results is None:
            return mark_undone([], make_failure(self.items[0], TooManyConflicts()))
        return results

    async def _attempt_in_turn(
        self, attempt: Callable[[], Awaitable[list[ItemResult]]]
    ) -> list[ItemResult] | None:
        """The results of the first attempt that is not disturbed; None where something came between in all of them.

        The first attempt begins at once; the others wait for their turn, and keep it.
        """
        results = await self._try(attempt)
        if results is None:
            requests = (item.request for item in self.items)
            async with self.service.take_turn(self.principal, *requests):
                for _ in range(ATTEMPTS - 1):
                    results = await self._try(attempt)
                    if results is not None:
                        break
        return results

    async def _try(
        self, attempt: Callable[[], Awaitable[list[ItemResult]]]
    ) -> list[ItemResult] | None:
        """The results; None where the attempt has to be repeated."""
        try:
            return await attempt()
        except Conflict:
            pass
        except Refused as exc:
            self.refused.update(exc.failures)
        return None

    async def _attempt_item_by_item(self) -> list[ItemResult]:
        """One attempt for Continue and Stop. Raises Conflict, Refused and Unavailable."""
        transaction = self.service.begin_transaction()
        results = [*self.checkpoint.results]
        checkpoint = self.checkpoint
        self.placeholder.objects, self.room = checkpoint.objects, checkpoint.room
        self.sent = checkpoint.sent
        for position in range(self.checkpoint.position, len(self.items)):
            result = await self._execute_item(position, transaction)
            if result.has_failed:
                transaction.roll_back_item()
            self._add(result, results)
            if transaction.has_committed_early:
                await transaction.finish()
                transaction.has_committed_early = False
                self.checkpoint = _Checkpoint(
                    position + 1, tuple(results), self.placeholder.objects, self.room, self.sent
                )
            if result.has_failed and self.option is _STOP:
                break
            if self._has_had_turn():
                await self._let_others_run()
        await transaction.finish()
        return results

    async def _attempt_all_or_nothing(self) -> list[ItemResult]:
        """One attempt for Undo. Raises Conflict, Refused and Unavailable."""
        transaction = self.service.begin_transaction(undoes=True)
        self.placeholder.objects, self.room, self.sent = {}, self.room_for_items, 0
        results: list[ItemResult] = []
        for position in range(len(self.items)):
            result = await self._execute_item(position, transaction)
            if result.has_failed:
                return mark_undone(results, result)
            self._add(result, results)
            if self._has_had_turn():
                await self._let_others_run()
        await transaction.finish()
        return results

    def _add(self, result: ItemResult, results: list[ItemResult]) -> None:
        results.append(result)
        self.room -= result.length
        self.sent += result.sent_length

    def _has_had_turn(self) -> bool:
        return time.perf_counter() > self.turn_ends and len(self.items) > 1

    async def _let_others_run(self) -> None:
        await self.service.loop_turns.wait(self.principal.name)
        self.turn_ends = time.perf_counter() + TURN_S

    def _fail_rest(self, error: KMIPError) -> list[ItemResult]:
        """The results of the items that are on disk, followed by the error for all others."""
        rest = self.items[self.checkpoint.position :]
        if self.option is _STOP:
            rest = rest[:1]
        return [*self.checkpoint.results, *(make_failure(item, error) for item in rest)]

    async def _execute_item(self, position: int, transaction: Transaction) -> ItemResult:
        """The result; nothing is committed yet. Raises Conflict, Refused and Unavailable."""
        item = self.items[position]
        room = self.room - self.reserved[position + 1]
        transaction.begin_item(position)
        uid = getattr(item.request, "unique_identifier", None)
        try:
            self._check_deadline()
            if position in self.refused:
                raise self.refused[position]
            request = self.placeholder.fill(item)
            uid = getattr(request, "unique_identifier", None)
            assert item.operation is not None
            response = await self.service.attempt(
                self.principal,
                item.operation,
                request,
                transaction,
                client=self.client,
                entry=self.recorder.begin(position),
            )
            node, length, sent_length = await self._render(item, response)
            if length > room or self.sent + sent_length > MAX_RESPONSE_BYTES:
                raise too_large()
            if self.sent + sent_length - self.held > _HOLD_STEP:
                self.held = self.sent + sent_length
                self.hold(self.held)
        except KMIPError as exc:
            self.placeholder.clear(item)
            return make_failure(item, exc, uid, room)
        self.placeholder.set(item, response)
        uid = find_identifier(response) or uid
        return ItemResult(item, node, length, "Success", uid, sent_length=sent_length)

    async def _render(self, item: RequestItem, response: Any) -> tuple[Node, int, int]:
        """The item of the response, its length in TTLV, and its length as it will be sent.

        Each item is written when it is done: writing a hundred of them at the end would hold the loop, even from a
        thread. As trees they would be ten times as large, and the garbage collector would go through the trees of whole
        batches again and again.
        """
        has_many = has_many_values(response)
        if has_many:
            node, length = await self.service.run_surely(
                self.principal, partial(_render, item, response, self.gate)
            )
        else:
            node, length = _render(item, response, self.gate)
        if has_many or length > LONG_ITEM:
            octets = await self.service.run_surely(
                self.principal, partial(write_item, node, self.dialect, length)
            )
        else:
            octets = write_item(node, self.dialect, length)
        return replace_by_written(node, octets), length, len(octets)

    def _check_deadline(self) -> None:
        if self.monotonic() > self.deadline:
            raise GeneralFailure("the batch takes too long: send the rest in another message")


def _render(item: RequestItem, response: Any, gate: VersionGate | None) -> tuple[Node, int]:
    """The item of the response, and its length in TTLV."""
    node = responses.render_success(item, response, gate)
    return node, encoded_length(node)
