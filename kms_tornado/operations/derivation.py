"""DeriveKey (KMIP 2.1 §6.1): a new key or secret from one that is there.

Each object that the request names needs the right derive_key and the usage mask's bit, whoever's it
is. What is derived is no easier to get at than what it is derived from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..crypto import ciphers, derive
from ..crypto.derive import DerivationInputs
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
from .common.new_object import new_object

#: What keys are derived from, and what comes out.
BASE_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})
#: Links from a base to what was derived from it. Every derived object names its base, and Locate finds
#: it by that; a base that is used all the time must not grow for ever.
MAX_DERIVED_LINKS = 100
#: Bits of what is derived from a Sensitive object (SP 800-131A). A short one is found by trying, and each
#: longer one of the same derivation then a byte at a time: what is derived, and at last what was encrypted.
MIN_HIDDEN_BITS = 112


@dataclass(frozen=True, slots=True)
class Task:
    """One derivation, everything about it checked but what its method alone knows."""

    call: Call
    base: ManagedObject
    key: KeyMaterial
    parameters: DerivationParameters
    inputs: DerivationInputs


@dataclass(frozen=True, slots=True)
class Method:
    """needs, takes: fields of the parameters that must, and may, be given; others would be ignored."""

    technique: Technique
    derive: Callable[[Task], KeyMaterial]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    is_slow: bool = False


async def derive_key(call: Call, request: DeriveKeyRequest) -> DeriveKeyResponse:
    """A new object of the caller's."""
    call.check_may_create()
    if request.object_type not in BASE_TYPES:
        raise FeatureNotSupported("symmetric keys and secret data can be derived")
    method = _METHODS.get(request.derivation_method)
    if method is None:
        raise FeatureNotSupported(f"derivation by {request.derivation_method.name} is not offered")
    call.check_allowed(method.technique, Use.PROTECT)
    length = _length(request)
    keys = await _fetch_bases(call, request.unique_identifiers)
    bases = [key.target for key in keys]
    _check_hidden(bases, length)
    parameters = _parameters(request.derivation_parameters, keys)
    _check_parameters(method, parameters)
    inputs = DerivationInputs(
        length=length,
        hash=_hash(bases[0], parameters),
        data=parameters.derivation_data or b"",
        salt=parameters.salt or b"",
    )
    task = Task(call, bases[0], keys[0].open(), parameters, inputs)
    if method.is_slow:
        derive.check_iterations(inputs, parameters.iteration_count or 0)
        material = await call.offload(lambda: method.derive(task), heavy=True)
    else:
        material = method.derive(task)
    new = _derived(call, request, bases, material)
    used = [change for base in bases for change in _used(call, base, new)]
    await call.commit(Insert(new), *used)
    return DeriveKeyResponse(unique_identifier=new.uid)


# --- from what ----------------------------------------------------------------------------------


def _length(request: DeriveKeyRequest) -> int:
    """Bytes. Raises for what the algorithm of the new key does not have."""
    wanted = request.attributes
    bits = wanted.cryptographic_length
    if bits is None:
        raise MissingData("CryptographicLength is missing in Attributes")
    if bits % 8:
        raise InvalidField("CryptographicLength is a multiple of 8")
    if request.object_type is ObjectType.SYMMETRIC_KEY:
        if wanted.cryptographic_algorithm is None:
            raise MissingData("CryptographicAlgorithm is missing in Attributes")
        check_key_length(wanted.cryptographic_algorithm, bits)
    return bits // 8


async def _fetch_bases(call: Call, identifiers: tuple[str, ...]) -> Sequence[UsableKey]:
    """The key, and the secret whose octets are the derivation data where there is a second one."""
    if not identifiers:
        raise MissingData("UniqueIdentifier is missing")
    if len(identifiers) > 2:
        raise InvalidField("a key is derived from one object, and data of a second one")
    keys = [
        await call.fetch_to_use(
            identifier, Use.PROTECT, CryptographicUsageMask.DERIVE_KEY, types=BASE_TYPES
        )
        for identifier in identifiers
    ]
    if len({key.target.uid for key in keys}) < len(keys):
        raise InvalidField("the two objects are the same")
    if len(keys) == 2 and keys[1].target.object_type is not ObjectType.SECRET_DATA:
        raise InvalidField("the second object, which has the derivation data, is no Secret Data")
    return keys


def _check_hidden(bases: Sequence[ManagedObject], length: int) -> None:
    """Raises SensitiveObject for so few bytes of what nobody may know that anybody could try them all."""
    is_hidden = any(
        base.attributes.sensitive or base.attributes.extractable is False for base in bases
    )
    if is_hidden and 8 * length < MIN_HIDDEN_BITS:
        raise SensitiveObject(
            f"what is derived from a Sensitive object has at least {MIN_HIDDEN_BITS} bits"
        )


def _parameters(given: DerivationParameters, keys: Sequence[UsableKey]) -> DerivationParameters:
    """With the derivation data of the second object in its place."""
    if len(keys) == 1:
        return given
    if given.derivation_data is not None:
        raise InvalidField("DerivationData is given twice: by value and by object")
    return dataclasses.replace(given, derivation_data=keys[1].open().reveal())


def _check_parameters(method: Method, parameters: DerivationParameters) -> None:
    for field, name in _FIELDS.items():
        is_given = getattr(parameters, field) is not None
        if field in method.needs and not is_given:
            raise MissingData(f"{name} is missing in DerivationParameters")
        if is_given and field not in method.needs | method.takes:
            raise InvalidField(f"{name} means nothing to this derivation method")


def _hash(base: ManagedObject, parameters: DerivationParameters) -> HashingAlgorithm:
    """The one that is named, or of the HMAC that is named or that the key is for; else SHA-256."""
    wanted = parameters.cryptographic_parameters or CryptographicParameters()
    if wanted.hashing_algorithm is not None:
        return wanted.hashing_algorithm
    for algorithm in (wanted.cryptographic_algorithm, base.attributes.cryptographic_algorithm):
        if algorithm is not None and algorithm in HMACS:
            return HMACS[algorithm]
    return HashingAlgorithm.SHA_256


# --- how ----------------------------------------------------------------------------------------


def _by_encryption(task: Task) -> KeyMaterial:
    """The beginning of the encrypted data, under the client's IV: it must come out the same again."""
    iv = task.parameters.initialization_vector
    algorithm = task.base.attributes.cryptographic_algorithm
    suite = choose_suite(algorithm, task.parameters.cryptographic_parameters, iv)
    if suite.has_nonce:
        # Data of the client's choice under a nonce of its choice: what comes out is the key stream.
        raise InvalidField("derivation by encryption takes the modes CBC and ECB")
    for technique in suite.list_techniques(iv):
        task.call.check_allowed(technique, Use.PROTECT)
    if iv is None and suite.new_iv_bytes:
        raise MissingData("InitializationVector is missing in DerivationParameters")
    if iv is not None:
        check_iv(suite, iv)
    sealed = ciphers.encrypt(suite, task.key, task.inputs.data, b"", iv)
    return derive.truncate_key(sealed.ciphertext, task.inputs.length)


_FIELDS = {
    "initialization_vector": "InitializationVector",
    "derivation_data": "DerivationData",
    "salt": "Salt",
    "iteration_count": "IterationCount",
}
_DATA = frozenset({"derivation_data"})
_METHODS: Mapping[DerivationMethod, Method] = MappingProxyType(
    {
        DerivationMethod.PBKDF2: Method(
            Technique.PBKDF2,
            lambda t: derive.derive_by_pbkdf2(t.key, t.inputs, t.parameters.iteration_count or 0),
            needs=frozenset({"salt", "iteration_count"}),
            is_slow=True,
        ),
        # Of the key alone: over data alone, the client would know what comes out.
        DerivationMethod.HASH: Method(
            Technique.DERIVATION_BY_HASH, lambda t: derive.derive_by_hash(t.key, t.inputs)
        ),
        DerivationMethod.HMAC: Method(
            Technique.DERIVATION_BY_HMAC,
            lambda t: derive.derive_by_hmac(t.key, t.inputs),
            needs=_DATA,
        ),
        DerivationMethod.ENCRYPT: Method(
            Technique.DERIVATION_BY_ENCRYPTION,
            _by_encryption,
            needs=_DATA,
            takes=frozenset({"initialization_vector"}),
        ),
        DerivationMethod.NIST800_108_C: Method(
            Technique.NIST_800_108,
            lambda t: derive.derive_by_nist_800_108(t.key, t.inputs),
            needs=_DATA,
        ),
        DerivationMethod.HKDF: Method(
            Technique.HKDF,
            lambda t: derive.derive_by_hkdf(t.key, t.inputs),
            takes=_DATA | {"salt"},
        ),
    }
)


# --- what comes of it ---------------------------------------------------------------------------


def _derived(
    call: Call, request: DeriveKeyRequest, bases: Sequence[ManagedObject], material: KeyMaterial
) -> ManagedObject:
    """Sensitive where a base is, and not Extractable where a base is not; linked to its bases."""
    wanted = request.attributes
    known = [base.attributes for base in bases]
    attributes = dataclasses.replace(
        wanted,
        sensitive=bool(wanted.sensitive) or any(each.sensitive for each in known),
        extractable=wanted.extractable is not False
        and all(each.extractable is not False for each in known),
    )
    links = tuple(Link(LinkType.DERIVATION_BASE_OBJECT_LINK, base.uid) for base in bases)
    computed = Attributes(
        cryptographic_length=wanted.cryptographic_length,
        key_format_type=wanted.key_format_type or KeyFormatType.RAW,
        links=wanted.links + links,
    )
    uid = new_identifier(wanted.unique_identifier)
    return new_object(call, uid, request.object_type, attributes, material, computed)


def _used(call: Call, base: ManagedObject, new: ManagedObject) -> Sequence[Change]:
    """The base, a use of it counted, and linked to the new object where both are the caller's."""
    attributes = base.attributes
    if attributes.usage_limits is not None:
        length = new.attributes.cryptographic_length or 0
        limits = consume_usage(attributes.usage_limits, length // 8)
        attributes = attributes.replace(usage_limits=limits)
    derived = [each for each in attributes.links if each.link_type is LinkType.DERIVED_KEY_LINK]
    if is_owner(call.principal, base) and len(derived) < MAX_DERIVED_LINKS:
        link = Link(LinkType.DERIVED_KEY_LINK, new.uid)
        attributes = dataclasses.replace(
            attributes, links=(*attributes.links, link), last_change_date=call.now
        )
    if attributes is base.attributes:
        return ()
    return (Replace(dataclasses.replace(base, attributes=attributes), seen=base.generation),)
