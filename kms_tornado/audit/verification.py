"""Verification of chains and checkpoints. Faults are reported in whole sentences that name the record."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from .chain import NOTHING, ChainHead, hash_line
from .checkpoint import Checkpoint, UnknownSigner, hash_checkpoint, parse_checkpoint
from .parsing import MalformedRecord, read_link
from .paths import ObjectPaths
from .signing import AuditPublicKey


class ChainVerifier:
    """Takes the records of each chain in their order, and compares each with the one before it.

    If a record does not contain the hash of the one before it, either of the two was edited. The record after them
    shows which: it contains the hash of the second one, if that is as it was written.
    paths: of the objects whose changes the records contain.
    """

    def __init__(self, heads: Mapping[int, Mapping[int, str]]) -> None:
        """heads: chain → number of a record → its hash, from checkpoints whose signatures were checked."""
        self.paths = ObjectPaths()
        self.records = 0
        #: chain → its last record.
        self.ends: dict[int, ChainHead] = {}
        self._heads = heads
        #: The last record that does not name the one before it, until the next one tells which of them was edited.
        self._doubt: ChainHead | None = None

    def feed(self, chain: int, lines: Sequence[bytes]) -> Iterator[str]:
        """What is wrong with the next records of the chain."""
        if self._doubt is not None and self._doubt.chain != chain:
            yield from self._settle(None)
        for line in lines:
            yield from self._feed_line(chain, line)

    def finish(self) -> Iterator[str]:
        """What is wrong at the end of the last chain, and with chains that end before a head in a checkpoint."""
        yield from self.settle()
        for chain, heads in sorted(self._heads.items()):
            end = self.ends.get(chain)
            last = 0 if end is None else end.seq
            if heads and max(heads) > last:
                yield (
                    f"chain {chain} is cut: records {chain}/{last + 1} to {chain}/{max(heads)} are gone, which a "
                    "checkpoint names"
                )

    def settle(self) -> Iterator[str]:
        """What is wrong with the last record that was fed, as far as that is known without the one after it."""
        yield from self._settle(None)

    def _feed_line(self, chain: int, line: bytes) -> Iterator[str]:
        head = self.ends.get(chain)
        if head is None:
            head = ChainHead(chain, 0, NOTHING)
        self.records += 1
        try:
            link = read_link(line)
        except MalformedRecord as exc:
            yield f"record {chain}/{head.seq + 1} cannot be read: {exc}"
            self.ends[chain] = ChainHead(chain, head.seq + 1, hash_line(line))
            return
        seq, text = link.seq, hash_line(line)
        if link.chain != chain:
            yield f"record {chain}/{head.seq + 1} says that it is {link.chain}/{seq}"
        elif seq != head.seq + 1:
            yield from self._settle(None)
            yield _describe_gap(chain, head.seq, seq)
        else:
            if self._doubt is not None:
                yield from self._settle(link.prev)
            if link.prev != head.hash:
                self._doubt = ChainHead(chain, seq, text)
        expected = self._heads.get(chain, {}).get(seq)
        if expected is not None and expected != text:
            yield f"record {chain}/{seq} is another one than the checkpoint names: it, or one before it, was edited"
        self.ends[chain] = ChainHead(chain, seq, text)
        self.paths.add(link.objects)

    def _settle(self, prev: str | None) -> Iterator[str]:
        """Find out which of two records was edited. prev: the hash in the record after them, if there is one."""
        doubt, self._doubt = self._doubt, None
        if doubt is None:
            return
        is_earlier = prev == doubt.hash or prev is None
        seq = doubt.seq - 1 if is_earlier and doubt.seq > 1 else doubt.seq
        if self._heads.get(doubt.chain, {}).get(doubt.seq - 1) is not None and prev is None:
            seq = doubt.seq
        yield f"record {doubt.chain}/{seq} was edited: its hash is not the one that the next record names"


def _describe_gap(chain: int, last: int, seq: int) -> str:
    if seq <= last:
        return f"record {chain}/{seq} stands again, or in another place than its own, behind {chain}/{last}"
    missing = f"{chain}/{last + 1}"
    if seq > last + 2:
        missing += f" to {chain}/{seq - 1}"
    return f"records are gone, or stand elsewhere: {missing}"


class CheckpointHeads(Mapping[int, str]):
    """Number of a record of one chain → its hash. Each takes 40 bytes, since a busy year leaves millions of them."""

    def __init__(self) -> None:
        self._numbers = array("Q")
        self._hashes = bytearray()

    def add(self, head: ChainHead) -> None:
        """Add a head, nearly always after all others. A malformed hash is kept as one that no record has."""
        try:
            digest = bytes.fromhex(head.hash)
        except ValueError:
            digest = b""
        place = len(self._numbers)
        if place and head.seq <= self._numbers[-1]:
            place = bisect_left(self._numbers, head.seq)
        is_there = place < len(self._numbers) and self._numbers[place] == head.seq
        if not is_there:
            self._numbers.insert(place, head.seq)
        self._hashes[place * 32 : (place + is_there) * 32] = digest.rjust(32, b"\0")[:32]

    def __getitem__(self, seq: int) -> str:
        place = bisect_left(self._numbers, seq)
        if place == len(self._numbers) or self._numbers[place] != seq:
            raise KeyError(seq)
        return self._hashes[place * 32 : (place + 1) * 32].hex()

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class CheckpointVerifier:
    """Takes the lines of checkpoints in their order. heads: as `ChainVerifier` needs them."""

    def __init__(self, keys: Sequence[AuditPublicKey], database: str | None = None) -> None:
        self._keys = keys
        self._database = database
        self.heads: dict[int, CheckpointHeads] = {}
        self.newest: Checkpoint | None = None
        self.number = 0
        self._line: str | None = None
        self._strangers: set[str] = set()

    def feed(self, line: str) -> Iterator[str]:
        """What is wrong with the next line."""
        self.number += 1
        try:
            checkpoint = parse_checkpoint(line.encode(), self._keys)
        except UnknownSigner as exc:
            # Once for each key: a server of the same database may have signed thousands.
            if exc.key not in self._strangers:
                self._strangers.add(exc.key)
                yield (
                    f"a checkpoint does not count: {exc}, nor does any other that this key signed: "
                    "name its public half, audit.key.pub, with --key"
                )
            self._line = line
            return
        except MalformedRecord as exc:
            yield f"a checkpoint does not count: {exc}"
            self._line = line
            return
        if self._database is not None and checkpoint.database != self._database:
            yield f"checkpoint {checkpoint.number} is of another database"
        if self._line is not None and checkpoint.previous != hash_checkpoint(self._line):
            yield f"the checkpoint before {checkpoint.number} is gone, or another one than it names"
        elif self._line is None and checkpoint.previous is not None:
            yield f"the checkpoints before {checkpoint.number} are gone"
        for head in checkpoint.heads.values():
            self.heads.setdefault(head.chain, CheckpointHeads()).add(head)
        self.newest, self._line = checkpoint, line
