"""Verifying the audit of a database, beside servers that add to it: every record, every checkpoint, every object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...audit.record import COMMAND
from ...audit.signing import AuditPublicKey
from ...audit.verification import ChainVerifier, CheckpointVerifier
from ...store.interface.object_checks import AUDIT, Fault
from ...store.interface.object_store import ObjectStore
from ..auditing.anchor_file import Anchor
from ..auditing.set_back import find_set_back
from .objects import AuditSetBack, Checked, ObjectVerification, RecordReader


@dataclass(slots=True)
class Report:
    """faults: of the audit, in whole sentences. uncovered: records behind the last checkpoint, {chain: number}.

    found: what is wrong with objects, by identifier. unfit: as `ObjectChecks.find_unfit`. cleared: objects that were refused, and are used again.
    unknown: identifiers to accept that no object has, and none should have.
    """

    faults: list[str] = field(default_factory=list)
    records: int = 0
    checkpoints: int = 0
    objects: int = 0
    uncovered: Mapping[int, int] = field(default_factory=dict)
    found: dict[str, Fault] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, checked: Checked) -> None:
        self.objects += checked.rows
        self.found |= {fault.uid: fault for fault in checked.faults}
        self.cleared += checked.cleared


async def verify_audit(
    store: ObjectStore, keys: Sequence[AuditPublicKey], anchor: Anchor | None
) -> Report:
    """Compare all that is there with one another. keys: that may sign checkpoints. Raises Unavailable.

    Objects that are not as they should be are refused from now on.
    """
    # In this order: what is read later may only be newer.
    report = Report()
    if anchor is not None and (fault := await find_set_back(store.audit, anchor, keys)):
        report.faults.append(f"{fault} (anchor: {anchor.path})")
    checkpoints = CheckpointVerifier(keys)
    after = 0
    while page := await store.audit.read_checkpoints(after):
        for number, line in page:
            report.faults += checkpoints.feed(line)
            after = number
    report.checkpoints = checkpoints.number
    chains = ChainVerifier(checkpoints.heads)
    reader = RecordReader(store, chains)
    await verify_objects(store, reader, report)
    if not reader.faults and (where := await store.checks.find_index_fault()):
        report.faults.append(
            f"the index of the audit was changed by something else than a server ({where}): GET /audit may leave out "
            "records until it is made anew by kms-tornado audit reindex"
        )
    report.records = chains.records
    covered = {} if checkpoints.newest is None else checkpoints.newest.heads
    report.uncovered = {
        chain: end.seq - (covered[chain].seq if chain in covered else 0)
        for chain, end in sorted(chains.ends.items())
        if chain not in covered or end.seq > covered[chain].seq
    }
    return report


async def verify_objects(
    store: ObjectStore,
    reader: RecordReader,
    report: Report,
    *,
    accepted: Sequence[str] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Compare all objects with the records. accepted: objects that are taken as they are. Raises Unavailable.

    progress: called with how many objects were compared so far.
    """
    report.faults += await store.checks.find_odd_values()
    objects = ObjectVerification(store, reader, COMMAND)
    await objects.begin()
    await reader.catch_up()
    await reader.find_moved_heads()
    reader.faults += reader.chains.finish()  # before anything is recorded here
    try:
        await _check_objects(objects, report, accepted, progress)
    except AuditSetBack:  # which the reader's faults tell
        pass
    await objects.tell_audit(may_clear=True)
    report.faults += reader.faults


async def _check_objects(
    objects: ObjectVerification,
    report: Report,
    accepted: Sequence[str],
    progress: Callable[[int], None],
) -> None:
    for uid in accepted:
        checked = await objects.check_one(uid)
        if checked.faults and not await objects.accept(uid):
            raise NotAccepted(uid)
        if not checked.faults and not checked.rows:
            report.unknown.append(uid)
    after = 0
    while (checked := await objects.check_page(after)).rows:
        report.add(checked)
        report.unfit |= await objects.find_unfit(after, checked.last)
        after = checked.last
        progress(report.objects)
    async for checked in objects.check_gone():
        report.add(checked)
    for uid in sorted(objects.refused - report.found.keys() - {AUDIT}):  # rightly gone by now
        report.add(await objects.check_one(uid))


class NotAccepted(Exception):
    """An object cannot be taken as it is. Its text is the identifier."""
