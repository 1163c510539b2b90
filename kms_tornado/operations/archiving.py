"""Archive and Recover (KMIP 2.1 §6.1.4, §6.1.42)."""

from __future__ import annotations

import dataclasses

from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..domain.storage import is_archived
from ..kmip.payloads import ArchiveRequest, ArchiveResponse, RecoverRequest, RecoverResponse
from ..store.interface.changes import Replace
from .common.call import Call


async def archive(call: Call, request: ArchiveRequest) -> ArchiveResponse:
    """Archive the object; this happens at once. Only its attributes can be read until it is recovered.

    Raises ObjectArchived where it is archived already.
    """
    target = await call.fetch_for(request.unique_identifier, Use.ARCHIVE)
    await _set_archive_date(call, target, call.now)
    return ArchiveResponse(target.uid)


async def recover(call: Call, request: RecoverRequest) -> RecoverResponse:
    """Bring the object back on-line. An object that is on-line already does not change."""
    target = await call.fetch_for(request.unique_identifier, Use.RECOVER)
    if is_archived(target):
        await _set_archive_date(call, target, None)
    return RecoverResponse(target.uid)


async def _set_archive_date(call: Call, target: ManagedObject, date: int | None) -> None:
    attributes = target.attributes.replace(archive_date=date, last_change_date=call.now)
    after = dataclasses.replace(target, attributes=attributes)
    await call.commit(Replace(after, seen=target.generation))
