"""UserNaming: how tokens name the users that own objects, and why another way would lose them their keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserNaming:
    """by_issuer: whether names are ``<issuer>#<name>``. claim: the claim that the name is taken from."""

    by_issuer: bool
    claim: str


def find_naming_fault(kept: UserNaming, configured: UserNaming) -> tuple[str, str] | None:
    """(what is wrong, the setting to change) where users would no longer have the names that own objects.

    kept: of the objects in the database. None where their owners keep their names.
    """
    if kept.by_issuer and not configured.by_issuer:
        return (
            "the objects in the database belong to users who are named <issuer>#<name>, and by their names "
            "alone they would find none of their keys; set it to issuer",
            "namespace_by_issuer",
        )
    if configured.by_issuer and not kept.by_issuer:
        return (
            "the objects in the database belong to users who are named without their issuer, and as "
            "<issuer>#<name> they would find none of their keys; set it to shared if a name means the same "
            "person at every issuer, else give the new issuer a server with a database of its own",
            "namespace_by_issuer",
        )
    if kept.claim != configured.claim:
        return (
            f"the objects in the database belong to users who are named by the claim {kept.claim!r}, and by "
            f"{configured.claim!r} they would find none of their keys; set it to {kept.claim}",
            "user_claim",
        )
    return None
