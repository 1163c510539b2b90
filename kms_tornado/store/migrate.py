"""Bring a database up to date with alembic, or say why it cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ..errors import ConfigurationError
from .interface.faults import make_unavailable

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
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic_log = logging.getLogger("alembic")
    if alembic_log.level == logging.NOTSET:  # it logs every step at the level INFO
        alembic_log.setLevel(logging.WARNING)

    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    present = MigrationContext.configure(connection).get_current_heads()
    for each in (*present, revision):
        if each not in known | {"head"}:
            raise ConfigurationError(
                f"database {name}: is at revision {each!r}, which this version does not know; "
                "a newer version of kms_tornado has written it"
            )
    if not present and inspect(connection).get_table_names():
        raise ConfigurationError(f"database {name}: belongs to another program")
    if not present and not may_make:
        raise make_unavailable(f"database {name}: is empty, and was not when the server started")
    if set(present) != set(scripts.get_heads()):
        if not may_upgrade:
            raise ConfigurationError(
                f"database {name}: an older version of kms_tornado has written it; start the server once, "
                "which brings it up to date"
            )
        command.upgrade(config, revision)


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
