"""Storage status: whether an object is on-line, archived or destroyed (KMIP 2.1 §12.3, §6.1.4, §6.1.42).

An object is archived from Archive until Recover, and has an Archive Date during that time (§4.5). It stays where it is
stored, but no operation works on it, and its key material does not leave its envelope.
"""

from __future__ import annotations

from enum import IntFlag

from ..errors import ObjectArchived
from .lifecycle import DESTROYED_STATES, Use
from .managed_object import ManagedObject


class StorageStatus(IntFlag):
    """The bits of a Storage Status Mask."""

    ONLINE = 1
    ARCHIVAL = 2
    DESTROYED = 4


def is_archived(target: ManagedObject) -> bool:
    """Whether the object is archived.

    A destroyed object never is, although it may have been imported with an Archive Date.
    """
    return target.attributes.archive_date is not None and target.state not in DESTROYED_STATES


def check_storage(target: ManagedObject, use: Use) -> None:
    """Raises ObjectArchived where an archived object does not allow the use."""
    if is_archived(target) and not use.is_of_archived:
        raise ObjectArchived("the object is archived: recover it first")
