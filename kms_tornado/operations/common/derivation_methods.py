"""The methods of DeriveKey: which parameters each of them takes, and how it derives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...crypto import key_derivation
from ...crypto.encryption import ciphers
from ...crypto.encryption.suites import check_iv, choose_suite
from ...crypto.key_derivation import DerivationInputs
from ...crypto.material import KeyMaterial
from ...crypto.policy import Technique
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...errors import InvalidField, MissingData
from ...kmip.enums import DerivationMethod
from ...kmip.structures import DerivationParameters
from .call import Call

#: Fields of DerivationParameters that not every method takes, with their names in KMIP.
_FIELDS = {
    "initialization_vector": "InitializationVector",
    "derivation_data": "DerivationData",
    "salt": "Salt",
    "iteration_count": "IterationCount",
}


@dataclass(frozen=True, slots=True)
class Derivation:
    """One derivation, checked except for what only its method can check.

    base: the object that it is derived from. key: the base's material.
    """

    call: Call
    base: ManagedObject
    key: KeyMaterial
    parameters: DerivationParameters
    inputs: DerivationInputs


@dataclass(frozen=True, slots=True)
class MethodRule:
    """One derivation method.

    needs: fields of DerivationParameters that must be present.
    takes: fields that may be present. Other fields are refused, because they would have no effect.
    is_slow: whether the derivation is computed on a thread.
    """

    technique: Technique
    derive: Callable[[Derivation], KeyMaterial]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    is_slow: bool = False


def check_parameters(rule: MethodRule, parameters: DerivationParameters) -> None:
    """Raises MissingData for a field that the method needs, InvalidField for one that it does not take."""
    for field, name in _FIELDS.items():
        is_present = getattr(parameters, field) is not None
        if field in rule.needs and not is_present:
            raise MissingData(f"{name} is missing in DerivationParameters")
        if is_present and field not in rule.needs | rule.takes:
            raise InvalidField(f"{name} means nothing to this derivation method")


def _derive_by_encryption(derivation: Derivation) -> KeyMaterial:
    """The first bytes of the encrypted data. The client states the IV, so that the result is reproducible."""
    iv = derivation.parameters.initialization_vector
    algorithm = derivation.base.attributes.cryptographic_algorithm
    suite = choose_suite(algorithm, derivation.parameters.cryptographic_parameters, iv)
    if suite.has_nonce:
        # Zeros under a nonce of the client's choice would reveal the key stream.
        raise InvalidField("derivation by encryption takes the modes CBC and ECB")
    for technique in suite.list_techniques(iv):
        derivation.call.check_allowed(technique, Use.PROTECT)
    if iv is None and suite.new_iv_bytes:
        raise MissingData("InitializationVector is missing in DerivationParameters")
    if iv is not None:
        check_iv(suite, iv)
    encrypted = ciphers.encrypt(suite, derivation.key, derivation.inputs.data, b"", iv)
    return key_derivation.truncate_key(encrypted.ciphertext, derivation.inputs.length)


_DATA = frozenset({"derivation_data"})
METHODS: Mapping[DerivationMethod, MethodRule] = MappingProxyType(
    {
        DerivationMethod.PBKDF2: MethodRule(
            Technique.PBKDF2,
            lambda d: key_derivation.derive_by_pbkdf2(
                d.key, d.inputs, d.parameters.iteration_count or 0
            ),
            needs=frozenset({"salt", "iteration_count"}),
            is_slow=True,
        ),
        # Only the key is hashed: the client could compute a hash of its own data itself.
        DerivationMethod.HASH: MethodRule(
            Technique.DERIVATION_BY_HASH, lambda d: key_derivation.derive_by_hash(d.key, d.inputs)
        ),
        DerivationMethod.HMAC: MethodRule(
            Technique.DERIVATION_BY_HMAC,
            lambda d: key_derivation.derive_by_hmac(d.key, d.inputs),
            needs=_DATA,
        ),
        DerivationMethod.ENCRYPT: MethodRule(
            Technique.DERIVATION_BY_ENCRYPTION,
            _derive_by_encryption,
            needs=_DATA,
            takes=frozenset({"initialization_vector"}),
        ),
        DerivationMethod.NIST800_108_C: MethodRule(
            Technique.NIST_800_108,
            lambda d: key_derivation.derive_by_nist_800_108(d.key, d.inputs),
            needs=_DATA,
        ),
        DerivationMethod.HKDF: MethodRule(
            Technique.HKDF,
            lambda d: key_derivation.derive_by_hkdf(d.key, d.inputs),
            takes=_DATA | {"salt"},
        ),
    }
)
