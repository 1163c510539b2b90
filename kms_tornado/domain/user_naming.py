"""UserNaming: how tokens name the users that own objects, and why another way would lose them their keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserNaming:
    """by_issuer: whether names are ``<issuer>#<name>``. claim: the claim that the name is taken from.

    former: while objects are on their way to it, and some may still belong to names of another naming: that one.
    """

    by_issuer: bool
    claim: str
    former: UserNaming | None = None


def find_naming_fault(kept: UserNaming, configured: UserNaming) -> tuple[str, str] | None:
    """(what is wrong, the setting to change) where users would no longer have the names that own objects.

    kept: of the objects in the database. None where their owners keep their names.
    """
    if kept.former is not None:
        namespace = "issuer" if kept.by_issuer else "shared"
        return (
            "a move of the objects to other names of users has not ended: run kms-tornado transfer --naming again, "
            f"with the same arguments, the namespace {namespace} and the user claim {kept.claim}",
            "namespace_by_issuer",
        )
    if kept.by_issuer and not configured.by_issuer:
        return (
            "the objects in the database belong to users who are named <issuer>#<name>, and by their names "
            "alone they would find none of their keys; set it to issuer, or move the objects: kms-tornado "
            "transfer --naming",
            "namespace_by_issuer",
        )
    if configured.by_issuer and not kept.by_issuer:
        return (
            "the objects in the database belong to users who are named without their issuer, and as "
            "<issuer>#<name> they would find none of their keys; set it to shared if a name means the same "
            "person at every issuer, else move the objects to the issuer that they are of: kms-tornado transfer "
            "--naming --issuer URI",
            "namespace_by_issuer",
        )
    if kept.claim != configured.claim:
        return (
            f"the objects in the database belong to users who are named by the claim {kept.claim!r}, and by "
            f"{configured.claim!r} they would find none of their keys; set it to {kept.claim}, or move the objects: "
            "kms-tornado transfer --naming --map FILE",
            "user_claim",
        )
    return None
