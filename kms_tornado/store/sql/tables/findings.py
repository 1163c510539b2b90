"""Faults that were found in objects: rows of `server_state`, and marks in the MACs of the objects' own rows.

The row of a refused object keeps its values, and its MAC after a mark (`row_macs.REFUSED`). So no server uses the row,
and none has to look here; and once the right row is put back, nothing is left to be undone. If an object's row is gone,
nobody can use its identifier.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from ....audit.record import Draft, Origin, make_draft
from ...interface.object_checks import AUDIT, Acceptance, Fault, Finding, StoredRow
from ..constants import write_constant
from ..statements import InsertIfAbsent, Rows, Runner, Statement
from .row_macs import REFUSED, RowAuthenticator, split_refused
from .schema import objects, server_state
from .tombstones import keep_from_all, release

#: The prefix of a row's name, before the object's identifier.
_PREFIX = "finding:"

_N = server_state.c
select_findings = select(_N.name, _N.value).where(
    func.substr(_N.name, write_constant(1), write_constant(len(_PREFIX))) == _PREFIX
)
_select_one = Statement(select(_N.value).where(_N.name == bindparam("of_name")))
_insert = Statement(InsertIfAbsent(server_state), server_state.columns.keys())
_delete = Statement(delete(server_state).where(_N.name == bindparam("of_name")))
_set_code = Statement(
    update(objects).where(
        objects.c.uid == bindparam("of_uid"), objects.c.mac == bindparam("of_mac")
    ),
    ("mac",),
)
_select_code = Statement(
    select(objects.c.mac).where(objects.c.uid == bindparam("of_uid")).with_for_update()
)


def parse_findings(rows: Rows) -> dict[str, Finding]:
    """{identifier: what was found}. rows: of `select_findings`."""
    return {name.removeprefix(_PREFIX): _parse(value) for name, value in rows}


def refuse(
    runner: Runner,
    faults: Sequence[Fault],
    origin: Origin,
    now: int,
    authenticator: RowAuthenticator,
) -> Sequence[Fault]:
    """As `ObjectChecks.refuse`."""
    new_faults, drafts = [], []
    for fault in faults:
        if not fault.is_told_only and not _refuse_row(runner, fault, authenticator):
            continue  # it was changed meanwhile
        value = json.dumps([fault.text, now]).encode()
        if runner.change_counted(_insert, {"name": _PREFIX + fault.uid, "value": value}):
            new_faults.append(fault)
            drafts.append(_draft(origin, fault.uid, {"fault": fault.text}))
    if drafts:
        runner.note(drafts, {})
    return new_faults


def _refuse_row(runner: Runner, fault: Fault, authenticator: RowAuthenticator) -> bool:
    if fault.is_gone:
        keep_from_all(runner, fault.uid, authenticator)
    elif fault.code is not None:
        values = {"of_uid": fault.uid, "of_mac": fault.code, "mac": REFUSED + fault.code}
        return bool(runner.change_counted(_set_code, values))
    return True


def clear(runner: Runner, rows: Sequence[StoredRow], origin: Origin) -> Sequence[str]:
    """As `ObjectChecks.clear`."""
    cleared, drafts = [], []
    for row in rows:
        name = {"of_name": _PREFIX + row.uid}
        former = runner.select(_select_one, name)
        is_freed = row.uid != AUDIT and _free_row(runner, row.uid, row.code)
        if former or is_freed:
            runner.change(_delete, name)
            cleared.append(row.uid)
            text = _parse(former[0][0]).text if former else ""
            drafts.append(_draft(origin, row.uid, {"cleared": text}))
    if drafts:
        runner.note(drafts, {})
    return cleared


def accept(runner: Runner, acceptance: Acceptance, origin: Origin) -> bool:
    """As `ObjectChecks.accept`."""
    uid, code = acceptance.uid, acceptance.code
    rows = runner.select(_select_code, {"of_uid": uid})
    if (split_refused(rows[0][0])[0] if rows else None) != code:
        return False
    if code is not None:
        _free_row(runner, uid, code)
    name = {"of_name": _PREFIX + uid}
    text = "".join(_parse(value).text for (value,) in runner.select(_select_one, name))
    runner.change(_delete, name)
    for was, after in acceptance.missing:
        draft = make_draft(origin, "Accept", uid=uid, detail={"fault": text}, changes=[uid])
        runner.note([draft], {uid: (_read_code(was), _read_code(after))})
    return True


def _free_row(runner: Runner, uid: str, code: bytes) -> bool:
    """Remove the mark if the row has this MAC; whether there was one."""
    values = {"of_uid": uid, "of_mac": REFUSED + code, "mac": code}
    is_freed = bool(code) and bool(runner.change_counted(_set_code, values))
    if code:
        release(runner, uid)
    return is_freed


def _parse(value: Any) -> Finding:
    try:
        text, since = json.loads(bytes(value))
        return Finding(str(text), int(since))
    except (TypeError, ValueError):  # it decides nothing, so it has no code
        return Finding("what was found cannot be read", 0)


def _read_code(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _draft(origin: Origin, uid: str, detail: Mapping[str, str]) -> Draft:
    return make_draft(origin, "Finding", uid=None if uid == AUDIT else uid, detail=detail)
