"""UserNaming: how tokens name the users who own objects, and why another naming would separate them from their keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class UserNaming:
    """How users are named.

    by_issuer: whether names are ``<issuer>#<name>``.
    claim: the claim from which the name is taken.
    former: the naming before, while objects are being moved from it to this one.
    own: (issuer, claim) of those issuers whose users are named by another claim, in the order of the issuers.
    """

    by_issuer: bool
    claim: str
    former: UserNaming | None = None
    own: tuple[tuple[str, str], ...] = ()

    def remember(self, configured: UserNaming) -> UserNaming:
        """This naming, with the claims of issuers that were added since.

        Those of removed issuers stay, as they may come back.
        """
        own = {**dict(self.own), **dict(configured.own)}
        return replace(self, own=tuple(sorted(own.items())))

    def list_changes(
        self, configured: UserNaming, issuers: Collection[str]
    ) -> Iterator[tuple[str, str, str]]:
        """(issuer, its claim here, its configured claim) where the two differ. issuers: the configured ones."""
        configured_own = dict(configured.own)
        for issuer, claim in self.own:
            now = configured_own.get(issuer, configured.claim)
            if issuer in issuers and now != claim:
                yield issuer, claim, now


def find_naming_fault(
    stored: UserNaming, configured: UserNaming, issuers: Collection[str] = ()
) -> tuple[str, str] | None:
    """(what is wrong, the setting to change) where users would lose the names that own objects; None otherwise.

    stored: the naming of the objects in the database. issuers: the configured ones.
    """
    if stored.former is not None:
        namespace = "issuer" if stored.by_issuer else "shared"
        return (
            "a move of the objects to other names of users has not ended: run kms-tornado transfer --naming again, "
            f"with the same arguments, the namespace {namespace} and the user claim {stored.claim}",
            "namespace_by_issuer",
        )
    if stored.by_issuer and not configured.by_issuer:
        return (
            "the objects in the database belong to users who are named <issuer>#<name>, and by their names "
            "alone they would find none of their keys; set it to issuer, or move the objects: kms-tornado "
            "transfer --naming",
            "namespace_by_issuer",
        )
    if configured.by_issuer and not stored.by_issuer:
        return (
            "the objects in the database belong to users who are named without their issuer, and as "
            "<issuer>#<name> they would find none of their keys; set it to shared if a name means the same "
            "person at every issuer, else move the objects to the issuer that they are of: kms-tornado transfer "
            "--naming --issuer URI",
            "namespace_by_issuer",
        )
    if stored.claim != configured.claim:
        return (
            f"the objects in the database belong to users who are named by the claim {stored.claim!r}, and by "
            f"{configured.claim!r} they would find none of their keys; set it to {stored.claim}, or move the objects: "
            "kms-tornado transfer --naming --map FILE",
            "user_claim",
        )
    for issuer, claim, now in stored.list_changes(configured, issuers):
        return (
            f"users of the issuer {issuer} are named by the claim {claim!r} in the database, and by {now!r} they would "
            f"find none of their keys; set user-claim of its [[kms.issuer]] to {claim}, or move the objects: "
            "kms-tornado transfer --naming --map FILE",
            "user_claim",
        )
    return None
