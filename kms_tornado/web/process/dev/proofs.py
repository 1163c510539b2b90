"""DPoP proofs at the token endpoint of the issuer of --dev: which key the tokens are to be bound to (RFC 9449 §5)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from ....auth.bound.dpop import ProofVerifier, ProvenRequest
from ....auth.bound.proof_nonces import ProofNonces
from ....auth.bound.replays import ProcessReplays
from ....auth.tokens.token_policy import ALGORITHMS
from ....errors import AuthenticationError, ProofReplayed, TooManyRequests, Unavailable
from .requests import OAuthError

_LEEWAY_S = 60.0  # as the server has by default: both run on one machine, and so may the client


class TokenProofs:
    """Checks proofs as the key server does, but for the token's digest: there is no token yet."""

    def __init__(self, url: str) -> None:
        """Make the check for one token endpoint. url: the URL of the endpoint."""
        self._url = url
        self._verifier = ProofVerifier(
            ProofNonces(secrets.token_bytes(32), _LEEWAY_S),
            algorithms=frozenset(ALGORITHMS),
            leeway_s=_LEEWAY_S,
        )
        self._replays = ProcessReplays(time.time)

    async def find_key(self, proofs: Sequence[str]) -> str:
        """The thumbprint of the key that the client holds; empty where no proof came.

        proofs: the values of the ``DPoP`` header fields, in the order received. Raises OAuthError.
        """
        if not proofs:
            return ""
        request = ProvenRequest(proofs, "POST", self._url, None)
        try:
            used = self._verifier.verify(request, None, now=time.time())
            if not await self._replays.use(used.digest, used.until, used.thumbprint):
                raise ProofReplayed
        except AuthenticationError as exc:
            raise OAuthError(exc.code or "invalid_dpop_proof", str(exc), nonce=exc.nonce) from None
        except (TooManyRequests, Unavailable) as exc:
            raise OAuthError("temporarily_unavailable", str(exc), 503) from None
        return used.thumbprint
