"""How the tokens of the configured issuers name the users who will own objects."""

from __future__ import annotations

from ...auth.issuers.issuer import TrustSettings
from ...domain.user_naming import UserNaming


def describe_naming(trust: TrustSettings) -> UserNaming:
    return UserNaming(
        trust.policy.namespace_by_issuer, trust.naming_claim, own=trust.own_naming_claims
    )
