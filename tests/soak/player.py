"""A client with a connection to each server: sends requests in turn as all users, and checks each answer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from . import messages as m
from .client import Connection, NotSentError, Server, TooLateError, UnansweredError
from .ledger import Ledger
from .model import Contradiction, Question, Record, Register, Write
from .tokens import Token, Tokens

# A server that was killed is started again at once.
_CONNECTS_WITHIN_S = 180.0


class NoAnswerError(Exception):
    """The request was not answered, or by 503; of a write nobody knows whether it was done."""


class Answer:
    """status and body of an answer; asked_at: when its request was sent, by the monotonic clock."""

    def __init__(self, server: Server, asked_at: float, status: int, body: bytes) -> None:
        self.server, self.asked_at, self.status, self.body = server, asked_at, status, body

    @property
    def result(self) -> str:
        """Success, or the reason of a refused bare operation."""
        return "Success" if self.status == 200 else m.reason_of(self.body)


class Player:
    """One request at a time, to either server."""

    def __init__(self, ledger: Ledger, tokens: Tokens, servers: list[Server]) -> None:
        self.ledger = ledger
        self.tokens = tokens
        self._connections = [Connection(server) for server in servers]

    @property
    def servers(self) -> list[Server]:
        return [connection.server for connection in self._connections]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def ask(
        self, user: str, body: m.Body, *registers: Register, token: Token | None = None,
        server: Server | None = None,
    ) -> tuple[Answer, Question]:  # fmt: skip
        """The answer, and the readings of these registers that the caller checks it by.

        Raises NoAnswerError; Contradiction for an answer that no request may get.
        """
        give_up_at = time.monotonic() + _CONNECTS_WITHIN_S
        while True:
            connection = self._choose(server)
            used = token or self.tokens.good(user)
            asked_at = time.monotonic()
            with Question(asked_at, *registers) as question:
                try:
                    status, content = await connection.ask(body.to_request(used.header))
                except NotSentError as exc:
                    if time.monotonic() > give_up_at:
                        raise NoAnswerError from exc
                    await asyncio.sleep(0.02)
                    continue
                except UnansweredError as exc:
                    self.ledger.count_request()
                    self.ledger.counts["without an answer"] += 1
                    raise NoAnswerError from exc
                except TooLateError as exc:
                    self.ledger.count_request()
                    raise Contradiction("there is no answer on an open connection") from exc
                answer = Answer(connection.server, asked_at, status, content)
                if self._is_final(answer, used):
                    return answer, question
            if token is not None:
                raise NoAnswerError
            await asyncio.sleep(0.02)

    def _choose(self, server: Server | None) -> Connection:
        if server is None:
            return random.choice(self._connections)
        return next(c for c in self._connections if c.server is server)

    def _is_final(self, answer: Answer, token: Token) -> bool:
        """Whether it is about the request, and not about the token alone. Raises NoAnswerError for 503."""
        counts = self.ledger.counts
        self.ledger.count_request()
        counts[f"status {answer.status}"] += 1
        if answer.status == 503:
            counts[_cause_of(answer.body)] += 1
            raise NoAnswerError
        if answer.status >= 500 or b"General" in answer.body[:400]:
            raise Contradiction(f"{answer.status} {answer.body[:300]!r}")
        self.tokens.check(token, answer.asked_at, is_refused=answer.status == 401)
        if answer.status == 200:
            answer.server.answered_well(answer.asked_at)
        return answer.status != 401

    # --- what is checked --------------------------------------------------------------------------

    async def read(
        self, user: str, record: Record, body: m.Body, registers: tuple[Register, ...],
        outcome: Callable[[Answer], Any], expected: Callable[..., Any], what: str,
        server: Server | None = None,
    ) -> Answer | None:  # fmt: skip
        """Ask, and check the outcome against the registers; None where there was no answer."""
        try:
            answer, question = await self.ask(user, body, *registers, server=server)
            seen = outcome(answer)
            question.check(seen, expected)
        except NoAnswerError:
            return None
        except Contradiction as exc:
            self.ledger.contradict(f"{what} as {user}: {exc}", record)
            return None
        return answer

    async def write(
        self,
        user: str,
        body: m.Body,
        changes: Sequence[tuple[Record, Register, Hashable]],
        what: str,
    ) -> Answer | None:
        """Ask for the changes of one transaction; None where they were not acknowledged."""
        write = Write(*[(register, value) for _, register, value in changes])
        records = [record for record, _, _ in changes]
        try:
            answer, _ = await self.ask(user, body)
            if answer.status != 200:
                raise Contradiction(f"refused with {answer.body[:200]!r}")
        except NoAnswerError:
            write.leave_open(time.monotonic())
            self.ledger.leave_open(*records)
            self._note(records, f"{what} open")
            return None
        except Contradiction as exc:
            write.leave_open(time.monotonic())
            self.ledger.contradict(f"{what} as {user}: {exc}", records[0])
            return None
        self._note(records, f"{what} on {answer.server.name}")
        if not _failed_items(answer, body):
            write.acknowledge()
            self.ledger.counts["acknowledged writes"] += 1
            return answer
        self.ledger.contradict(
            f"{what} as {user}: an item failed: {answer.body[:600]!r}", records[0]
        )
        write.leave_open(time.monotonic())
        return None

    def _note(self, records: list[Record], what: str) -> None:
        for record in records:
            record.note(f"{time.monotonic():.1f} {what}")


def _failed_items(answer: Answer, body: m.Body) -> list[str]:
    """The reasons in the answer to a message; [] where it is none."""
    if not body.startswith(b'{"tag": "RequestMessage"'):
        return []
    reasons = [m.item_reason(item) for item in m.items_of(answer.body)]
    return [reason for reason in reasons if reason != "Success"]


def _cause_of(body: bytes) -> str:
    """Of a 503."""
    return f"503 {json.loads(body).get('error_description', '')}"[:100]
