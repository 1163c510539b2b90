"""How the tokens of the configured issuers name the users who will own objects, and whether the owners are named so."""

from __future__ import annotations

from collections.abc import Collection

from ...auth.issuers.issuer import TrustSettings
from ...domain.user_naming import UserNaming, find_naming_fault
from ...errors import ConfigurationError, GeneralFailure
from ...store.interface.changes import Conflict
from ...store.interface.object_store import ObjectStore


def describe_naming(trust: TrustSettings) -> UserNaming:
    return UserNaming(
        trust.policy.namespace_by_issuer, trust.naming_claim, own=trust.own_naming_claims
    )


async def check_user_naming(
    store: ObjectStore, naming: UserNaming, issuers: Collection[str]
) -> None:
    """Refuse a naming of users under which the owners of the stored objects would not find them.

    A server calls it before it serves. An application that mounts the KMS names its users itself.
    Raises ConfigurationError, and Unavailable where the database is out of reach.
    """
    stored = await _settle_naming(store, naming, issuers)
    if fault := find_naming_fault(stored, naming, issuers):
        raise ConfigurationError(*fault)
    if (remembered := stored.remember(naming)) != stored:
        try:
            await store.naming.change(stored, remembered)
        except Conflict:  # another server, or worker, which may have remembered something else
            await check_user_naming(store, naming, issuers)


async def _settle_naming(
    store: ObjectStore, naming: UserNaming, issuers: Collection[str]
) -> UserNaming:
    try:
        return await store.naming.settle(naming, issuers)
    except GeneralFailure as exc:
        raise ConfigurationError(
            "the database's row about the naming of users was changed by something else than this "
            "server; restore a backup"
        ) from exc
