"""Verifying the audit of a database, beside servers that add to it: every record, every checkpoint, every object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..audit.chain import ChainHead
from ..audit.rollback import find_rollback
from ..audit.signing import AuditPublicKey
from ..audit.verification import ChainVerifier, CheckpointVerifier
from ..store.base import AuditStore
from .anchor_file import Anchor

# How often an object that does not fit is looked at again: a server may have changed it meanwhile.
_LOOKS = 3
_CODE = 32  # hexadecimal digits of a code that records tell


@dataclass(slots=True)
class Report:
    """faults: in whole sentences. uncovered: records behind the last checkpoint, {chain: number}."""

    faults: list[str] = field(default_factory=list)
    records: int = 0
    checkpoints: int = 0
    objects: int = 0
    uncovered: Mapping[int, int] = field(default_factory=dict)


async def verify_audit(
    store: AuditStore, keys: Sequence[AuditPublicKey], anchor: Anchor | None
) -> Report:
    """Compare all that is there with one another. keys: that may sign checkpoints. Raises Unavailable."""
    return await _Verification(store, keys, anchor).run()


class _Verification:
    def __init__(
        self, store: AuditStore, keys: Sequence[AuditPublicKey], anchor: Anchor | None
    ) -> None:
        self._store = store
        self._keys = keys
        self._anchor = anchor
        self._report = Report()
        #: Objects that are there, as their rows were read: identifier → code.
        self._codes: dict[str, str] = {}
        #: chain → first record of the last segment that was read.
        self._read: dict[int, int] = {}

    async def run(self) -> Report:
        # In this order: what is read later may only be newer.
        if self._anchor is not None:
            await self._compare_anchor(self._anchor)
        checkpoints = await self._verify_checkpoints()
        heads = await self._store.heads()
        chains = ChainVerifier(checkpoints.heads)
        await self._read_records(chains)
        self._report.faults += chains.finish()
        self._compare_heads(chains, heads)
        await self._verify_objects(chains)
        self._report.records = chains.records
        covered = {} if checkpoints.newest is None else checkpoints.newest.heads
        self._report.uncovered = {
            chain: end.seq - (covered[chain].seq if chain in covered else 0)
            for chain, end in sorted(chains.ends.items())
            if chain not in covered or end.seq > covered[chain].seq
        }
        return self._report

    async def _compare_anchor(self, anchor: Anchor) -> None:
        position = await self._store.position(anchor.checkpoint)
        if fault := find_rollback(anchor.checkpoint, anchor.line, position):
            self._report.faults.append(f"{fault} (anchor: {anchor.path})")

    async def _verify_checkpoints(self) -> CheckpointVerifier:
        verifier = CheckpointVerifier(self._keys)
        after = 0
        while page := await self._store.read_checkpoints(after):
            for number, line in page:
                self._report.faults += verifier.feed(line)
                after = number
        self._report.checkpoints = verifier.number
        return verifier

    async def _read_records(self, chains: ChainVerifier) -> None:
        """Those that were not read yet."""
        known = {0: 0, **self._read}
        for begun, after in sorted(known.items()):
            chain, first = begun, after
            while segments := await self._store.read_segments(chain, first):
                for segment in segments:
                    if segment.chain != begun and segment.chain in known:
                        break  # the rest of that one has its own turn
                    if not segment.is_ours:
                        self._report.faults.append(
                            f"records {segment.chain}/{segment.first} to {segment.chain}/{segment.last} were "
                            "not written by this server, or edited"
                        )
                    self._report.faults += chains.feed(segment.chain, segment.lines)
                    chain, first = segment.chain, segment.first
                    self._read[chain] = first
                else:
                    continue
                break

    def _compare_heads(self, chains: ChainVerifier, heads: Mapping[int, ChainHead]) -> None:
        """The heads that the chains had before their records were read."""
        for chain, head in sorted(heads.items()):
            end = chains.ends.get(chain)
            if end is None or end.seq < head.seq:
                last = 0 if end is None else end.seq
                self._report.faults.append(
                    f"chain {chain} is cut: its head is record {chain}/{head.seq}, and the last one that is "
                    f"there is {chain}/{last}"
                )

    async def _verify_objects(self, chains: ChainVerifier) -> None:
        told_before = set(chains.paths.uids())
        suspects: set[str] | None = None
        for _ in range(_LOOKS):
            faults = await self._read_objects(suspects)
            await self._read_records(chains)
            known = self._codes.keys() | told_before if suspects is None else suspects
            found = {
                uid: fault
                for uid in known
                if (fault := faults.get(uid))
                or (fault := chains.paths.find_fault(uid, self._codes.get(uid)))
            }
            if suspects is None:
                self._report.objects = len(self._codes)
            suspects = set(found)
            if not suspects:
                return
        self._report.faults += [f"object {uid}: {fault}" for uid, fault in sorted(found.items())]

    async def _read_objects(self, suspects: set[str] | None) -> Mapping[str, str]:
        """Read the rows again, all or those of the suspects; what is wrong with rows by themselves."""
        if suspects is not None:
            for uid in suspects:
                self._codes.pop(uid, None)
        faults: dict[str, str] = {}
        after, is_last = 0, False
        while not is_last:
            serial, page = await self._store.read_objects(after)
            for uid, code, fault in page:
                if suspects is None or uid in suspects:
                    self._codes[uid] = code.hex()[:_CODE]
                    if fault is not None:
                        faults[uid] = f"something else than this server wrote its row ({fault})"
            is_last, after = serial == after, serial
        return faults
