"""The check that the sender of a bound token holds what it is bound to: a certificate, the key of DPoP proofs, or both."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from ...errors import ProofMissing, ProofReplayed, UnboundToken
from ..credentials import Credentials
from ..principal import Principal
from ..tokens.binding import check_certificate
from ..tokens.token_policy import TokenPolicy
from .dpop import ProofVerifier, ProvenRequest
from .proof_nonces import ProofNonces
from .replays import ProcessReplays, SharedProofs


class PossessionCheck:
    """Checks whether the sender of a bound token holds what the token is bound to.

    now: gives the time in seconds since the Unix epoch.
    shared: what this process shares with others; None where it is the only one.
    """

    def __init__(
        self,
        policy: TokenPolicy,
        now: Callable[[], float],
        shared: SharedProofs | None = None,
    ) -> None:
        self._now = now
        if shared is None:
            shared = SharedProofs(ProcessReplays(now), secrets.token_bytes(32))
        self._replays = shared.replays
        self._nonces = ProofNonces(shared.nonce_key, policy.leeway_s)
        self._verifier = ProofVerifier(
            self._nonces,
            algorithms=policy.algorithms,
            leeway_s=policy.leeway_s,
            needs_nonce=policy.needs_dpop_nonce,
        )

    def check_bearer(self, principal: Principal, credentials: Credentials | None) -> None:
        """Check a token that came as a bearer token, and so without a proof.

        credentials: None where the transport found none.
        Raises ProofMissing, CertificateMissing, WrongCertificate.
        """
        binding = principal.binding
        if binding is None:
            return
        if binding.key is not None:
            raise ProofMissing("it is bound to a DPoP key, and came as a bearer token")
        check_certificate(binding, None if credentials is None else credentials.find_certificate())

    async def check_proof(
        self, principal: Principal, token_digest: bytes, credentials: Credentials
    ) -> None:
        """Check a token that came by the scheme DPoP, and set ``credentials.next_nonce`` where the client needs one.

        token_digest: the SHA-256 digest of the token.
        The proof is remembered last, once everything else is good, so that the client can send a refused proof again.
        Raises UnboundToken, ProofMissing, WrongProofKey, InvalidProof, NonceNeeded, CertificateMissing,
        WrongCertificate, Unavailable, TooManyRequests.
        """
        binding = principal.binding
        if binding is None or binding.key is None:
            raise UnboundToken(
                "no jkt in cnf", "token not bound to a DPoP key; it is to be sent as a bearer token"
            )
        facts = credentials.facts
        if facts is None:
            raise ProofMissing("there are no headers")
        if binding.certificate is not None:  # asking encodes the certificate each time
            check_certificate(binding, credentials.find_certificate())
        now = self._now()
        request = ProvenRequest(
            facts.list_proofs(), facts.find_method(), facts.find_url(), token_digest
        )
        used = self._verifier.verify(request, binding.key, now=now)
        # A user with too many requests is refused before a proof is used up and the memory is written.
        facts.check_admission(principal.name)
        if not await self._replays.use(used.digest, used.until, principal.name):
            raise ProofReplayed("its jti was used before")
        if used.nonce and self._nonces.is_old(used.nonce, now):
            credentials.next_nonce = self._nonces.make(now)
