"""What has to be so before a KMS serves: the store answers, the database is the one that was served, its audit goes on."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..errors import ConfigurationError, GeneralFailure
from ..settings.service import ServiceSettings
from ..store.interface.audit import ALTERED_IDENTIFIER
from ..store.interface.compute import Compute
from ..store.interface.object_store import ObjectStore
from ..store.opening import open_store
from ..wording import format_count
from .auditing.anchor_file import Anchor, AnchorFile
from .auditing.audit import Audit
from .auditing.set_back import find_accepted_rollback
from .auditing.signing_key import KEY_FILE as AUDIT_KEY_FILE
from .auditing.signing_key import load_audit_key
from .auditing.stream import AuditStream

_log = logging.getLogger(__name__)


async def start_store(
    database_url: str, data_dir: Path, *, may_make: bool, compute: Compute
) -> ObjectStore:
    """Open the store and start it. Raises ConfigurationError about database_url, and Unavailable."""
    try:
        store = open_store(database_url, data_dir, may_make=may_make, compute=compute)
        await store.start()
    except ConfigurationError as exc:
        if exc.fields:
            raise
        raise ConfigurationError(exc.text, "database_url") from exc
    return store


async def refuse_lost_database(
    store: ObjectStore, anchor: Anchor | None, *, accepts_rollback: bool
) -> None:
    """Refuse to start with a new database in place of one that an anchor knows. Raises ConfigurationError."""
    if anchor is None or await store.master_key_check() is not None:
        return
    if not await store.holds_objects():
        await find_accepted_rollback(store.audit, anchor, (), accepts=accepts_rollback)


async def start_audit(
    settings: ServiceSettings,
    data_dir: Path,
    store: ObjectStore,
    anchor_file: AnchorFile,
    anchor: Anchor | None,
    stream: AuditStream | None,
    *,
    is_throw_away: bool,
) -> Audit:
    """Go on with the audit where the database's ends, unless the anchor knows better.

    anchor: what the file held before the database was read. Raises ConfigurationError.
    """
    key = await asyncio.to_thread(
        load_audit_key,
        settings.audit_key_file,
        data_dir / AUDIT_KEY_FILE,
        is_throw_away=is_throw_away,
    )
    try:
        accepted = await find_accepted_rollback(
            store.audit, anchor, [key.public], accepts=settings.accept_rollback
        )
        adopted = await store.audit.open()
    except GeneralFailure as exc:
        raise ConfigurationError(ALTERED_IDENTIFIER) from exc
    if adopted:
        _log.warning(
            "the audit begins: the %s recorded as they are",
            format_count(adopted, "object that is there was", "objects that are there were"),
        )
    audit = Audit(store.audit, key, anchor_file, stream, records_reads=settings.audit_reads)
    await audit.start(accepted=accepted)
    return audit
