"""DeriveKey (KMIP 2.1 §6.1): a new key or secret from existing ones.

For each object that the request names, the caller needs the right derive_key, and the object's
usage mask must allow it, for the owner as well. A derived object is protected at least as well as
those it comes from: `common.hidden_derivation` sees to it that nothing else shows its bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..crypto import key_derivation
from ..crypto.key_derivation import DerivationInputs
from ..crypto.keys.symmetric import check_key_length, count_octets
from ..crypto.mac import HMACS
from ..crypto.material import KeyMaterial
from ..crypto.policy import Technique
from ..domain.access import is_owner
from ..domain.key_parameters import bind_parameters
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..domain.usage import consume_usage
from ..errors import FeatureNotSupported, InvalidField, MissingData
from ..kmip.attributes import Attributes
from ..kmip.enums import (
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
)
from ..kmip.payloads import DeriveKeyRequest, DeriveKeyResponse
from ..kmip.structures import CryptographicParameters, DerivationParameters, Link
from ..kmip.tables import format_name
from ..store.interface.changes import Change, Insert, Replace
from .common.call import Call
from .common.derivation_methods import METHODS, Derivation, MethodRule, check_parameters
from .common.hidden_derivation import check_derivation, is_hidden, record_results
from .common.identifiers import new_identifier
from .common.key_use import check_also_allowed
from .common.new_object import make_object
from .common.usable_key import UsableKey

#: The object types that can be derived, and from which others can be derived.
DERIVABLE_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})
#: Most links from a base to objects derived from it, so that a base in constant use does not grow for
#: ever. Every derived object still links to its base, and Locate finds it by that link.
MAX_DERIVED_LINKS = 100


async def derive_key(call: Call, request: DeriveKeyRequest) -> DeriveKeyResponse:
    """Derive a new object, owned by the caller."""
    call.check_may_create()
    if request.object_type not in DERIVABLE_TYPES:
        raise FeatureNotSupported("symmetric keys and secret data can be derived")
    rule = METHODS.get(request.derivation_method)
    if rule is None:
        raise FeatureNotSupported(
            f"derivation by {format_name(request.derivation_method)} is not offered"
        )
    call.check_allowed(rule.technique, Use.PROTECT)
    length = _determine_length(request)
    keys = await _fetch_bases(call, request.unique_identifiers)
    bases = [key.target for key in keys]
    if rule.technique is Technique.DERIVATION_BY_ENCRYPTION:
        for encrypted in bases[1:]:  # whoever knows the base's key decrypts the result
            await check_also_allowed(
                call, encrypted, Operation.GET, "encrypting what another object has"
            )
    attributes = _protect_like_bases(request.attributes, bases)
    hides = is_hidden(attributes)
    check_derivation(call, bases, length, rule.technique, hides=hides)
    parameters = _complete_parameters(request.derivation_parameters, keys)
    check_parameters(rule, parameters)
    inputs = DerivationInputs(
        length=length,
        hash=_choose_hash(bases[0], parameters),
        data=parameters.derivation_data or b"",
        salt=parameters.salt or b"",
    )
    derivation = Derivation(call, bases[0], keys[0].open(), parameters, inputs)
    material = await _derive(rule, derivation)
    new = _make_derived_object(call, request, attributes, bases, material)
    uses = [
        change
        for base in bases
        for change in _record_use(call, base, record_results(base, hides=hides), new)
    ]
    await call.commit(Insert(new, is_uid_random=not attributes.unique_identifier), *uses)
    return DeriveKeyResponse(unique_identifier=new.uid)


# --- the request ----------------------------------------------------------------------------------


def _determine_length(request: DeriveKeyRequest) -> int:
    """The length of the derived object, in bytes.

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
        return count_octets(attributes.cryptographic_algorithm, bits)
    return bits // 8


async def _fetch_bases(call: Call, identifiers: tuple[str, ...]) -> Sequence[UsableKey]:
    """The base, and if the request names a second object, the Secret Data with the derivation data.

    Raises MissingData, InvalidField, and the errors of `Call.fetch_to_use`.
    """
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
        raise InvalidField("the second object, which has the derivation data, is not Secret Data")
    return keys


def _complete_parameters(
    parameters: DerivationParameters, keys: Sequence[UsableKey]
) -> DerivationParameters:
    """The parameters bound by the base's own, with the data from the second object where there is one."""
    own = keys[0].target.attributes.cryptographic_parameters
    if own is not None:
        bound = bind_parameters(own, parameters.cryptographic_parameters)
        parameters = dataclasses.replace(parameters, cryptographic_parameters=bound)
    if len(keys) == 1:
        return parameters
    if parameters.derivation_data is not None:
        raise InvalidField("DerivationData is given twice: by value and by object")
    return dataclasses.replace(parameters, derivation_data=keys[1].open().reveal())


def _choose_hash(base: ManagedObject, parameters: DerivationParameters) -> HashingAlgorithm:
    """The hash that the parameters name; else that of the HMAC which they name, or for which the base is a key.

    If there is none of these, it is SHA-256.
    """
    requested = parameters.cryptographic_parameters or CryptographicParameters()
    if requested.hashing_algorithm is not None:
        return requested.hashing_algorithm
    for algorithm in (requested.cryptographic_algorithm, base.attributes.cryptographic_algorithm):
        if algorithm is not None and algorithm in HMACS:
            return HMACS[algorithm]
    return HashingAlgorithm.SHA_256


async def _derive(rule: MethodRule, derivation: Derivation) -> KeyMaterial:
    """The derived bytes. Raises InvalidField as the method does, and Unavailable where no thread is free for it."""
    if not rule.is_slow:
        return rule.derive(derivation)
    inputs = derivation.inputs
    key_derivation.check_iterations(inputs, derivation.parameters.iteration_count or 0)
    size = len(inputs.data) + len(inputs.salt)
    return await derivation.call.offload(lambda: rule.derive(derivation), heavy=True, size=size)


# --- the derived object --------------------------------------------------------------------------


def _protect_like_bases(requested: Attributes, bases: Sequence[ManagedObject]) -> Attributes:
    """The requested attributes: Sensitive if a base is, and not Extractable if a base is not."""
    return dataclasses.replace(
        requested,
        sensitive=bool(requested.sensitive) or any(base.attributes.sensitive for base in bases),
        extractable=requested.extractable is not False
        and all(base.attributes.extractable is not False for base in bases),
    )


def _make_derived_object(
    call: Call,
    request: DeriveKeyRequest,
    attributes: Attributes,
    bases: Sequence[ManagedObject],
    material: KeyMaterial,
) -> ManagedObject:
    """The new object, linked to all bases. attributes: by `_protect_like_bases`."""
    links = tuple(Link(LinkType.DERIVATION_BASE_OBJECT_LINK, base.uid) for base in bases)
    server_attributes = Attributes(
        cryptographic_length=attributes.cryptographic_length,
        key_format_type=attributes.key_format_type or KeyFormatType.RAW,
        links=attributes.links + links,
    )
    uid = new_identifier(attributes.unique_identifier)
    return make_object(call, uid, request.object_type, attributes, material, server_attributes)


def _record_use(
    call: Call, base: ManagedObject, after: ManagedObject, new: ManagedObject
) -> Sequence[Change]:
    """The change of a base, if any: usage is consumed, and a base of the caller's own gets a link to the new object.

    after: the base with the record of its results.
    """
    attributes = after.attributes
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
    if after is base and attributes is base.attributes:
        return ()
    return (Replace(dataclasses.replace(after, attributes=attributes), seen=base.generation),)
