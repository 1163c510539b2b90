"""Rewrapping: every envelope of the database is sealed under the newest master key, while servers serve.

It can be interrupted at any moment and run again; finished objects are not found a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...crypto.sealing.envelope import EnvelopeContext, KeyRing, SealBroken, open_sealed, seal
from ...domain.managed_object import SealedMaterial
from ...errors import Unavailable
from ...store.interface.master_keys import CannotReseal, Reseal, ResealedPage, StoredEnvelope
from ...store.interface.object_store import ObjectStore

# Servers may put back envelopes that they read before; those that read the keys again long ago do not.
_MOST_PASSES = 10
# A page waits for rows that servers hold, and for a database that is away for a moment.
_ATTEMPTS = 5
_PAUSE_S = 0.5


@dataclass(slots=True)
class Rewrapped:
    """The result of a rewrapping.

    written: how many objects were sealed again.
    failures: {identifier: why the object was left as it is}.
    left: {identifier of another master key: how many objects are sealed under it now}.
    """

    written: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    left: Mapping[bytes, int] = field(default_factory=dict)


async def rewrap(
    store: ObjectStore, ring: KeyRing, *, report: Callable[[int], None] = lambda _: None
) -> Rewrapped:
    """Seal everything under the newest key.

    report: called with the number of objects that were written so far.
    Raises Unavailable where the database is out of reach; what is done by then is kept.
    """
    result = Rewrapped()
    newest = ring.newest.key_id

    def reseal(envelope: StoredEnvelope) -> SealedMaterial:
        context = EnvelopeContext(
            envelope.uid, envelope.owner, envelope.object_type, envelope.version
        )
        try:
            return seal(ring, open_sealed(ring, envelope.sealed, context), context)
        except SealBroken as exc:
            raise CannotReseal(exc.detail) from None

    for _ in range(_MOST_PASSES):
        after, missed = 0, 0
        while (page := await _reseal_page(store, after, newest, reseal)) is not None:
            after = page.last
            result.written += page.written
            result.failures.update(page.failures)
            missed += page.found - len(page.failures)
            report(result.written)
        if not missed:  # the last pass found nothing that it could have sealed
            break
    counts = await store.master_keys.count_envelopes()
    result.left = {key_id: number for key_id, number in counts.items() if key_id != newest}
    return result


async def _reseal_page(
    store: ObjectStore,
    after: int,
    key_id: bytes,
    reseal: Reseal,
) -> ResealedPage | None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await store.master_keys.reseal_page(after, key_id, reseal)
        except Unavailable:
            if attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("the last attempt returns or raises")
