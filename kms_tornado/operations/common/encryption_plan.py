"""Plans: everything that an Encrypt or Decrypt with a symmetric key decides before it computes.

    request, the key's attributes, crypto policy, client  →  EncryptionPlan | DecryptionPlan

Both functions are pure: they use no store, no key material and no clock, and randomness is an argument.
So a table of requests and plans tests every decision. Data in parts needs only one plan, made for the
first part as for whole data.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ...crypto.encryption.ciphers import RandomSource, generate_iv, normalise_nonce
from ...crypto.encryption.suites import Suite, check_aad, check_iv, choose_suite
from ...crypto.policy import CryptoPolicy, check_policy
from ...domain.key_parameters import bind_parameters
from ...domain.lifecycle import Use
from ...domain.nonces import check_caller_may_choose, check_server_may_choose
from ...errors import BadCryptographicParameters, ImpossibleTagLength
from ...kmip.attributes import Attributes
from ...kmip.payloads import DecryptRequest, EncryptRequest
from ...kmip.structures import CryptographicParameters
from .client_profile import ClientProfile

# In Python 3.11 an enumeration's member is looked up by a function call, which these constants save.
_PROTECT, _PROCESS = Use.PROTECT, Use.PROCESS


# The plans are named tuples because one is made with every request, and a frozen dataclass takes
# almost three times as long to make: 2 % of Encrypt.
class EncryptionPlan(NamedTuple):
    """How an Encrypt treats the data, and what it records and returns besides the ciphertext.

    iv: None where the suite has none. aad: b"" where the request has none.
    makes_nonce: whether the iv has a nonce that the server made, one of those that it may make for the key.
    recorded_nonce: the caller's nonce, to record as used with this key; it is refused where it was used
    before. None: the caller brought none, or the suite has none.
    needs_decrypt: whether the caller needs a right to decrypt as well: with an IV of their own (in CBC, which
    has no nonce, it shows whether a guessed block is the right one), or where another mode's data could be read.
    returned_iv: the IV in the answer; None: the answer has none.
    """

    suite: Suite
    iv: bytes | None
    aad: bytes
    makes_nonce: bool
    recorded_nonce: bytes | None
    needs_decrypt: bool
    returned_iv: bytes | None

    def __repr__(self) -> str:  # without the caller's additional data
        return f"EncryptionPlan({self.suite.technique.value})"


class DecryptionPlan(NamedTuple):
    """How a Decrypt treats the data, without the tag, which may come with a later part.

    iv, aad: as for EncryptionPlan. needs_encrypt: whether the caller needs a right to encrypt as well.
    """

    suite: Suite
    iv: bytes | None
    aad: bytes
    needs_encrypt: bool

    def __repr__(self) -> str:  # without the caller's additional data
        return f"DecryptionPlan({self.suite.technique.value})"


def plan_encryption(
    request: EncryptRequest,
    attributes: Attributes,
    nonce_source: int | None,
    policy: CryptoPolicy,
    client: ClientProfile,
    random: RandomSource = os.urandom,
) -> EncryptionPlan:
    """The plan of an Encrypt. random: makes the IV where the request has none.

    attributes, nonce_source: the key's.
    Raises BadCryptographicParameters (also where the request contradicts the key's),
    UnsupportedCryptographicParameters (also where the policy refuses), InvalidField, WrongNonceSource,
    the client's `impossible_tag_error`, and its `missing_iv_error` for Random IV false without an IV.
    """
    own = attributes.cryptographic_parameters
    requested = bind_parameters(own, request.cryptographic_parameters)
    request_iv = request.iv_counter_nonce
    suite = _choose_allowed_suite(attributes, requested, request_iv, policy, client, _PROTECT)
    if request_iv is None:
        if suite.new_iv_bytes and requested is not None and requested.random_iv is False:
            raise client.missing_iv_error("RandomIV is false and IVCounterNonce is missing")
        if suite.has_nonce:
            check_server_may_choose(nonce_source)
        iv = returned_iv = generate_iv(suite, random)
        recorded_nonce = None
    else:
        recorded_nonce = _check_callers_iv(suite, request_iv, own, nonce_source)
        iv = request_iv
        returned_iv = request_iv if client.returns_given_iv else None
    aad = request.authenticated_encryption_additional_data or b""
    if aad:
        check_aad(suite, aad)
    return EncryptionPlan(
        suite,
        iv,
        aad,
        suite.has_nonce and recorded_nonce is None,
        recorded_nonce,
        request_iv is not None or _reveals_other_modes(suite, own),
        returned_iv,
    )


def _check_callers_iv(
    suite: Suite, iv: bytes, own: CryptographicParameters | None, nonce_source: int | None
) -> bytes | None:
    """Check that the caller may bring this IV. Returns the nonce to record; None where the suite has none.

    own, nonce_source: the key's. Raises BadCryptographicParameters, InvalidField and WrongNonceSource.
    """
    if own is not None and own.random_iv:
        raise BadCryptographicParameters(
            "the key's CryptographicParameters set RandomIV: the server makes the IV"
        )
    check_iv(suite, iv)
    if not suite.has_nonce:
        return None
    check_caller_may_choose(nonce_source)
    return normalise_nonce(suite, iv)


def _reveals_other_modes(suite: Suite, own: CryptographicParameters | None) -> bool:
    """Whether the answer could be the key stream of another mode.

    In CBC and ECB the caller decides what the block cipher encrypts. That could be the counter blocks of somebody
    else's GCM or CTR, unless the key's own parameters rule those modes out.
    """
    return not suite.has_nonce and (own is None or own.block_cipher_mode is None)


def plan_decryption(
    request: DecryptRequest, attributes: Attributes, policy: CryptoPolicy, client: ClientProfile
) -> DecryptionPlan:
    """The plan of a Decrypt. attributes: the key's.

    `ciphers` checks the length of the IV, so that a wrong one raises the same error as any other fault.

    Raises BadCryptographicParameters (also where the request contradicts the key's),
    UnsupportedCryptographicParameters (also where the policy refuses), InvalidField, and the client's
    `impossible_tag_error` and `missing_iv_error`.
    """
    requested = bind_parameters(
        attributes.cryptographic_parameters, request.cryptographic_parameters
    )
    iv = request.iv_counter_nonce
    suite = _choose_allowed_suite(attributes, requested, iv, policy, client, _PROCESS)
    if suite.new_iv_bytes and iv is None:
        raise client.missing_iv_error("decryption needs the IV that the encryption returned")
    aad = request.authenticated_encryption_additional_data or b""
    if aad:
        check_aad(suite, aad)
    # To decrypt a key stream is to encrypt: zeros give the stream of any nonce.
    return DecryptionPlan(suite, iv, aad, suite.is_key_stream)


def _choose_allowed_suite(
    attributes: Attributes,
    requested: CryptographicParameters | None,
    iv: bytes | None,
    policy: CryptoPolicy,
    client: ClientProfile,
    use: Use,
) -> Suite:
    """The suite for which the parameters ask. Raises where the key or the policy does not allow it."""
    try:
        suite = choose_suite(attributes.cryptographic_algorithm, requested, iv)
    except ImpossibleTagLength as exc:
        raise client.impossible_tag_error(str(exc)) from exc
    for technique in suite.list_techniques(iv):
        check_policy(policy, technique, use)
    return suite
