"""DeriveKey (KMIP 2.1 §6.1): a new key or secret from existing ones.

For each object that the request names, the caller needs the right derive_key, and the object's
usage mask must allow it, for the owner as well. A derived object is protected at least as well as
those it comes from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..crypto import ciphers, key_derivation
from ..crypto.key_derivation import DerivationInputs
from ..crypto.keys.symmetric import check_key_length
from ..crypto.mac import HMACS
from ..crypto.material import KeyMaterial
from ..crypto.policy import Technique
from ..crypto.suites import check_iv, choose_suite
from ..domain.access import is_owner
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..domain.usage import consume_usage
from ..errors import FeatureNotSupported, InvalidField, MissingData, SensitiveObject
from ..kmip.attributes import Attributes
from ..kmip.enums import (
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
)
from ..kmip.payloads import DeriveKeyRequest, DeriveKeyResponse
from ..kmip.structures import CryptographicParameters, DerivationParameters, Link
from ..store.base import Change, Insert, Replace
from .common.call import Call, UsableKey
from .common.identifiers import new_identifier
from .common.new_object import make_object

#: The object types that are derived, and that they are derived from.
DERIVABLE_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})
#: Links from a base to objects derived from it. Every derived object links to its base, and Locate
#: finds it by that link; a base in constant use must not grow for ever.
MAX_DERIVED_LINKS = 100
#: Of what is derived from an object whose material must stay hidden (SP 800-131A). A short result
#: can be guessed by trying all values, and longer results of the same derivation then byte by byte:
#: in the end the whole derived key, and the data that was encrypted with it.
MIN_HIDDEN_BITS = 112


@dataclass(frozen=True, slots=True)
class Derivation:
    """One derivation.

    Everything about it has been checked except what only its method can check.
    """

    call: Call
    base: ManagedObject
    key: KeyMaterial
    parameters: DerivationParameters
    inputs: DerivationInputs


@dataclass(frozen=True, slots=True)
class MethodRule:
    """How a derivation method computes.

    needs, takes: fields of the parameters that must and may be present; others are refused, as they
    would have no effect. is_slow: is computed on a thread.
    """

    technique: Technique
    derive: Callable[[Derivation], KeyMaterial]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    is_slow: bool = False


async def derive_key(call: Call, request: DeriveKeyRequest) -> DeriveKeyResponse:
    """A new object, owned by the caller."""
    call.check_may_create()
    if request.object_type not in DERIVABLE_TYPES:
        raise FeatureNotSupported("symmetric keys and secret data can be derived")
    rule = _RULES.get(request.derivation_method)
    if rule is None:
        raise FeatureNotSupported(f"derivation by {request.derivation_method.name} is not offered")
    call.check_allowed(rule.technique, Use.PROTECT)
    length = _determine_length(request)
    keys = await _fetch_bases(call, request.unique_identifiers)
    bases = [key.target for key in keys]
    _check_not_guessable(bases, length)
    parameters = _complete_parameters(request.derivation_parameters, keys)
    _check_parameters(rule, parameters)
    inputs = DerivationInputs(
        length=length,
        hash=_choose_hash(bases[0], parameters),
        data=parameters.derivation_data or b"",
        salt=parameters.salt or b"",
    )
    derivation = Derivation(call, bases[0], keys[0].open(), parameters, inputs)
    if rule.is_slow:
        key_derivation.check_iterations(inputs, parameters.iteration_count or 0)
        material = await call.offload(lambda: rule.derive(derivation), heavy=True)
    else:
        material = rule.derive(derivation)
    new = _make_derived_object(call, request, bases, material)
    uses = [change for base in bases for change in _record_use(call, base, new)]
    await call.commit(Insert(new), *uses)
    return DeriveKeyResponse(unique_identifier=new.uid)


# --- the request ----------------------------------------------------------------------------------


def _determine_length(request: DeriveKeyRequest) -> int:
    """Of the derived object, in bytes.

    Raises MissingData, InvalidField, and InvalidAttributeValue for a length that the algorithm of the
    new key does not have.
    """
    attributes = request.attributes
    bits = attributes.cryptographic_length
    if bits is None:
        raise MissingData("CryptographicLength is missing in Attributes")
    if bits % 8:
        raise InvalidField("CryptographicLength is a multiple of 8")
    if request.object_type is ObjectType.SYMMETRIC_KEY:
        if attributes.cryptographic_algorithm is None:
            raise MissingData("CryptographicAlgorithm is missing in Attributes")
        check_key_length(attributes.cryptographic_algorithm, bits)
    return bits // 8


async def _fetch_bases(call: Call, identifiers: tuple[str, ...]) -> Sequence[UsableKey]:
    """The key, and the Secret Data that holds the derivation data if a second object is named."""
    if not identifiers:
        raise MissingData("UniqueIdentifier is missing")
    if len(identifiers) > 2:
        raise InvalidField("a key is derived from one object, and data of a second one")
    keys = [
        await call.fetch_to_use(
            identifier, Use.PROTECT, CryptographicUsageMask.DERIVE_KEY, types=DERIVABLE_TYPES
        )
        for identifier in identifiers
    ]
    if len({key.target.uid for key in keys}) < len(keys):
        raise InvalidField("the two objects are the same")
    if len(keys) == 2 and keys[1].target.object_type is not ObjectType.SECRET_DATA:
        raise InvalidField("the second object, which has the derivation data, is no Secret Data")
    return keys


def _check_not_guessable(bases: Sequence[ManagedObject], length: int) -> None:
    """Raises SensitiveObject where a hidden key would give a result short enough to be guessed."""
    is_hidden = any(
        base.attributes.sensitive or base.attributes.extractable is False for base in bases
    )
    if is_hidden and 8 * length < MIN_HIDDEN_BITS:
        raise SensitiveObject(
            f"what is derived from a Sensitive object has at least {MIN_HIDDEN_BITS} bits"
        )


def _complete_parameters(
    parameters: DerivationParameters, keys: Sequence[UsableKey]
) -> DerivationParameters:
    """The parameters, with the derivation data of the second object where there is one."""
    if len(keys) == 1:
        return parameters
    if parameters.derivation_data is not None:
        raise InvalidField("DerivationData is given twice: by value and by object")
    return dataclasses.replace(parameters, derivation_data=keys[1].open().reveal())


def _check_parameters(rule: MethodRule, parameters: DerivationParameters) -> None:
    """Raises MissingData, InvalidField for fields that the method needs, or does not take."""
    for field, name in _FIELDS.items():
        is_present = getattr(parameters, field) is not None
        if field in rule.needs and not is_present:
            raise MissingData(f"{name} is missing in DerivationParameters")
        if is_present and field not in rule.needs | rule.takes:
            raise InvalidField(f"{name} means nothing to this derivation method")


def _choose_hash(base: ManagedObject, parameters: DerivationParameters) -> HashingAlgorithm:
    """The hash that is named, else that of the HMAC that is named or that the key is for.

    By default SHA-256.
    """
    requested = parameters.cryptographic_parameters or CryptographicParameters()
    if requested.hashing_algorithm is not None:
        return requested.hashing_algorithm
    for algorithm in (requested.cryptographic_algorithm, base.attributes.cryptographic_algorithm):
        if algorithm is not None and algorithm in HMACS:
            return HMACS[algorithm]
    return HashingAlgorithm.SHA_256


# --- the methods ---------------------------------------------------------------------------------


def _derive_by_encryption(derivation: Derivation) -> KeyMaterial:
    """The first bytes of the encrypted data; under the client's IV, which makes it repeatable."""
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


_FIELDS = {
    "initialization_vector": "InitializationVector",
    "derivation_data": "DerivationData",
    "salt": "Salt",
    "iteration_count": "IterationCount",
}
_DATA = frozenset({"derivation_data"})
_RULES: Mapping[DerivationMethod, MethodRule] = MappingProxyType(
    {
        DerivationMethod.PBKDF2: MethodRule(
            Technique.PBKDF2,
            lambda d: key_derivation.derive_by_pbkdf2(
                d.key, d.inputs, d.parameters.iteration_count or 0
            ),
            needs=frozenset({"salt", "iteration_count"}),
            is_slow=True,
        ),
        # The hash of the key only: of data alone, the client could compute the hash itself.
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


# --- the derived object --------------------------------------------------------------------------


def _make_derived_object(
    call: Call, request: DeriveKeyRequest, bases: Sequence[ManagedObject], material: KeyMaterial
) -> ManagedObject:
    """Sensitive if a base is, not Extractable if a base is not, and linked to all bases."""
    requested = request.attributes
    attributes = dataclasses.replace(
        requested,
        sensitive=bool(requested.sensitive) or any(base.attributes.sensitive for base in bases),
        extractable=requested.extractable is not False
        and all(base.attributes.extractable is not False for base in bases),
    )
    links = tuple(Link(LinkType.DERIVATION_BASE_OBJECT_LINK, base.uid) for base in bases)
    computed = Attributes(
        cryptographic_length=requested.cryptographic_length,
        key_format_type=requested.key_format_type or KeyFormatType.RAW,
        links=requested.links + links,
    )
    uid = new_identifier(requested.unique_identifier)
    return make_object(call, uid, request.object_type, attributes, material, computed)


def _record_use(call: Call, base: ManagedObject, new: ManagedObject) -> Sequence[Change]:
    """The change of a base: its usage is consumed, and its owner's base links to the new object."""
    attributes = base.attributes
    if attributes.usage_limits is not None:
        length = new.attributes.cryptographic_length or 0
        limits = consume_usage(attributes.usage_limits, length // 8)
        attributes = attributes.replace(usage_limits=limits)
    derived = [link for link in attributes.links if link.link_type is LinkType.DERIVED_KEY_LINK]
    if is_owner(call.principal, base) and len(derived) < MAX_DERIVED_LINKS:
        link = Link(LinkType.DERIVED_KEY_LINK, new.uid)
        attributes = dataclasses.replace(
            attributes, links=(*attributes.links, link), last_change_date=call.now
        )
    if attributes is base.attributes:
        return ()
    return (Replace(dataclasses.replace(base, attributes=attributes), seen=base.generation),)
