"""Whether another process has sessions in a database of PostgreSQL's."""

from __future__ import annotations

from .address import parse_address
from .connector import Connector
from .engine import OPEN_TIMEOUT_S

# A role sees the names of its own sessions without further rights.
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
)


async def has_other_sessions(url: str) -> bool:
    """Whether there is a session of a server's besides the one that asks. Raises Unavailable.

    Behind a pooler, the sessions are the pooler's, and a server that asks nothing may have none.
    """
    connection = await Connector(parse_address(url)).open(within_s=OPEN_TIMEOUT_S)
    try:
        row = await (await connection.execute(_OTHERS)).fetchone()
    finally:
        await connection.close()
    return row is not None and row[0] > 0
