"""The interface between the server and a store, in the domain's terms: no SQL, and no token."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ...audit.chain import Segment
from ...domain.managed_object import UniqueIdentifier
from ...kmip.enums import Operation
from ..dump import Dumped, DumpHeader, DumpRow, DumpWriter, Report
from ..health import DatabaseLoad, DatabaseStatus
from .audit import AuditStore, Restored
from .audit_records import AuditRecords
from .lists import GrantedObject, ObjectPages, OwnedObject
from .master_keys import CheckValues, MasterKeyRecords, RowMAC
from .naming import OwnerNaming
from .object_checks import ObjectChecks
from .objects import Objects
from .used_proofs import UsedProofs


class ObjectStore(Objects, Protocol):
    """The objects of all users, durable.

    Every row has a MAC under a key that the database does not hold. A row that something else wrote is never used: each
    method that would decide by it raises GeneralFailure, and the log names the object. Only lists (`list_owned`,
    `list_granted`) show rows unchecked.

    Every method raises errors.Unavailable where the database is out of reach or refuses (full disk, locked for too
    long, closed). No exception of SQLAlchemy or of a driver leaves the store.
    """

    @property
    def audit(self) -> AuditStore: ...

    @property
    def checks(self) -> ObjectChecks: ...

    @property
    def records(self) -> AuditRecords: ...

    @property
    def proofs(self) -> UsedProofs: ...

    @property
    def pages(self) -> ObjectPages: ...

    @property
    def naming(self) -> OwnerNaming: ...

    @property
    def master_keys(self) -> MasterKeyRecords: ...

    async def start(self) -> None:
        """Open the database and bring its schema up to date. Raises ConfigurationError."""

    async def authenticate_rows(self, row_mac: RowMAC, check: CheckValues) -> None:
        """Compute the MACs of rows with `row_mac` from now on; called once, before objects are used.

        In a new database, the current check value is stored. If a database has the former one, its rows are accepted as
        they are and get their MACs, all at once, and the log warns of it.

        Raises OtherMasterKey for any other check value, and ConfigurationError where there are objects without a check
        value, or rows with MACs beside the former one: no server leaves a database in such a state.
        """

    async def stop(self) -> None:
        """Finish the writes that were accepted, then close the database."""

    async def ping(self) -> None:
        """Return if the database answers a read; raise Unavailable otherwise."""

    async def check(self) -> DatabaseStatus:
        """Try the database now, for two seconds at most."""

    def status(self) -> DatabaseStatus:
        """The state of the database when it was last used or tried."""

    def load(self) -> DatabaseLoad:
        """How much work the database has from this process now."""

    async def list_grants(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        """Grantee → operations, in the order of names; None where that owner has no such object."""

    async def list_owned(self, principal: str) -> Sequence[OwnedObject]:
        """The principal's objects in any state, newest first, MAX_LISTED at most.

        Without material: `sealed` is None.
        """

    async def list_granted(
        self, principal: str, groups: Collection[str] = ()
    ) -> Sequence[GrantedObject]:
        """The objects that others granted to the principal, to one of its groups or to everyone.

        Ordered and limited as in `list_owned`, and without material.
        """

    async def list_uids(
        self, owner: str, *, after: int, limit: int
    ) -> Sequence[tuple[int, UniqueIdentifier]]:
        """(serial, identifier) of the owner's objects after a serial, in the order of serials.

        The rows are not checked.
        """

    async def count_owned(self) -> Mapping[str, int]:
        """{name: how many objects the user owns}, in any state. The rows are not checked."""

    async def holds_objects(self) -> bool:
        """Whether there is any object, in any state."""

    async def master_key_check(self) -> bytes | None:
        """The value that shows under which master key this database began; None in a new database."""

    async def dump(self, writer: DumpWriter, report: Report) -> Dumped:
        """Write all rows as they are at one moment. Meanwhile they may be changed."""

    async def fill(
        self,
        header: DumpHeader,
        rows: Iterable[DumpRow],
        report: Report,
        restored: Restored | None = None,
    ) -> Sequence[Segment]:
        """Fill a new database with a dump, completely or not at all. It takes the place of `start`.

        restored: what is recorded in the same transaction, which is returned.
        Raises ConfigurationError where the database is not empty or is in use, or the dump is of a newer version, and
        the errors of reading the rows.
        """
