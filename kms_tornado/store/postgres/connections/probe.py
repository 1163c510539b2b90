"""Whether PostgreSQL takes a write.

This uses a connection of its own, since those of a pool may lead to a former primary.
"""

from __future__ import annotations

from ...interface.faults import make_unavailable
from ..engine import reply_within
from ..errors import load_driver_error, translate_error
from .connector import Connector

_TIMEOUT_S = 1.5
# It changes no row, and a database in recovery, or with default_transaction_read_only, refuses it.
_WRITE = "DELETE FROM server_state WHERE false"


async def probe_writes(connector: Connector) -> None:
    """Raises Unavailable within four seconds where the database takes no write."""
    connection = await connector.open(within_s=_TIMEOUT_S)
    try:
        with reply_within(connection, _TIMEOUT_S) as reply:
            await connection.execute(_WRITE)
    except (load_driver_error(), OSError) as exc:
        if reply.was_late:
            raise make_unavailable(f"no answer within {_TIMEOUT_S:.3g} s", "timeout") from None
        raise translate_error(exc) from None
    finally:
        await connection.close()
