"""ObjectPaths: what the records say about each object's row, by which the stored row is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .record import State

#: What was wrong with an object that no record names: records may be gone.
UNTOLD = "no record tells of it"

_GONE = "it is gone, and no record tells of its removal"
_REVIVED = "it was removed, and is there again"
_OLD = "its row is not the one of its last record: an older one was put back"
_FORKED = "its changes do not follow one another: a row of long ago was put back, and changed"


class ObjectPaths:
    """For each object, the codes that remain after all records, each of which leads from one code to the next.

    A change removes the code before it and adds the one after it; None stands for "no row". What remains of an existing
    object is one code, that of its row; of a removed object, nothing. Anything else is a fork: an old row was put back,
    and changed again. There may also be several codes until the records of all chains have been read.
    """

    def __init__(self) -> None:
        #: The last code of each object without a fork; None of one that is gone. Takes some 300 bytes an object.
        self._last: dict[str, str | None] = {}
        #: For each object with a fork: code → how often it was added minus how often it was taken away.
        self._forked: dict[str, Counter[str | None]] = {}

    def add(self, objects: Sequence[State]) -> None:
        """Take the changes of one record."""
        for uid, was, code in objects:
            if uid not in self._forked and self._last.get(uid) == was:
                self._last[uid] = code
                continue
            left = self._forked.pop(uid, None) or _count(self._last.pop(uid, None))
            for one, step in ((was, -1), (code, +1)):
                left[one] += step
                if not left[one]:
                    del left[one]
            ends = [one for one, number in left.items() if one is not None and number > 0]
            if left == _count(ends[0] if ends else None):
                self._last[uid] = ends[0] if ends else None
            else:
                self._forked[uid] = left

    def __contains__(self, uid: str) -> bool:
        return uid in self._last or uid in self._forked

    def list_uids(self) -> Sequence[str]:
        """The identifiers of all objects that should exist."""
        return [*(uid for uid, code in self._last.items() if code is not None), *self._forked]

    def find_fault(self, uid: str, code: str | None) -> str | None:
        """What is wrong with the object's row; None where it is right. code: of the row; None where there is none."""
        if uid in self._forked:
            return _FORKED
        last = self._last.get(uid)
        if code == last:
            return None
        if code is None:
            return _GONE
        if last is None:
            return _REVIVED if uid in self else UNTOLD
        return _OLD

    def find_missing(self, uid: str, code: str | None) -> Iterator[tuple[str | None, str | None]]:
        """The changes, (code before, code after), that would have to be on record if the row had this code rightly."""
        left = self._forked.get(uid) or _count(self._last.get(uid))
        missing = _count(code)
        missing.subtract(left)
        taken = [one for one, number in missing.items() for _ in range(-number)]
        added = [one for one, number in missing.items() for _ in range(number)]
        yield from zip(taken, added, strict=True)


def _count(last: str | None) -> Counter[str | None]:
    """What remains of an object whose last code is this one."""
    return Counter() if last is None else Counter({None: -1, last: 1})
