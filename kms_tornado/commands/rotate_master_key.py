"""`kms-tornado rotate-master-key`: from now on a new master key seals; the old one can still open."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..service.master_keys.hsm import is_hsm_uri
from ..service.master_keys.key_ring import KEY_FILE, reload_ring
from ..service.master_keys.key_rotation import edit_key_file
from .opening import find_data_dir, open_database, record
from .output import say
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Rotate the key. Exit code 0: the key file has a new key; with --prepare, one that does not seal yet."""
    data_dir = find_data_dir(context)
    file = _find_file(context, data_dir)
    async with open_database(context) as (store, ring):  # refused before anything is changed
        old = ring.newest.key_id.hex()
        with edit_key_file(file) as edit:
            new = edit.add_next().hex()
            # The database's bundle is stored under the new key before anything can be sealed under it.
            await reload_ring(ring, context.settings.service, data_dir, store)
            is_prepared = context.arguments["prepare"]
            detail = {"key": new, "role": "opens" if is_prepared else "seals"}
            await record(store, "RotateMasterKey", detail)
            if is_prepared:
                say(
                    f"the master key {new} is in {file}, and opens; {old} goes on "
                    "to seal. Give the file to every server, send SIGHUP to all, and run rotate-master-key"
                )
                return 0
            edit.promote_next()
    say(
        f"the master key {new} seals from now on, and {old} opens: {file} has "
        "both. Back it up, apart from the database, send SIGHUP to every server, and run rewrap"
    )
    return 0


def is_credential(context: CommandContext) -> bool:
    """Whether the service manager passes the key, as a copy that no command can change."""
    sources = {option.name: option.source for option in context.parsed.effective}
    return sources["master-key-file"] == "credential"


def _find_file(context: CommandContext, data_dir: Path) -> Path:
    """The file with the key that seals. Raises ConfigurationError where it cannot be changed."""
    settings = context.settings.service
    if settings.master_key is not None:
        raise ConfigurationError(
            "no command can change a variable: put a new key behind the old one, with a comma, in every "
            "server's environment and restart it, then put it in front, restart again, and run rewrap",
            "master_key",
        )
    if not settings.master_key_file:
        return data_dir / KEY_FILE
    if is_hsm_uri(settings.master_key_file[0]):
        raise ConfigurationError(
            "the key is in a module: make another one there, name it behind the first on every server and "
            "restart or reload all, then name it in front, again, and run rewrap",
            "master_key_file",
        )
    if is_credential(context):
        raise ConfigurationError(
            "the service manager hands it over as a copy: name the file that it is loaded from with "
            "--master-key-file, as a user who may replace it",
            "master_key_file",
        )
    return settings.master_key_file[0]
