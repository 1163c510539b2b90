"""Whether the tokens of a sign-in are bound to a key of this client by DPoP (RFC 9449), and which algorithm signs.

Pure. A bound token works only with proofs. So unless the configuration demands it, the issuer has to announce that it
binds tokens, and the server that it accepts proofs, at the URL by which it is reached from here.
"""

from __future__ import annotations

from ..proof_key import ALGORITHMS
from .login_errors import LoginFailed
from .login_settings import LoginSettings


def is_wanted(settings: LoginSettings, announced: frozenset[str]) -> bool:
    """Whether to make proofs if the server accepts them. announced: the algorithms of the issuer."""
    if settings.dpop == "auto":
        # The issuer binds the access token, and not the ID token.
        return bool(announced) and settings.token != "id"  # noqa: S105  # a choice, no token
    return settings.dpop == "always"


def choose_algorithm(
    settings: LoginSettings, announced: frozenset[str], accepted: frozenset[str]
) -> str | None:
    """The algorithm that signs proofs; None: no proofs are made.

    announced, accepted: the algorithms of the issuer and of the server; empty where one accepts no proofs, or does not
    say. Raises LoginFailed where proofs are demanded and cannot be made.
    """
    if not is_wanted(settings, announced):
        return None
    stated = [algorithms for algorithms in (announced, accepted) if algorithms]
    common = [name for name in ALGORITHMS if all(name in algorithms for algorithms in stated)]
    if settings.dpop == "always":
        if not common:
            raise LoginFailed(
                "the issuer and the server agree on no algorithm for DPoP proofs that kmsctl has "
                f"({', '.join(ALGORITHMS)}): allow one of them on both"
            )
        return common[0]
    return common[0] if common and accepted else None
