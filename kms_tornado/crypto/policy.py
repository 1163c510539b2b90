"""Which cryptographic techniques are allowed: the option --crypto-policy as one table.

A technique is what a security advisory would name: a cipher in its mode, a signature scheme, a
padding. What has no rule here is not offered under any policy. `permissive` allows every technique;
whoever chooses it should use each key with one mode only, because ECB and CTR reveal the values on
which the tags of GCM rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ..domain.lifecycle import Use
from ..errors import UnsupportedCryptographicParameters


class CryptoPolicy(Enum):
    """The values of --crypto-policy."""

    CONSERVATIVE = "conservative"
    PERMISSIVE = "permissive"


class Technique(Enum):
    """A technique that a policy allows or refuses. The value is its name in error texts."""

    # Enum hashes the name by a function in Python; techniques are looked up with every encryption.
    __hash__ = object.__hash__

    AES_GCM = "AES-GCM"
    GCM_SHORT_TAG = "an authentication tag under 16 bytes"
    GCM_SHORT_IV = "a GCM nonce under 12 bytes"
    GCM_LONG_IV = "a GCM nonce over 12 bytes"
    AES_CBC = "AES-CBC"
    AES_CTR = "AES-CTR"
    AES_ECB = "AES-ECB"
    AES_KW = "AES-KW"
    AES_KWP = "AES-KWP"
    CHACHA20_POLY1305 = "ChaCha20-Poly1305"
    CHACHA20 = "ChaCha20 without Poly1305"
    TDES = "3DES keys"
    TDES_CBC = "3DES-CBC"
    TDES_ECB = "3DES-ECB"
    RSA_OAEP = "RSA-OAEP"
    RSA_PKCS1_V1_5_ENCRYPTION = "RSA PKCS#1 v1.5 encryption"
    RSA_PSS = "RSA-PSS"
    RSA_PKCS1_V1_5_SIGNATURE = "RSA PKCS#1 v1.5 signatures"
    ECDSA = "ECDSA"
    EDDSA = "EdDSA"
    SHA_1_SIGNATURE = "signatures over SHA-1"
    HMAC = "HMAC"
    AES_CMAC = "AES-CMAC"
    HASH = "hashes"
    HKDF = "HKDF"
    PBKDF2 = "PBKDF2"
    NIST_800_108 = "NIST SP 800-108 in counter mode"
    DERIVATION_BY_HASH = "derivation by hash"
    DERIVATION_BY_HMAC = "derivation by HMAC"
    DERIVATION_BY_ENCRYPTION = "derivation by encryption"


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What `conservative` allows for a technique: protecting new data, processing old data.

    reason: the end of the refusal.
    """

    protect: bool = True
    process: bool = True
    reason: str = ""


_ALLOWED = PolicyRule()


def _refuse_both_uses(reason: str) -> PolicyRule:
    """Refused for new data and for old: `conservative` makes no exception for existing ciphertext."""
    return PolicyRule(protect=False, process=False, reason=reason)


_UNAUTHENTICATED = _refuse_both_uses("it does not notice altered data")

POLICY_RULES: Mapping[Technique, PolicyRule] = MappingProxyType(
    {
        Technique.AES_GCM: _ALLOWED,
        # With a tag cut to 4 bytes, one forgery in 2^32 passes (SP 800-38D appendix C).
        Technique.GCM_SHORT_TAG: _refuse_both_uses("it makes forgeries likelier"),
        # A short nonce repeats soon, and a single repetition reveals the authentication key.
        Technique.GCM_SHORT_IV: _refuse_both_uses("it repeats too soon"),
        # A longer nonce is hashed into a block, which whoever knows the key of the hash can make equal to
        # the block of any nonce of 12 bytes. Data that was encrypted under one stays readable.
        Technique.GCM_LONG_IV: PolicyRule(
            protect=False, reason="it may amount to the same as a nonce of 12 bytes"
        ),
        Technique.AES_CBC: _UNAUTHENTICATED,
        Technique.AES_CTR: _UNAUTHENTICATED,
        Technique.AES_ECB: _UNAUTHENTICATED,
        Technique.AES_KW: _ALLOWED,
        Technique.AES_KWP: _ALLOWED,
        Technique.CHACHA20_POLY1305: _ALLOWED,
        Technique.CHACHA20: _UNAUTHENTICATED,
        # A new key is refused; one from outside may be stored and returned, which takes no cipher.
        Technique.TDES: PolicyRule(protect=False, reason="its blocks of 64 bits repeat too soon"),
        Technique.TDES_CBC: _UNAUTHENTICATED,
        Technique.TDES_ECB: _UNAUTHENTICATED,
        Technique.RSA_OAEP: _ALLOWED,
        Technique.RSA_PKCS1_V1_5_ENCRYPTION: _refuse_both_uses(
            "its decryption is an oracle for attackers"
        ),
        Technique.RSA_PSS: _ALLOWED,
        Technique.RSA_PKCS1_V1_5_SIGNATURE: _ALLOWED,
        Technique.ECDSA: _ALLOWED,
        Technique.EDDSA: _ALLOWED,
        Technique.SHA_1_SIGNATURE: _refuse_both_uses("collisions of SHA-1 can be bought"),
        Technique.HMAC: _ALLOWED,  # with SHA-1 too: HMAC does not rest on collision resistance
        Technique.AES_CMAC: _ALLOWED,
        Technique.HASH: _ALLOWED,
        Technique.HKDF: _ALLOWED,
        Technique.PBKDF2: _ALLOWED,
        Technique.NIST_800_108: _ALLOWED,
        # SHA-256 of a key is its Digest, too.
        Technique.DERIVATION_BY_HASH: _refuse_both_uses("the hash of a key is no secret elsewhere"),
        Technique.DERIVATION_BY_HMAC: _ALLOWED,
        # The cipher and mode that the request names are checked as well.
        Technique.DERIVATION_BY_ENCRYPTION: _ALLOWED,
    }
)


def may_use(policy: CryptoPolicy, technique: Technique, use: Use) -> bool:
    """Whether the policy allows the technique. use: Use.PROTECT or Use.PROCESS."""
    if policy is CryptoPolicy.PERMISSIVE:
        return True
    rule = POLICY_RULES[technique]
    return rule.protect if use is Use.PROTECT else rule.process


def check_policy(policy: CryptoPolicy, technique: Technique, use: Use) -> None:
    """Raises UnsupportedCryptographicParameters, which names the option that allows the technique."""
    if POLICY_RULES[technique] is not _ALLOWED and not may_use(policy, technique, use):
        raise UnsupportedCryptographicParameters(
            f"{technique.value}: off, as {POLICY_RULES[technique].reason} "
            "(--crypto-policy permissive allows it; on the KMIP port alone, --kmip-crypto-policy "
            "permissive)"
        )
