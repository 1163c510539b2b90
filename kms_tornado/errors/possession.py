"""Refusals of a token that came without what it is bound to: a certificate (RFC 8705) or a DPoP proof (RFC 9449)."""

from __future__ import annotations

from .authentication import AuthenticationError, InvalidToken


class NotPossessed(InvalidToken):
    """The sender of the token does not hold the thing to which it is bound, or did not show it."""

    reason = "not_possessed"


class ProofMissing(NotPossessed):
    """The token is bound to a key (RFC 9449 §6), and came without a proof."""

    reason = "dpop_missing"
    description = "token needs a DPoP proof"


class WrongProofKey(NotPossessed):
    reason = "dpop_other_key"
    description = "token bound to another key than the DPoP proof's"


class CertificateMissing(NotPossessed):
    """The token is bound to a client certificate (RFC 8705 §3), and came without one."""

    reason = "certificate_missing"
    description = "token needs its client certificate"


class WrongCertificate(NotPossessed):
    reason = "certificate_other"
    description = "token bound to another client certificate"


class InvalidProof(AuthenticationError):
    """The DPoP proof that came with a token proves nothing (RFC 9449 §4.3)."""

    code = "invalid_dpop_proof"
    reason = "dpop_proof"
    description = "DPoP proof not accepted"


class MalformedProof(InvalidProof):
    reason = "dpop_malformed"
    description = "DPoP proof malformed"


class ProofAlgorithmNotAllowed(InvalidProof):
    reason = "dpop_algorithm"
    description = "DPoP proof: signature algorithm not accepted"


class ProofKeyRefused(InvalidProof):
    reason = "dpop_key"
    description = "DPoP proof: key not accepted"


class WrongProofSignature(InvalidProof):
    reason = "dpop_signature"
    description = "DPoP proof: signature not valid"


class WrongProofMethod(InvalidProof):
    reason = "dpop_method"
    description = "DPoP proof: made for another method"


class WrongProofURL(InvalidProof):
    reason = "dpop_url"
    description = "DPoP proof: made for another URL"


class WrongProofToken(InvalidProof):
    reason = "dpop_token"
    description = "DPoP proof: made for another token"


class ProofReplayed(InvalidProof):
    reason = "dpop_replay"
    description = "DPoP proof: used before"


class NonceNeeded(AuthenticationError):
    """The proof has to be made again, with the nonce in the answer (RFC 9449 §9)."""

    code = "use_dpop_nonce"
    reason = "dpop_nonce"
    description = "DPoP proof: needs the nonce of this answer"


class ProofNotFresh(NonceNeeded):
    """The proof is too old by its ``iat``. With a nonce from the server, the client's clock does not count."""

    reason = "dpop_time"
    description = "DPoP proof: too old, or from the future; use the nonce of this answer"
