"""The interface between operations and a store, in the domain's terms: no SQL, and no token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from ..audit.chain import ChainHead, Segment
from ..audit.checkpoint import Checkpoint
from ..audit.indexing import Uses
from ..audit.query import FoundRecord, RecordQuery
from ..audit.record import Draft
from ..audit.rollback import AuditPosition
from ..domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from ..domain.search import LocatedPage, LocateSearch, TagSearch
from ..domain.user_naming import UserNaming
from ..errors import KMIPError, Unavailable
from ..kmip.enums import ObjectType, Operation, State
from .dump import Dumped, DumpHeader, DumpRow, DumpWriter, Report
from .health import DatabaseLoad, DatabaseStatus
from .object_checks import ObjectChecks, StoredSegment

T = TypeVar("T")


class Compute(Protocol):
    """Runs a function on a thread, where it does not hold up the event loop; its result, or what it raises.

    Principals take turns. May raise Unavailable before it has begun.
    """

    def __call__(self, function: Callable[[], T], *, principal: str) -> Awaitable[T]: ...


async def compute_on_any_thread(function: Callable[[], T], *, principal: str) -> T:
    """For a store that no server shares among principals."""
    return await asyncio.to_thread(function)


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a new object. Fails with ObjectAlreadyExists where its identifier is taken.

    It is also taken where an object of another owner had it, and was removed.

    Insert and Replace fail with NonUniqueName where another object of the owner, not destroyed, has one
    of the object's names, and with ServerLimitExceeded where the owner would have too many objects.
    """

    new: ManagedObject


@dataclass(frozen=True, slots=True)
class Replace:
    """Overwrite the object with `new`. Its generation becomes seen + 1.

    seen: the generation that the caller read. Fails with Conflict where the database has another one.
    """

    new: ManagedObject
    seen: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the object; only its owner may use its identifier again. Fails with Conflict as Replace does."""

    uid: UniqueIdentifier
    seen: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Let another user do these operations as well. Fails with Conflict where the object is not the owner's.

    grantee: a user's name, a group's with GROUP_PREFIX, or EVERYONE.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw these rights; those that were never granted are ignored. Fails with Conflict as Grant does.

    If a right is withdrawn, the object's generation is counted up, so that a change which was decided
    under that right fails with Conflict.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class UseNonce:
    """Record that this nonce, which a caller brought, is used with the object's key material.

    The first one fixes callers as the source of the key's nonces, in the object's row as well. The
    records outlive the object.
    key: the identity of the material. nonce: 1 to 255 bytes. by_object: whether source and nonces of other
    objects with the same material do not count.
    Fails with NonceReused where it was used before, with WrongNonceSource where the server makes the
    nonces, and with Conflict as Replace does; the generation stays as it is.
    """

    uid: UniqueIdentifier
    key: bytes
    nonce: bytes
    seen: int
    by_object: bool = False


@dataclass(frozen=True, slots=True)
class ReserveNonces:
    """Reserve nonces of the object's key material for the server to make: `count` more.

    The first reservation fixes the server as the source of the key's nonces, in the object's row as
    well; later ones with count 0 fix it for further objects of the same material.
    by_object: as for UseNonce, but reserved nonces are counted together in any case.
    Fails with NoncesSpent where that is more than is safe, with WrongNonceSource where callers bring the
    nonces, and with Conflict as Replace does; the generation stays as it is.
    """

    uid: UniqueIdentifier
    key: bytes
    count: int
    seen: int
    by_object: bool = False


Change = Insert | Replace | Remove | Grant | Withdraw | UseNonce | ReserveNonces


def list_uids(changes: Sequence[Change]) -> Sequence[str]:
    """The identifiers of the objects that are changed, each once, in the order of the changes."""
    uids: dict[str, None] = {}
    for change in changes:
        uids[change.new.uid if isinstance(change, (Insert, Replace)) else change.uid] = None
    return tuple(uids)


class Conflict(Exception):  # an expected outcome, not a fault: hence no name in …Error
    """Another request changed the object in between: read again and decide again."""


class Refused(Exception):  # an expected outcome, too
    """Some groups of a commit cannot be done, so nothing was done. failures: index of the group → error."""

    def __init__(self, failures: Mapping[int, KMIPError]) -> None:
        super().__init__()
        self.failures = failures


def make_unavailable(detail: str, cause: str = "out of reach") -> Unavailable:
    """The error for a database out of reach.

    detail: the reason, for the log alone. cause: the same in a few fixed words for anybody.
    """
    return Unavailable("the database is out of reach", detail=detail, cause=cause)


def make_fault() -> RuntimeError:
    """The error for one of those who wait for a writer that failed by a fault of its own: no 503, but 500.

    The writer logs the fault, with its traceback.
    """
    return RuntimeError("the database writer failed; the line before says why")


#: The detail of every call on a store before `start` or after `stop`.
NOT_OPEN = "the store is not open"

#: The changes of several steps in one commit: each group builds on those before it.
Groups = Sequence[Sequence[Change]]


@dataclass(frozen=True, slots=True)
class OwnedObject:
    """An object in a list of the owner's. uses: as the audit's index tells; None where it knows of none.

    shared_with: how many users and groups have rights, in pages alone, as are grants: {grantee: operations}, of those who
    were asked for.
    """

    target: ManagedObject
    uses: Uses | None
    shared_with: int = 0
    grants: Mapping[str, frozenset[Operation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GrantedObject:
    """An object of another owner, and the operations that were granted on it.

    grantees: to whom: the principal, its groups or EVERYONE, as far as they have any right on it.
    """

    target: ManagedObject
    grantees: frozenset[str]
    operations: frozenset[Operation]


class ListPosition(NamedTuple):
    """Where an object stands in a list, the newest first. created_at: seconds since the Unix epoch."""

    created_at: int
    serial: int


#: Before the first object of every list.
LIST_START = ListPosition(2**63 - 1, 2**63 - 1)


class StateCount(NamedTuple):
    """How many objects of an owner are of this type and in this state now. ends_soon: whether their date comes soon."""

    object_type: ObjectType
    state: State
    ends_soon: bool
    objects: int


class ObjectPages(Protocol):
    """Lists of objects in pages, and their numbers. Rows are shown as they are, without material."""

    async def list_owned(
        self, principal: str, *, after: ListPosition, limit: int, grantees: Collection[str] = ()
    ) -> Sequence[tuple[ListPosition, OwnedObject]]:
        """The principal's objects in any state, from behind a position on, so many at most.

        grantees: whose rights are told. Those of all would fill the memory: a page may have 250,000 grantees.
        """

    async def list_granted(
        self, principal: str, groups: Collection[str], *, after: ListPosition, limit: int
    ) -> Sequence[tuple[ListPosition, GrantedObject]]:
        """The objects that others granted to the principal, to one of its groups or to everyone, in the same way."""

    async def count_owned(self, principal: str, *, now: int, soon: int) -> Sequence[StateCount]:
        """The numbers of all of the principal's objects. now, soon: seconds since the Unix epoch."""


class RowMAC(Protocol):
    """The code of a row under a key that the store does not see (`crypto.row_mac`)."""

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


class Objects(Protocol):
    """What an operation may do with the objects: read them, and commit changes.

    principal: the name of the caller. groups: the caller's, as `auth.principal.Principal` has them. rights: granted operations, any of which is enough (at most two,
    `domain.access.sufficient_rights`); an owner needs none. `operations.common.call` alone decides which
    rights those are. Object and rights are in one row, so that no right outlives its withdrawal.
    """

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        """The object, regardless of its owner; None where there is none. Never show it to a client.

        Used by Import only, which has to know whether an identifier is taken.
        """

    async def is_taken(self, uid: UniqueIdentifier, *, owner: str) -> bool:
        """Whether an Insert of the owner's with this identifier fails with ObjectAlreadyExists."""

    async def get_for(
        self,
        uid: UniqueIdentifier,
        *,
        principal: str,
        groups: Collection[str] = (),
        rights: Collection[Operation] = (),
    ) -> ManagedObject | None:
        """The object if it is the principal's or one of the rights is granted, else None.

        Object and right are read in one row, so they are consistent.
        """

    async def find_tagged(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        """The objects that the search finds, newest first, 100 at most; none for a search without tags.

        after: changes to search as if they had been made; they are not committed. Raises what
        `commit_groups` raises for them, and InvalidField for more tags than an object may have.
        """

    async def locate(self, search: LocateSearch, after: Groups = ()) -> LocatedPage:
        """A page of the objects that the search finds, and the number of all, read in one statement.

        after: as for `find_tagged`. Raises InvalidField for more tags than an object may have.
        """

    async def commit(self, changes: Sequence[Change], drafts: Sequence[Draft] = ()) -> None:
        """Make all of the changes or none; they are durable on return.

        drafts: the audit's records of them, in the same transaction; none records nothing. Raises Conflict, and the KMIPErrors that the classes of changes name.
        """

    async def commit_groups(self, groups: Groups, drafts: Sequence[Draft] = ()) -> None:
        """Commit all groups at once. drafts: as for `commit`. Raises Conflict, and Refused with the errors by group."""

    async def commit_now(self) -> None:
        """Make durable on return whatever `commit` accepted, even within a transaction of several steps.

        Called before work that cannot be done twice. Raises Conflict and Refused, and FeatureNotSupported
        where the steps may have to be undone.
        """

    async def reserve_nonces(
        self, reservation: ReserveNonces, drafts: Sequence[Draft] = ()
    ) -> None:
        """Commit the reservation at once, even within a transaction of several steps.

        drafts: as for `commit`. Raises what `commit` raises. Not for objects that `holds_back` names.
        """

    def holds_back(self, uid: UniqueIdentifier) -> bool:
        """Whether changes of the object are held back, so that the database has not what was read."""


class Span(NamedTuple):
    """A time in milliseconds since the Unix epoch. until_ms: the first that is not within it."""

    since_ms: int
    until_ms: int


EVER = Span(-(1 << 62), 1 << 62)


class IndexStep(NamedTuple):
    """What was done for the index of the audit.

    entries: of objects, principals and uses that were written. behind: how many records are not in it yet.
    is_anothers: whether it is another process that indexes them.
    """

    records: int = 0
    entries: int = 0
    behind: int = 0
    is_anothers: bool = False


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some thousand records. number: from 1, the oldest first. ranges: chain → (first record, last one).

    since_ms, until_ms: of its records, since the Unix epoch. ceiling_ms: the highest until_ms up to this page.
    """

    number: int
    ranges: Mapping[int, tuple[int, int]]
    records: int
    since_ms: int
    until_ms: int
    ceiling_ms: int


class AuditRecords(Protocol):
    """Finds records by an index, which is some seconds behind. Every method raises Unavailable."""

    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        """Index some records, if there are any, and no other process does that; is_urgent: in any case.

        now: seconds since the Unix epoch.
        """

    async def forget_index(self) -> int:
        """Have it made anew by steps. Returns how many records there are."""

    async def find_pages(
        self, keys: Sequence[int], *, up_to: int | None, limit: int, principal: str
    ) -> Sequence[AuditPage]:
        """The pages with records under any of the keys, two at most, or all of them, the newest first.

        up_to: the highest number. principal: whose turn it is.
        """

    async def read_page(
        self, page: AuditPage, query: RecordQuery, *, principal: str
    ) -> Sequence[FoundRecord]:
        """The records of the page that the query finds, the newest first, whoever may read them.

        Raises GeneralFailure where records are not as a server wrote them.
        """

    async def find_owned(self, uids: Collection[str], *, owner: str) -> Mapping[str, int]:
        """Those of the identifiers that are of objects of the owner's, removed ones too, as far as indexed.

        Each with the time when it became an object's for the first time, in milliseconds since the Unix epoch:
        what others did with it before is not the owner's to read.
        """


class AuditStore(Protocol):
    """The audit of one database, but for the records that commits append. Every method raises Unavailable.

    changes: transactions with records of changes that this process had committed.
    """

    changes: int

    def on_altered(self, told: Callable[[ChainHead, ChainHead], None]) -> None:
        """Have `told` called, on any thread, where a chain of this process was changed by something else.

        With the head that the process left, and the one that it found.
        """

    def on_recorded(self, told: Callable[[Sequence[Segment], bool], None]) -> None:
        """Have `told` called, on any thread, with what each transaction of this process added to a chain.

        And whether that is known: False where it may or may not have been committed. Not called by `open`.
        """

    async def open(self) -> int:
        """Begin, once the rows are authentic. Returns how many objects of an older version were recorded."""

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Record what changed no object; durable on return."""

    async def make_checkpoint(
        self, sign: Callable[[Checkpoint], str], time: str, *, rollback: int | None = None
    ) -> str:
        """The line of the newest checkpoint, which is made where records were added since the one before.

        time: RFC 3339. rollback: the number of an anchor that this database is accepted in spite of.
        """

    async def retire_chains(self, named: int) -> None:
        """Leave all chains as they are, and begin beyond them. named: the highest chain that an anchor names."""

    async def newest_checkpoint(self) -> str | None:
        """Its line."""

    async def position(self, anchor: Checkpoint) -> AuditPosition:
        """What the database has of what the anchor names. Called before anything is recorded."""

    async def heads(self) -> Mapping[int, ChainHead]:
        """Of every chain that has a record."""

    async def read_checkpoints(self, after: int) -> Sequence[tuple[int, str]]:
        """(number, line) of those behind that number, a page of them."""

    async def read_segments(
        self, chain: int, after: int, span: Span = EVER
    ) -> Sequence[StoredSegment]:
        """The segments behind record `after` of the chain, in the order of chains and records, a page of them.

        span: of which they have a record at least.
        """

    async def read_newest_segments(
        self, before: int | None = None
    ) -> tuple[int, Sequence[StoredSegment]]:
        """(where the next page begins, the segments that were written last, the last one first, a page of them)."""


class UsedProofs(Protocol):
    """The DPoP proofs that were used, for all servers of a database. Every method raises Unavailable."""

    async def use(self, digest: bytes, until: int) -> bool:
        """Remember one, durable on return; False where it is remembered already, or may have been forgotten.

        digest: 32 bytes. until: when it stops being good, seconds since the Unix epoch.
        """

    async def forget(self, before: int) -> int:
        """Forget some of those that are over before this time; how many: 0 where there are none."""

    async def count(self) -> int:
        """How many are remembered, or one more."""


class ObjectStore(Objects, Protocol):
    """The objects of all users, durable.

    Every row has a code under a key that the database does not hold. A row that something else wrote is
    never used: each method that decides by it raises GeneralFailure, and the log names the object.
    Lists alone (`list_owned`, `list_granted`) show rows as they are.

    Every method raises errors.Unavailable where the database is out of reach or refuses (full disk,
    locked for too long, closed). No exception of SQLAlchemy or of a driver leaves the store.
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

    async def start(self) -> None:
        """Open the database and bring its schema up to date. Raises ConfigurationError."""

    async def authenticate_rows(self, row_mac: RowMAC, check: CheckValues) -> None:
        """Make the codes of rows with `row_mac` from now on; called once, before objects are used.

        Stores the current check value in a new database. The rows of a database with the former one are
        taken as they are and get their codes, all at once, which a warning in the log says.
        Raises OtherMasterKey for any other check value, and ConfigurationError where there are objects and
        none, or rows with codes beside the former one: neither is how a server leaves a database.
        """

    async def settle_naming(self, configured: UserNaming, issuers: Collection[str]) -> UserNaming:
        """How the owners of the objects are named; the configured naming is stored where there are none.

        issuers: that are configured, by which the objects of an older version are told apart. Called
        after `authenticate_rows`. Raises GeneralFailure for a row that something else wrote.
        """

    async def stop(self) -> None:
        """Finish the writes that were accepted, then close."""

    async def ping(self) -> None:
        """Return if the database answers a read; raise Unavailable otherwise."""

    async def check(self) -> DatabaseStatus:
        """Have a look at the database now, for two seconds at most."""

    def status(self) -> DatabaseStatus:
        """How the database was when it was last used or looked at."""

    def load(self) -> DatabaseLoad:
        """What the database has to do now for this process."""

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
        """(serial, identifier) of the owner's objects behind a serial, in the order of serials.

        The rows are not looked at: `get` tells whether they are this server's.
        """

    async def count_owned(self) -> Mapping[str, int]:
        """{name: how many objects it owns}, in any state. The rows are not looked at."""

    async def list_names(self) -> Collection[str]:
        """Every name that owns an object or the identifier of a removed one, or has a right but as EVERYONE."""

    async def rename_in_tombstones(self, rename: Callable[[str], str]) -> None:
        """Give the identifiers of removed objects to the new names of their owners, page by page."""

    async def change_naming(self, seen: UserNaming, new: UserNaming) -> None:
        """Store how the owners are named, once they are. Raises Conflict where it was not as seen."""

    async def holds_objects(self) -> bool:
        """Whether there is any object, in any state."""

    async def master_key_check(self) -> bytes | None:
        """The value that shows which master key this database began with; None in a new database."""

    async def key_bundles(self) -> Mapping[bytes, bytes]:
        """{identifier of a later master key: the database's key bundle, sealed under it}."""

    async def count_envelopes(self) -> Mapping[bytes, int]:
        """{identifier of a master key: how many objects are sealed under it}."""

    async def reseal_page(self, after: int, key_id: bytes, reseal: Reseal) -> ResealedPage | None:
        """Seal some objects anew that are not sealed under this master key, behind a serial; None: no more."""

    async def dump(self, writer: DumpWriter, report: Report) -> Dumped:
        """Write all rows as they are at one moment, while they go on to change."""

    async def fill(self, header: DumpHeader, rows: Iterable[DumpRow], report: Report) -> None:
        """In place of `start`: make a database that is new that of a dump, as a whole or not at all.

        Raises ConfigurationError where the database is not empty or in use, or the dump is of a newer version,
        and what reading the rows raises.
        """

    async def add_key_bundles(self, bundles: Mapping[bytes, bytes]) -> None:
        """Store bundles, but not in the place of one that is there. Raises ConfigurationError, too."""

    async def remove_key_bundle(self, key_id: bytes) -> None:
        """Remove the bundle under a master key that is in use no longer. Raises ConfigurationError, too."""
