"""Attributes that GetAttributes shows of every object although none is stored, and how to search by them."""

from __future__ import annotations

import hashlib

from .managed_object import ManagedObject, UniqueIdentifier

#: Seconds for which a client may rely on an answer about an object before it should ask again.
LEASE_TIME_S = 3600

#: Software: this process protects all material, wherever the master key is kept (KMIP 2.1 §4.44, §12.2).
PROTECTION_STORAGE_MASK = 0x1


def lease_time_of(target: ManagedObject) -> int:
    """For how many seconds a client may rely on what it knows of the object: the imported value, or LEASE_TIME_S."""
    lease_time = target.attributes.lease_time
    return LEASE_TIME_S if lease_time is None else lease_time


def short_identifier_of(uid: UniqueIdentifier) -> bytes:
    return hashlib.sha256(uid.encode()).digest()
