"""Plans: everything that an Encrypt or Decrypt with a symmetric key decides before it computes.

    request, the key's attributes, crypto policy, client  →  EncryptionPlan | DecryptionPlan

Both functions are pure: they reach no store, no key material and no clock, and randomness is an argument.
So a table of requests and plans tests every decision. Whole data and data in parts have the same plan, made
once: for data in parts, by the first one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ...crypto.ciphers import RandomSource, generate_iv, normalize_nonce
from ...crypto.policy import CryptoPolicy, check_policy
from ...crypto.suites import Suite, check_aad, check_iv, choose_suite
from ...domain.lifecycle import Use
from ...kmip.attributes import Attributes
from ...kmip.payloads import DecryptRequest, EncryptRequest
from ...kmip.structures import CryptographicParameters
from .client_profile import ClientProfile

# Python 3.11 looks a member of an enumeration up in a function.
_PROTECT, _PROCESS = Use.PROTECT, Use.PROCESS


@dataclass(frozen=True, slots=True)
class EncryptionPlan:
    """What an Encrypt does with the data, and what it says and records besides.

    iv: None where the suite has none. aad: b"" where the request has none.
    recorded_nonce: is recorded as used with this key, and refused where it was used before. That is the
    rule for nonces that a caller brings; random ones need no record (`ciphers.generate_iv`). None: there is
    nothing to record.
    returned_iv: stands in the answer; None: the answer has none.
    """

    suite: Suite
    iv: bytes | None
    aad: bytes = field(repr=False)
    recorded_nonce: bytes | None
    returned_iv: bytes | None


@dataclass(frozen=True, slots=True)
class DecryptionPlan:
    """What a Decrypt does with the data; the tag comes with its last part. iv, aad: as of an EncryptionPlan."""

    suite: Suite
    iv: bytes | None
    aad: bytes = field(repr=False)


def plan_encryption(
    request: EncryptRequest,
    attributes: Attributes,
    policy: CryptoPolicy,
    client: ClientProfile,
    random: RandomSource = os.urandom,
) -> EncryptionPlan:
    """attributes: the key's. random: makes the IV where the request brings none.

    Raises UnsupportedCryptographicParameters (also where the policy refuses), BadTagLength, InvalidField,
    and the client's `missing_iv_error` for Random IV false without an IV.
    """
    requested = choose_parameters(attributes, request.cryptographic_parameters)
    request_iv = request.iv_counter_nonce
    suite = _choose_allowed_suite(attributes, requested, request_iv, policy, _PROTECT)
    recorded_nonce = None
    if request_iv is None:
        if suite.new_iv_bytes and requested is not None and requested.random_iv is False:
            raise client.missing_iv_error("RandomIV is false and IVCounterNonce is missing")
        iv = returned_iv = generate_iv(suite, random)
    else:
        check_iv(suite, request_iv)
        iv = request_iv
        returned_iv = request_iv if client.returns_given_iv else None
        if suite.has_nonce:
            recorded_nonce = normalize_nonce(suite, request_iv)
    aad = request.authenticated_encryption_additional_data or b""
    check_aad(suite, aad)
    return EncryptionPlan(suite, iv, aad, recorded_nonce, returned_iv)


def plan_decryption(
    request: DecryptRequest, attributes: Attributes, policy: CryptoPolicy, client: ClientProfile
) -> DecryptionPlan:
    """attributes: the key's. The length of the IV is left to `ciphers`: a wrong one fails as any other fault.

    Raises UnsupportedCryptographicParameters (also where the policy refuses), BadTagLength, InvalidField,
    and the client's `missing_iv_error`.
    """
    requested = choose_parameters(attributes, request.cryptographic_parameters)
    iv = request.iv_counter_nonce
    suite = _choose_allowed_suite(attributes, requested, iv, policy, _PROCESS)
    if suite.new_iv_bytes and iv is None:
        raise client.missing_iv_error("decryption needs the IV that the encryption returned")
    aad = request.authenticated_encryption_additional_data or b""
    check_aad(suite, aad)
    return DecryptionPlan(suite, iv, aad)


def choose_parameters(
    attributes: Attributes, requested: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The request's parameters; where it has none, the key's own (KMIP 2.1 §6.1)."""
    return attributes.cryptographic_parameters if requested is None else requested


def _choose_allowed_suite(
    attributes: Attributes,
    requested: CryptographicParameters | None,
    iv: bytes | None,
    policy: CryptoPolicy,
    use: Use,
) -> Suite:
    """The suite that the parameters ask for, if key and policy allow it."""
    suite = choose_suite(attributes.cryptographic_algorithm, requested, iv)
    for technique in suite.list_techniques(iv):
        check_policy(policy, technique, use)
    return suite
