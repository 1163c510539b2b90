"""Plans: everything that an Encrypt or Decrypt with a symmetric key decides before it computes.

    request, the key's attributes, crypto policy, client  →  EncryptionPlan | DecryptionPlan

Both functions are pure: they reach no store, no key material and no clock, and randomness is an
argument. So a table of requests and plans tests every decision. Whole data and data in parts have
the same plan, made once: for data in parts, by the first one.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ...crypto.ciphers import RandomSource, generate_iv, normalise_nonce
from ...crypto.policy import CryptoPolicy, check_policy
from ...crypto.suites import Suite, check_aad, check_iv, choose_suite
from ...domain.lifecycle import Use
from ...kmip.attributes import Attributes
from ...kmip.payloads import DecryptRequest, EncryptRequest
from ...kmip.structures import CryptographicParameters
from .client_profile import ClientProfile
from .key_use import choose_parameters

# Python 3.11 looks a member of an enumeration up in a function.
_PROTECT, _PROCESS = Use.PROTECT, Use.PROCESS


# The plans are named tuples because one is made with every request, and a frozen dataclass takes
# almost three times as long to make: 2 % of Encrypt.
class EncryptionPlan(NamedTuple):
    """What an Encrypt does with the data, and what it says and records besides.

    iv: None where the suite has none. aad: b"" where the request has none.
    recorded_nonce: is recorded as used with this key, and refused where it was used before. That is
    the rule for nonces that a caller brings; random ones need no record (`ciphers.generate_iv`).
    None: there is nothing to record.
    returned_iv: stands in the answer; None: the answer has none.
    """

    suite: Suite
    iv: bytes | None
    aad: bytes
    recorded_nonce: bytes | None
    returned_iv: bytes | None

    def __repr__(self) -> str:  # without the caller's additional data
        return f"EncryptionPlan({self.suite.technique.value})"


class DecryptionPlan(NamedTuple):
    """What a Decrypt does with the data; the tag comes with its last part.

    iv, aad: as of an EncryptionPlan.
    """

    suite: Suite
    iv: bytes | None
    aad: bytes

    def __repr__(self) -> str:  # without the caller's additional data
        return f"DecryptionPlan({self.suite.technique.value})"


def plan_encryption(
    request: EncryptRequest,
    attributes: Attributes,
    policy: CryptoPolicy,
    client: ClientProfile,
    random: RandomSource = os.urandom,
) -> EncryptionPlan:
    """attributes: the key's. random: makes the IV where the request brings none.

    Raises UnsupportedCryptographicParameters (also where the policy refuses), BadTagLength,
    InvalidField, and the client's `missing_iv_error` for Random IV false without an IV.
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
            recorded_nonce = normalise_nonce(suite, request_iv)
    aad = request.authenticated_encryption_additional_data or b""
    if aad:
        check_aad(suite, aad)
    return EncryptionPlan(suite, iv, aad, recorded_nonce, returned_iv)


def plan_decryption(
    request: DecryptRequest, attributes: Attributes, policy: CryptoPolicy, client: ClientProfile
) -> DecryptionPlan:
    """attributes: the key's.

    The length of the IV is left to `ciphers`, where a wrong one is the same error as any other fault.

    Raises UnsupportedCryptographicParameters (also where the policy refuses), BadTagLength,
    InvalidField, and the client's `missing_iv_error`.
    """
    requested = choose_parameters(attributes, request.cryptographic_parameters)
    iv = request.iv_counter_nonce
    suite = _choose_allowed_suite(attributes, requested, iv, policy, _PROCESS)
    if suite.new_iv_bytes and iv is None:
        raise client.missing_iv_error("decryption needs the IV that the encryption returned")
    aad = request.authenticated_encryption_additional_data or b""
    if aad:
        check_aad(suite, aad)
    return DecryptionPlan(suite, iv, aad)


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
