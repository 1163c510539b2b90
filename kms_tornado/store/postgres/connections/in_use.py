"""Whether another process has sessions in a PostgreSQL database."""

from __future__ import annotations

from ..engine import COUNT_OTHER_SESSIONS, OPEN_TIMEOUT_S
from .address import parse_address
from .connector import Connector


async def has_other_sessions(url: str) -> bool:
    """Whether a server has a session there, besides the one that asks. Raises Unavailable.

    Behind a pooler, the sessions are those of the pooler, and an idle server may have none.
    """
    connection = await Connector(parse_address(url)).open(within_s=OPEN_TIMEOUT_S)
    try:
        row = await (await connection.execute(COUNT_OTHER_SESSIONS)).fetchone()
    finally:
        await connection.close()
    return row is not None and row[0] > 0
