"""Makes the tables of a new database, brings an older one up to date with alembic, or says why it cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from ..errors import ConfigurationError
from .interface.faults import make_unavailable
from .sql.tables.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_MIGRATIONS = Path(__file__).parent / "migrations"

#: As alembic makes it: in which revision the database is.
_alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def upgrade(
    connection: Connection,
    *,
    name: str,
    may_make: bool = True,
    may_upgrade: bool = True,
    revision: str = "head",
) -> None:
    """Make the newest tables in an empty database, or run the missing revisions, in the connection's transaction.

    The caller must hold the write lock before calling, and until it commits. If two servers start at once, the second
    one then finds nothing left to do.

    name: of the database, for messages.
    may_make: whether an empty database is accepted as a new one.
    may_upgrade: whether a database of an older version is changed.
    revision: where to stop, for rows that a server of that revision wrote.
    Raises ConfigurationError, and Unavailable for an empty database that is not accepted.
    """
    tables = inspect(connection).get_table_names()
    present = _list_revisions(connection) if _alembic_version.name in tables else ()
    if tables and not present:
        raise ConfigurationError(f"database {name}: belongs to another program")
    if not tables and not may_make:
        _refuse_empty(name, waits=may_upgrade)
    newest = newest_revision()
    if revision in {"head", newest}:
        if list(present) == [newest]:
            return
        if not tables:
            _make_tables(connection)
            return
    # Imported here, as most starts find nothing to do: it takes a fifth of a second, and 12 MiB for good.
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _configure_alembic(connection)
    scripts = ScriptDirectory.from_config(config)
    _check_are_known(present, scripts, f"database {name}")
    _check_are_known((revision,), scripts, "the backup")
    if set(present) == set(scripts.get_heads()):
        return
    if not may_upgrade:
        raise ConfigurationError(
            f"database {name}: an older version of kms_tornado has written it; start the server once, "
            "which brings it up to date"
        )
    command.upgrade(config, revision)


def _refuse_empty(name: str, *, waits: bool) -> NoReturn:
    """waits: as the replacement of a worker does, and no command."""
    if waits:
        raise make_unavailable(f"database {name}: is empty, and was not when the server started")
    raise ConfigurationError(
        f"database {name}: is empty; the first start of a server makes its tables"
    )


def _configure_alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic_log = logging.getLogger("alembic")
    if alembic_log.level == logging.NOTSET:  # it logs every step at the level INFO
        alembic_log.setLevel(logging.WARNING)
    return config


def _check_are_known(revisions: Iterable[str], scripts: ScriptDirectory, what: str) -> None:
    known = {script.revision for script in scripts.walk_revisions()} | {"head"}
    for revision in revisions:
        if revision not in known:
            raise ConfigurationError(
                f"{what}: is at revision {revision!r}, which this version does not know; "
                "a newer version of kms_tornado has written it"
            )


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _alembic_version.create(connection)
    connection.execute(insert(_alembic_version).values(version_num=newest_revision()))


def _list_revisions(connection: Connection) -> Sequence[str]:
    return connection.execute(select(_alembic_version.c.version_num)).scalars().all()


def newest_revision() -> str:
    """The head of the revisions, by the names of their files."""
    return max(path.name[1:5] for path in _MIGRATIONS.glob("versions/r[0-9]*.py"))


def read_revision(connection: Connection) -> str:
    """The revision of a database that `upgrade` has brought up to date."""
    (revision,) = _list_revisions(connection)
    return revision
