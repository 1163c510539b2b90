"""The groups of a user, as one claim of the token names them.

Pure. Whoever may write the claim at the issuer decides who belongs to a group, and so who has the rights that
were granted to it.
"""

from __future__ import annotations

from ...errors import TooManyGroups
from ...user_names import GROUP_PREFIX, find_name_fault
from ..issuers.issuer import TrustedIssuer
from ..tokens.claim_path import find_claim
from ..tokens.token_policy import TokenPolicy
from .claims import UnverifiedClaims

#: The most groups of one user. Every read of an object that others granted compares its grants with all of them.
MAX_GROUPS = 256

_NONE: frozenset[str] = frozenset()


def build_groups(
    claims: UnverifiedClaims, *, issuer: TrustedIssuer, policy: TokenPolicy
) -> frozenset[str]:
    """The principal's groups, each as a grant names it: ``group:<name>``, or ``group:<issuer>#<name>``.

    A value that cannot be a name is ignored: groups can only add rights, and people choose their names for other
    programs, too.
    Raises TooManyGroups.
    """
    if policy.group_claim is None:
        return _NONE
    names = {
        name for name in read_group_names(claims, policy.group_claim) if not find_name_fault(name)
    }
    if len(names) > MAX_GROUPS:
        raise TooManyGroups(
            f"{policy.group_claim} names {len(names)} groups, and at most {MAX_GROUPS} are read: have the issuer "
            "put those alone into the token that are of use here"
        )
    prefix = f"{GROUP_PREFIX}{issuer.uri}#" if policy.namespace_by_issuer else GROUP_PREFIX
    return frozenset([prefix + name for name in names])


def read_group_names(claims: UnverifiedClaims, claim: str) -> list[str]:
    """The names in the claim, which is a list of strings or one string; [] for anything else."""
    value = find_claim(claims, claim)
    values = value if isinstance(value, list) else [value]
    return [name for name in values if isinstance(name, str)]
