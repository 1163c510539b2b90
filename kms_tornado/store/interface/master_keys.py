"""What a store keeps about master keys, and how material is sealed again under another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ...domain.managed_object import SealedMaterial


class RowMAC(Protocol):
    """Computes the MAC of a row, under a key that the store does not see (`crypto.sealing.row_mac`)."""

    def __call__(self, message: bytes) -> bytes: ...


class CheckValues(NamedTuple):
    """The values by which a database recognises its first master key.

    current: in a database whose rows have MACs. former: in one that an older version wrote, without MACs.
    """

    current: bytes
    former: bytes


#: Why a database with objects is not taken for a new one.
LOST_CHECK_VALUE = (
    "the database holds objects, but no check value of their master key: something else than this server deleted it; "
    "restore a backup"
)


class OtherMasterKey(Exception):
    """The database belongs to another master key."""


class StoredEnvelope(NamedTuple):
    """The sealed material of an object, with the values to which it is bound."""

    uid: str
    owner: str
    object_type: int
    version: int
    sealed: SealedMaterial


class Reseal(Protocol):
    """Seals the material of an envelope again. Raises CannotReseal where the envelope cannot be opened."""

    def __call__(self, envelope: StoredEnvelope) -> SealedMaterial: ...


class CannotReseal(Exception):
    """An envelope cannot be opened. The text of the error tells the operator why."""


class ResealedPage(NamedTuple):
    """What was done with a page of objects.

    last: the serial after which the next page begins.
    found, written: numbers of objects. Those that were not written were changed meanwhile, or stand in failures:
    {identifier: why}.
    """

    last: int
    found: int
    written: int
    failures: Mapping[str, str]


class MasterKeyRecords(Protocol):
    """What a store knows of master keys, none of which it holds. Every method raises Unavailable."""

    async def list_bundles(self) -> Mapping[bytes, bytes]:
        """{identifier of a later master key: the database's key bundle, sealed under it}."""

    async def add_bundles(self, bundles: Mapping[bytes, bytes]) -> None:
        """Store bundles, unless there are some for these master keys. Raises ConfigurationError, too."""

    async def remove_bundle(self, key_id: bytes) -> None:
        """Remove the bundle under a master key that is no longer in use. Raises ConfigurationError, too."""

    async def count_envelopes(self) -> Mapping[bytes, int]:
        """{identifier of a master key: how many objects are sealed under it}."""

    async def reseal_page(self, after: int, key_id: bytes, reseal: Reseal) -> ResealedPage | None:
        """Seal some objects after a serial that are not sealed under this master key; None where there are no more."""
