"""Whether a database is older than an anchor, and whether a server was told to go on with it all the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...audit.checkpoint import parse_checkpoint
from ...audit.parsing import MalformedRecord
from ...audit.rollback import find_rollback
from ...audit.signing import AuditPublicKey
from ...errors import ConfigurationError
from ...store.interface.audit import AuditStore
from .anchor_file import Anchor

_log = logging.getLogger(__name__)


async def find_set_back(
    store: AuditStore, anchor: Anchor, keys: Sequence[AuditPublicKey]
) -> str | None:
    """Why the database is not the one of the anchor, or is older; None if it is not older, or was accepted.

    keys: by which a checkpoint that accepts it must be signed. Raises Unavailable.
    """
    position = await store.position(anchor.checkpoint)
    fault = find_rollback(anchor.checkpoint, anchor.line, position)
    if fault is None or await is_accepted(store, anchor, keys, anchor.checkpoint.number):
        return None
    return fault


async def is_accepted(
    store: AuditStore, anchor: Anchor, keys: Sequence[AuditPublicKey], after: int
) -> bool:
    """Whether a checkpoint with a higher number than `after` accepts the database in spite of this anchor.

    Raises Unavailable.
    """
    for line in await store.read_rollbacks(after):
        try:
            checkpoint = parse_checkpoint(line.encode(), keys)
        except MalformedRecord:  # anybody may have written it who writes to the database
            continue
        is_ours = checkpoint.database == anchor.checkpoint.database
        if is_ours and (checkpoint.rollback or 0) >= anchor.checkpoint.number:
            return True
    return False


async def find_accepted_rollback(
    store: AuditStore,
    anchor: Anchor | None,
    keys: Sequence[AuditPublicKey],
    *,
    accepts: bool,
) -> Anchor | None:
    """The anchor, if the database is older and `accepts` allows that; None if the database is not older.

    keys: as for `find_set_back`. Raises ConfigurationError for an older database that is not accepted. Called before
    anything is recorded.
    """
    if anchor is None:
        if await store.newest_checkpoint() is not None:
            _log.warning(
                "the audit's anchor is gone: whether this database is older than it was cannot be told; "
                "a new one is made"
            )
        return None
    fault = await find_set_back(store, anchor, keys)
    if fault is None:
        if accepts:
            _log.warning(
                "--accept-rollback is not needed: remove it, or the next rollback goes unnoticed"
            )
        return None
    if not accepts:
        raise ConfigurationError(
            f"{fault}; put the newer database back, or start once with --accept-rollback, which is recorded "
            f"(anchor: {anchor.path})",
            "accept_rollback",
        )
    _log.warning("--accept-rollback: %s", fault)
    return anchor
