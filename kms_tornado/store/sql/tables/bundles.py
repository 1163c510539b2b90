"""The rows of `server_state` with the database's key bundle, sealed under each of its master keys but the first."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, insert, select

from ..constants import write_constant
from ..statements import NO_VALUES, Rows, Runner, Statement
from .schema import server_state

#: The prefix of a row's name, before the master key's identifier in hexadecimal.
_PREFIX = "key_bundle:"

select_bundles = select(server_state.c.name, server_state.c.value).where(
    func.substr(server_state.c.name, write_constant(1), write_constant(len(_PREFIX))) == _PREFIX
)
_select_bundles = Statement(select_bundles)
_delete_bundle = Statement(delete(server_state).where(server_state.c.name == bindparam("of_name")))
_insert_bundle = Statement(insert(server_state), server_state.columns.keys())


def parse_bundles(rows: Rows) -> dict[bytes, bytes]:
    """{identifier of a master key: the sealed bundle}. Names that no server writes are left out."""
    bundles = {}
    for name, value in rows:
        try:
            key_id = bytes.fromhex(name.removeprefix(_PREFIX))
        except ValueError:
            continue
        bundles[key_id] = value if isinstance(value, bytes) else b""  # SQLite takes any type
    return bundles


def remove_bundle(runner: Runner, key_id: bytes) -> None:
    """Remove the bundle under this master key, if there is one, so that the key no longer opens it."""
    runner.change(_delete_bundle, {"of_name": _PREFIX + key_id.hex()})


def add_bundles(runner: Runner, bundles: Mapping[bytes, bytes]) -> None:
    """Store the bundles, unless another server has already done so."""
    stored = parse_bundles(runner.select(_select_bundles, NO_VALUES))
    for key_id, sealed in bundles.items():
        if key_id not in stored:
            runner.change(_insert_bundle, {"name": _PREFIX + key_id.hex(), "value": sealed})
