"""What an operation may do with the stored objects: read one, search, and commit changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...audit.record import Draft
from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.search import LocatedPage, LocateSearch, TagSearch
from ...kmip.enums import Operation
from .changes import Change, Groups, ReserveNonces


class Objects(Protocol):
    """What an operation may do with the objects: read them, and commit changes.

    principal: the name of the caller.
    groups: the caller's, as in `auth.principal.Principal`.
    rights: granted operations, any one of which is enough (two at most, `domain.access.sufficient_rights`). An owner
    needs none. Only `operations.common.call` decides which rights are passed.

    An object and its rights are in one row, so no right survives its withdrawal.
    """

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        """The object, whoever owns it; None where there is none. It must never be shown to a client.

        Used by Import only, which has to know whether an identifier is taken.
        """

    async def is_taken(self, uid: UniqueIdentifier, *, owner: str) -> bool:
        """Whether an Insert of the owner with this identifier fails with ObjectAlreadyExists."""

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
        """At most 100 objects that the search finds, the newest first; none for a search without tags.

        after: changes to assume as made; they are not committed. Raises what `commit_groups` raises for them, and
        InvalidField for more tags than an object may have.
        """

    async def locate(self, search: LocateSearch, after: Groups = ()) -> LocatedPage:
        """A page of the objects that the search finds, and the number of all of them, read in one statement.

        after: as for `find_tagged`. Raises InvalidField for more tags than an object may have.
        """

    async def commit(self, changes: Sequence[Change], drafts: Sequence[Draft] = ()) -> None:
        """Make all of the changes or none; they are durable on return.

        drafts: the audit's records of them, in the same transaction; none records nothing. Raises Conflict, and the
        KMIPErrors that the classes of changes name.
        """

    async def commit_groups(self, groups: Groups, drafts: Sequence[Draft] = ()) -> None:
        """Commit all groups at once. drafts: as for `commit`. Raises Conflict, and Refused with the errors by group."""

    async def commit_now(self) -> None:
        """Make everything durable that `commit` accepted, even within a transaction of several steps.

        Called before work that cannot be done twice. Raises Conflict and Refused, and FeatureNotSupported where the
        steps may have to be undone.
        """

    async def reserve_nonces(
        self, reservation: ReserveNonces, drafts: Sequence[Draft] = ()
    ) -> None:
        """Commit the reservation immediately, even within a transaction of several steps.

        drafts: as for `commit`. Raises what `commit` raises. Not for objects for which `holds_back` is true.
        """

    def holds_back(self, uid: UniqueIdentifier) -> bool:
        """Whether changes of the object are held back, so that the database does not contain what was read."""
