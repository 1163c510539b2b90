"""`kms-tornado rewrap`: seals every envelope under the newest master key, and retires an old key on request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..crypto.sealing.envelope import KeyRing
from ..errors import ConfigurationError
from ..service.master_keys.hsm import is_hsm_uri
from ..service.master_keys.key_ring import KEY_FILE
from ..service.master_keys.key_rotation import edit_key_file
from ..service.master_keys.rewrapping import Rewrapped, rewrap
from ..store.interface.object_store import ObjectStore
from ..wording import format_count, make_printable
from .opening import OpenDatabase, find_data_dir, open_database, record
from .output import say
from .progress import Progress
from .rotate_master_key import is_credential
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Seal everything again.

    Exit code 0: all is done, and the old key retired if asked for; 1: not, for a printed reason.
    """
    retired: bytes | None = context.arguments["retire"]
    async with open_database(context) as database:
        store, ring = database
        newest = ring.newest.key_id
        if retired is not None:
            _check_old(ring, retired)
        counts = await store.master_keys.count_envelopes()
        total = sum(number for key_id, number in counts.items() if key_id != newest)
        with Progress("objects", total) as progress:
            result = await rewrap(store, ring, report=progress.update)
        _print_result(ring, result)
        if retired is not None:
            return await _retire(context, database, retired)
    return 1 if result.left else 0


def _print_result(ring: KeyRing, result: Rewrapped) -> None:
    newest = ring.newest.key_id.hex()
    say(
        f"{format_count(result.written, 'object was', 'objects were')} sealed anew under the master key {newest}"
    )
    for uid, why in sorted(result.failures.items()):
        say(make_printable(f"{uid} was left as it is: {why}"))
    _print_left(result.left)
    if set(result.left) <= {ring_key.key_id for ring_key in ring.keys} and not result.failures:
        if result.left:
            say("a server still seals under another key: send SIGHUP to all, and run this again")
        else:
            say(
                "no object needs another master key; copies of the database that were made before do"
            )


def _print_left(left: Mapping[bytes, int]) -> None:
    for key_id, number in sorted(left.items()):
        say(
            f"{format_count(number, 'object is', 'objects are')} sealed under the master key {key_id.hex()}"
        )


def _check_old(ring: KeyRing, key_id: bytes) -> None:
    """Raises ConfigurationError unless the key is one of the ring's, and not the one that seals."""
    if key_id == ring.newest.key_id:
        raise ConfigurationError(f"--retire {key_id.hex()}: this master key seals")
    if key_id not in {key.key_id for key in ring.keys}:
        raise ConfigurationError(f"--retire {key_id.hex()}: no master key here has this identifier")


async def _retire(context: CommandContext, database: OpenDatabase, key_id: bytes) -> int:
    """Remove the key from its file, if no object needs it any more; 1 if one does."""
    store, name = database.store, key_id.hex()
    if await _is_needed(store, key_id):
        return 1
    for file in _find_files(context):
        with edit_key_file(file) as edit:
            if not edit.holds(key_id):
                continue
            retired = edit.retire(key_id)
            try:
                # A server that has not read the new key yet may have sealed something meanwhile.
                is_needed = await _is_needed(store, key_id)
                if not is_needed:
                    await record(store, "RetireMasterKey", {"key": name})
            except BaseException:
                edit.reinstate(key_id)
                raise
            if is_needed:
                edit.reinstate(key_id)
                say(
                    "a server still seals under it: send SIGHUP to all, and run this again; it is in use"
                )
                return 1
        await store.master_keys.remove_bundle(key_id)
        say(
            f"the master key {name} is no longer in {file}: send SIGHUP to every server. It is in {retired}; "
            "keep that as long as any backup that was made under it"
        )
        return 0
    say(
        f"nothing needs the master key {name}, and no command can take it away where it is configured: take it out "
        "there, on every server"
    )
    return 0


async def _is_needed(store: ObjectStore, key_id: bytes) -> bool:
    """Whether objects are sealed under the key. If so, that is printed."""
    number = (await store.master_keys.count_envelopes()).get(key_id, 0)
    if number:
        _print_left({key_id: number})
        say("so it stays")
    return bool(number)


def _find_files(context: CommandContext) -> list[Path]:
    """The files of master keys that a command can change."""
    settings = context.settings.service
    if settings.master_key is not None or is_credential(context):
        return []
    files = settings.master_key_file or (find_data_dir(context) / KEY_FILE,)
    return [file for file in files if not is_hsm_uri(file)]
