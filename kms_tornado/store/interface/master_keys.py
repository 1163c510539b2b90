"""What a store keeps of master keys, and how material is sealed anew under another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ...domain.managed_object import SealedMaterial


class RowMAC(Protocol):
    """The code of a row under a key that the store does not see (`crypto.sealing.row_mac`)."""

    def __call__(self, message: bytes) -> bytes: ...


class CheckValues(NamedTuple):
    """By what a database recognises its first master key.

    current: in a database whose rows have codes. former: in one that an older version wrote, without.
    """

    current: bytes
    former: bytes


class OtherMasterKey(Exception):
    """The database belongs to another master key."""


class StoredEnvelope(NamedTuple):
    """The sealed material of an object, with what it is bound to."""

    uid: str
    owner: str
    object_type: int
    version: int
    sealed: SealedMaterial


class Reseal(Protocol):
    """Seals the material of an envelope anew. Raises CannotReseal where the envelope cannot be opened."""

    def __call__(self, envelope: StoredEnvelope) -> SealedMaterial: ...


class CannotReseal(Exception):
    """An envelope cannot be opened. Its text says why, for the operator."""


class ResealedPage(NamedTuple):
    """last: the serial to go on behind. found, written: how many objects.

    Those that are not written were changed meanwhile, or stand in failures: {identifier: why}.
    """

    last: int
    found: int
    written: int
    failures: Mapping[str, str]
