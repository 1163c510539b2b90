"""ScrubLease: which process scrubs a database, and how far it has come, in an authenticated row of `server_state`.

It is harmless if two processes scrub for a moment: both find the same faults, and each fault is recorded once.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from ...interface.object_checks import ScrubState
from ..statements import NO_VALUES, InsertIfAbsent, Rows, Runner, Statement
from ..tables.row_macs import AlteredRow, RowAuthenticator
from ..tables.schema import server_state

_NAME = "scrub"
_N = server_state.c
select_scrub = select(_N.value).where(_N.name == _NAME)
_select = Statement(select_scrub)
_insert = Statement(InsertIfAbsent(server_state), server_state.columns.keys())
_update = Statement(
    update(server_state).where(_N.name == _NAME, _N.value == bindparam("of_value")), ("value",)
)


class _Held(NamedTuple):
    """Who scrubs. session: of the process that scrubs, or "". seen: seconds since the Unix epoch."""

    session: str = ""
    seen: int = 0
    state: ScrubState = ScrubState()


class ScrubLease:
    """The lease as one process sees it. clock: gives the time in seconds since the Unix epoch."""

    def __init__(self, authenticator: RowAuthenticator, clock: Callable[[], float]) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._session = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}"

    def parse_state(self, rows: Rows) -> ScrubState:
        """The state of the scrub. rows: of `select_scrub`."""
        return self._parse_rows(rows)[1].state

    def is_taken(self, rows: Rows, within_s: int) -> bool:
        """Whether another process has the lease, and has given a sign of life within this time."""
        held = self._parse_rows(rows)[1]
        is_mine = held.session in ("", self._session)
        return not is_mine and abs(int(self._clock()) - held.seen) < within_s

    def hold(self, runner: Runner, state: ScrubState | None, within_s: int) -> ScrubState | None:
        """As `ObjectChecks.hold_scrub`."""
        rows = runner.select(_select, NO_VALUES)
        if self.is_taken(rows, within_s):
            return None
        value, held = self._parse_rows(rows)
        now = int(self._clock())
        state = state if state is not None and held.session == self._session else held.state
        return state if self._write(runner, value, _Held(self._session, now, state)) else None

    def leave(self, runner: Runner, state: ScrubState) -> None:
        value, held = self._parse_rows(runner.select(_select, NO_VALUES))
        if held.session == self._session:
            self._write(runner, value, held._replace(session="", state=state))

    def _parse_rows(self, rows: Rows) -> tuple[Any, _Held]:
        """(value of the row, what it says)"""
        value = rows[0][0] if rows else None
        return value, _Held() if value is None else self._parse(value)

    def _parse(self, value: Any) -> _Held:
        """What a row's value says. If something else wrote it, nobody scrubs, and the scrub begins at the start."""
        try:
            mac, text = bytes(value).decode().split("|", 1)
            self._authenticator.check_row(
                "the scrub", bytes.fromhex(mac), server_state.name, _NAME, text
            )
            session, seen, state = json.loads(text)
            return _Held(session, seen, ScrubState(*state))
        except (AlteredRow, TypeError, ValueError):
            return _Held()

    def _write(self, runner: Runner, before: Any, held: _Held) -> bool:
        """Store the lease; False where another process was faster."""
        text = json.dumps([held.session, held.seen, list(held.state)])
        mac = self._authenticator.row_mac(server_state.name, _NAME, text)
        value = f"{mac.hex()}|{text}".encode()
        if before is None:
            return bool(runner.change_counted(_insert, {"name": _NAME, "value": value}))
        return bool(runner.change_counted(_update, {"of_value": before, "value": value}))
