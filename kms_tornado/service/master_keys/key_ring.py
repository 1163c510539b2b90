"""The key ring of a server: its master keys, from the configured places, and the key bundle of its database."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...crypto.sealing.envelope import KeyRing, MasterKey, SealBroken
from ...crypto.sealing.key_bundle import KeyBundle
from ...errors import ConfigurationError, Unavailable
from ...settings.service import ServiceSettings
from ...store.interface.master_keys import CheckValues, OtherMasterKey
from ...store.interface.object_store import ObjectStore
from ...store.opening import describe_database
from .hsm import is_hsm_uri
from .sources import load_master_keys, parse_master_keys, read_key_file

_log = logging.getLogger(__name__)

KEY_FILE = "master.key"


def check_configured_keys(settings: ServiceSettings) -> None:
    """Raise ConfigurationError for a configured master key that exists and cannot be used.

    It is for a start that has not created anything yet. Keys in hardware security modules are not looked at.
    """
    if value := _value_of(settings):
        parse_master_keys(value)
    for file in settings.master_key_file:
        if not is_hsm_uri(file) and os.path.lexists(file):
            read_key_file(file)


async def open_ring(
    settings: ServiceSettings, data_dir: Path, store: ObjectStore, *, is_throw_away: bool = False
) -> KeyRing:
    """The key ring for this database, by whose key bundle the store checks rows from then on.

    Raises ConfigurationError.
    """
    is_new = await store.master_key_check() is None and not await store.holds_objects()
    may_be_lost = is_new and _is_key_there(settings, data_dir)
    keys = load_keys(settings, data_dir, may_make=is_new, is_throw_away=is_throw_away)
    if may_be_lost:
        _warn_of_a_lost_database(settings, data_dir)
    try:
        bundle = await _authenticate(keys, store)
    except OtherMasterKey:
        text = "the master key is not the one that this database was made with"
        if len(keys) > 1:
            text = "none of the master keys is one that this database was sealed under"
        raise ConfigurationError(text, _name_setting(settings)) from None
    except SealBroken:
        raise _refuse_bundle(settings) from None
    return KeyRing(keys, bundle, ReadAgain(settings, data_dir))


async def reload_ring(
    ring: KeyRing, settings: ServiceSettings, data_dir: Path, store: ObjectStore
) -> None:
    """Read the master keys again; the first of them seals from now on.

    Raises ConfigurationError and Unavailable; the former keys then stay in use.
    """
    keys = load_keys(settings, data_dir, may_make=False)
    check = await store.master_key_check()
    if check is None:
        raise ConfigurationError("the database is empty", _name_setting(settings))
    try:
        await _settle_bundles(keys, ring.bundle, check, store)
    except SealBroken:
        raise _refuse_bundle(settings) from None
    ring.use(keys)


class ReadAgain:
    """Reads the master keys again for a ring that lacks one, at most once a second.

    Otherwise, sealed material that names a made-up key would have the files read at every use.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        data_dir: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._clock = clock
        self._next = 0.0

    def __call__(self) -> Sequence[MasterKey]:
        if self._clock() < self._next:
            return ()
        self._next = self._clock() + 1.0
        try:
            return load_keys(self._settings, self._data_dir, may_make=False)
        except (ConfigurationError, Unavailable) as exc:
            reason = exc.text if isinstance(exc, ConfigurationError) else str(exc)
            _log.error("an object is sealed under a master key that is not here: %s", reason)
            return ()


def load_keys(
    settings: ServiceSettings, data_dir: Path, *, may_make: bool, is_throw_away: bool = False
) -> Sequence[MasterKey]:
    """The master keys that are configured. Raises ConfigurationError."""
    return load_master_keys(
        value=_value_of(settings),
        files=settings.master_key_file,
        default_file=data_dir / KEY_FILE,
        may_make=may_make,
        is_throw_away=is_throw_away,
    )


def _refuse_bundle(settings: ServiceSettings) -> ConfigurationError:
    return ConfigurationError(
        "the database's key bundle under one of the master keys was changed by something else than this "
        "server; restore a backup",
        _name_setting(settings),
    )


async def _authenticate(keys: Sequence[MasterKey], store: ObjectStore) -> KeyBundle:
    """Have the store check its rows by the database's key bundle, which each of the keys can open from now on.

    Raises OtherMasterKey, and SealBroken for a bundle that something else wrote.
    """
    try:
        bundle, check = await _find_bundle(keys, store)
        await store.authenticate_rows(bundle.row_mac, check)
    except OtherMasterKey:
        # Another server may have made the new database with another one of the keys meanwhile.
        bundle, check = await _find_bundle(keys, store)
        await store.authenticate_rows(bundle.row_mac, check)
    await _settle_bundles(keys, bundle, check.current, store)
    return bundle


async def _settle_bundles(
    keys: Sequence[MasterKey], bundle: KeyBundle, check: bytes, store: ObjectStore
) -> None:
    """Have the bundle sealed under each of the keys, so that any one suffices later. Called before any of them seals.

    Raises SealBroken for a bundle that something else wrote.
    """
    stored = await store.master_keys.list_bundles()
    missing = {}
    for key in keys:
        if key.check_value == check:  # the bundle is derived from this one
            continue
        if key.key_id not in stored:
            missing[key.key_id] = key.seal_bundle(bundle, check)
        elif not key.open_bundle(stored[key.key_id], check).is_same_as(bundle):
            raise SealBroken("the key bundle is of another database")
    if missing:
        await store.master_keys.add_bundles(missing)


async def _find_bundle(
    keys: Sequence[MasterKey], store: ObjectStore
) -> tuple[KeyBundle, CheckValues]:
    """The database's bundle, and the check values of its first master key.

    Raises OtherMasterKey where no key opens it.
    """
    check = await store.master_key_check()
    for key in keys:
        if check in (None, key.check_value, key.former_check_value):
            return key.own_bundle, CheckValues(key.check_value, key.former_check_value)
    assert check is not None  # there is at least one key
    return choose_bundle(keys, check, await store.master_keys.list_bundles()), CheckValues(
        check, check
    )


def choose_bundle(
    keys: Sequence[MasterKey], check: bytes, stored: Mapping[bytes, bytes]
) -> KeyBundle:
    """The bundle of a database with that check value.

    stored: {identifier of a master key: sealed bundle}.
    Raises OtherMasterKey where none of the keys opens it, and SealBroken.
    """
    for key in keys:
        if key.check_value == check:
            return key.own_bundle
    for key in keys:
        if key.key_id in stored:
            return key.open_bundle(stored[key.key_id], check)
    raise OtherMasterKey


def _value_of(settings: ServiceSettings) -> str | None:
    return None if settings.master_key is None else settings.master_key.value


def _name_setting(settings: ServiceSettings) -> str:
    return "master_key" if _value_of(settings) else "master_key_file"


def _is_key_there(settings: ServiceSettings, data_dir: Path) -> bool:
    files = settings.master_key_file or (data_dir / KEY_FILE,)
    return bool(_value_of(settings)) or any(
        is_hsm_uri(file) or os.path.lexists(file) for file in files
    )


def _warn_of_a_lost_database(settings: ServiceSettings, data_dir: Path) -> None:
    """Warn if the database is empty although its master key existed before.

    A first start with a key that was made elsewhere looks the same, so it is not an error.
    """
    _log.warning(
        "the database %s is empty, and its master key was there before: if this server has had keys, "
        "stop it and put its database back, with the file -wal beside it where there is one; on a first "
        "start with a key that you made, all is well",
        describe_database(settings.database_url, data_dir),
    )
