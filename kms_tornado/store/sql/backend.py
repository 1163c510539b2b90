"""Backend: the interface between the store's SQL, which is written once, and the database that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect

from ..health import PoolLoad
from .audit.chains import AuditChains
from .commits import Job
from .statements import NO_VALUES, Prepared, Rows, Values

#: A function that is given a connection of SQLAlchemy's, within a transaction.
ConnectionJob = Callable[[Connection], Any]


class Backend(Protocol):
    """One database: how its statements are run, and by which thread or connection. Used from one event loop.

    Every method except `start` and `stop` raises Unavailable where the database is out of reach or the backend is not
    started.
    """

    @property
    def dialect(self) -> Dialect:
        """The dialect of SQL that statements are compiled for."""

    async def start(self, chains: AuditChains) -> None:
        """Bring the schema up to date, and open the database. Raises ConfigurationError.

        chains: the chains to which the transactions append what their jobs note.
        """

    async def stop(self, *, within_s: float) -> None:
        """Finish the jobs that were submitted, then close. Does nothing if it is not started.

        Jobs that are not done in time are given up.
        """

    async def read(self, statement: Prepared, values: Values = NO_VALUES) -> Rows:
        """Run a statement that looks up a single row by a key.

        This and the other reads return all rows, and none for a value that no row can contain (half of a surrogate
        pair, a number of 70 bits).
        """

    async def ping(self, statement: Prepared) -> None:
        """Run a statement without values; raises Unavailable within two seconds."""

    async def search(self, statement: Prepared, values: Values, *, principal: str) -> Rows:
        """Run a statement that may take long. principal: the user for whom it runs, if users take turns."""

    async def search_tagged(
        self, statement: Prepared, values: Iterator[Values], *, principal: str
    ) -> Rows:
        """Run a statement that rarely takes long.

        values: sets of values, at least one. All of them give the same rows; the first one probably takes the least
        time.
        """

    def pool_load(self) -> PoolLoad | None:
        """The connections for which statements wait; None where there is no connection pool."""

    async def probe_writes(self) -> None:
        """Return if the database takes a write, of which nothing remains; raise Unavailable otherwise."""

    def submit(self, job: Job, *, erases: bool = False) -> Awaitable[Any]:
        """Run the job in a transaction that it shares with others; its result, once that is on disk.

        Raises what the job raises; its changes are then undone. A job may run several times. It runs even if its caller
        stops waiting.
        erases: the job deletes sealed key material, which should soon be gone from the disk as well.
        """

    async def rehearse(self, job: Job) -> Any:
        """Run the job in a transaction, undo its changes, and return its result."""

    async def run_exclusively(self, job: Job) -> Any:
        """Run the job in a transaction of its own, however long it takes. Meanwhile no other server can start.

        Raises what the job raises, and ConfigurationError where the database does not answer.
        """

    async def run_on_snapshot(self, job: ConnectionJob) -> Any:
        """Run the job in a transaction that reads a single state of the database, however long it takes."""

    async def fill(self, job: ConnectionJob) -> Any:
        """Have the job fill a new database, in one transaction, and return what it returns. Called before `start`.

        Raises what the job raises, ConfigurationError where a server uses the database, and errors as `start` does.
        """

    @property
    def name(self) -> str:
        """The name of the database for messages, without a password."""
