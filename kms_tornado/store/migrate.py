"""Bring a database up to date with alembic, or say why it cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from ..errors import ConfigurationError
from .interface.faults import make_unavailable

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(
    connection: Connection,
    *,
    name: str,
    may_make: bool = True,
    may_upgrade: bool = True,
    revision: str = "head",
) -> None:
    """Run the revisions that are missing, in the transaction that the connection is in.

    The caller must hold the write lock before calling, and until it commits: of two servers that start
    at once, the second then finds nothing left to do. name: of the database, for messages. may_make:
    whether an empty database is taken as a new one. may_upgrade: whether one of an older version is changed.
    revision: to stop at, for rows that a server of then wrote.
    Raises ConfigurationError, and Unavailable for an empty database that is not.
    """
    if revision == "head" and _is_up_to_date(connection):
        return
    # Imported here, as most starts find nothing to do: it takes a tenth of a second, and 12 MiB for good.
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = _configure_alembic(connection)
    scripts = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_heads()
    _check_are_known((*present, revision), scripts, name)
    if not present:
        _check_is_new(connection, name, may_make=may_make)
    if set(present) == set(scripts.get_heads()):
        return
    if not may_upgrade:
        raise ConfigurationError(
            f"database {name}: an older version of kms_tornado has written it; start the server once, "
            "which brings it up to date"
        )
    command.upgrade(config, revision)


def _configure_alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic_log = logging.getLogger("alembic")
    if alembic_log.level == logging.NOTSET:  # it logs every step at the level INFO
        alembic_log.setLevel(logging.WARNING)
    return config


def _check_are_known(revisions: Iterable[str], scripts: ScriptDirectory, name: str) -> None:
    known = {script.revision for script in scripts.walk_revisions()} | {"head"}
    for revision in revisions:
        if revision not in known:
            raise ConfigurationError(
                f"database {name}: is at revision {revision!r}, which this version does not know; "
                "a newer version of kms_tornado has written it"
            )


def _check_is_new(connection: Connection, name: str, *, may_make: bool) -> None:
    """Of a database without a revision: that it is empty, and may be taken as a new one."""
    if inspect(connection).get_table_names():
        raise ConfigurationError(f"database {name}: belongs to another program")
    if not may_make:
        raise make_unavailable(f"database {name}: is empty, and was not when the server started")


def _is_up_to_date(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    present = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(present) == [newest_revision()]


def newest_revision() -> str:
    """The head of the revisions, by the names of their files."""
    return max(path.name[1:5] for path in _MIGRATIONS.glob("versions/r[0-9]*.py"))


def read_revision(connection: Connection) -> str:
    """The revision of a database that `upgrade` has brought up to date."""
    from alembic.runtime.migration import MigrationContext

    (revision,) = MigrationContext.configure(connection).get_current_heads()
    return revision
