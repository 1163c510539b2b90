"""Calls that create keys, and derive or replace them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kmip.attributes import Attributes
from ...kmip.enums import (
    CryptographicAlgorithm,
    DerivationMethod,
    ObjectType,
    RecommendedCurve,
)
from ...kmip.payloads import (
    CreateKeyPairRequest,
    CreateKeyPairResponse,
    CreateRequest,
    CreateResponse,
    DeriveKeyRequest,
    DeriveKeyResponse,
    ReKeyKeyPairRequest,
    ReKeyKeyPairResponse,
    ReKeyRequest,
    ReKeyResponse,
)
from ...kmip.structures import (
    CryptographicDomainParameters,
    DerivationParameters,
)
from ..exchanges import Exchange, perform
from .arguments import Key, describe, find_value, identify, new_identifier


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The identifiers of two keys that belong together."""

    private_key: str
    public_key: str


def create_symmetric_key(
    algorithm: CryptographicAlgorithm | str = "AES",
    length: int | None = 256,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Create a symmetric key; its identifier. length: in bits, None for the algorithm's usual one.

    A key without `unique_identifier` gets a random one here, so that the request may be repeated.
    """
    uid = unique_identifier or new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid).replace(
        cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm),
        cryptographic_length=length,
    )
    created = None if unique_identifier else CreateResponse(ObjectType.SYMMETRIC_KEY, uid)
    request = CreateRequest(ObjectType.SYMMETRIC_KEY, described)
    return perform(request, CreateResponse, created=created).then(
        lambda response: response.unique_identifier
    )


def create_key_pair(
    algorithm: CryptographicAlgorithm | str,
    length: int | None = None,
    *,
    curve: RecommendedCurve | str | None = None,
    name: str | None = None,
    public_key_name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    public_key_identifier: str | None = None,
    attributes: Attributes | None = None,
    private_key_attributes: Attributes | None = None,
    public_key_attributes: Attributes | None = None,
) -> Exchange[KeyPair]:
    """Create a private key and its public key; their identifiers.

    length: in bits, of RSA. curve: "P-256" and so on. name, unique_identifier: of the private key.
    tags, attributes: of both keys.
    """
    common = describe(attributes, tags=tags).replace(
        cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm),
        cryptographic_length=length,
    )
    if curve is not None:
        parameters = CryptographicDomainParameters(
            recommended_curve=find_value(RecommendedCurve, curve)
        )
        common = common.replace(cryptographic_domain_parameters=parameters)
    private, public = (
        unique_identifier or new_identifier(),
        public_key_identifier or new_identifier(),
    )
    request = CreateKeyPairRequest(
        common_attributes=common,
        private_key_attributes=describe(
            private_key_attributes, name=name, unique_identifier=private
        ),
        public_key_attributes=describe(
            public_key_attributes, name=public_key_name, unique_identifier=public
        ),
    )
    is_random = unique_identifier is None and public_key_identifier is None
    created = CreateKeyPairResponse(private, public) if is_random else None
    return perform(request, CreateKeyPairResponse, created=created).then(
        lambda response: KeyPair(
            response.private_key_unique_identifier, response.public_key_unique_identifier
        )
    )


def derive_key(
    key: Key,
    method: DerivationMethod | str,
    parameters: DerivationParameters,
    *,
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
    algorithm: CryptographicAlgorithm | str | None = "AES",
    length: int = 256,
    name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Derive a key, or secret data, from an object; its identifier. length: in bits."""
    uid = unique_identifier or new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid)
    described = described.replace(cryptographic_length=length)
    if algorithm is not None:
        described = described.replace(
            cryptographic_algorithm=find_value(CryptographicAlgorithm, algorithm)
        )
    request = DeriveKeyRequest(
        object_type,
        (identify(key),),
        derivation_method=find_value(DerivationMethod, method),
        derivation_parameters=parameters,
        attributes=described,
    )
    created = None if unique_identifier else DeriveKeyResponse(uid)
    return perform(request, DeriveKeyResponse, created=created).then(
        lambda response: response.unique_identifier
    )


def rekey(key: Key, *, attributes: Attributes | None = None) -> Exchange[str]:
    """Replace a symmetric key by a new one, which takes over its name; the identifier of the new one."""
    request = ReKeyRequest(identify(key), attributes=attributes or Attributes())
    return perform(request, ReKeyResponse).then(lambda response: response.unique_identifier)


def rekey_key_pair(key: Key, *, attributes: Attributes | None = None) -> Exchange[KeyPair]:
    """Replace a private key and its public key. key: the private one."""
    request = ReKeyKeyPairRequest(identify(key), common_attributes=attributes or Attributes())
    return perform(request, ReKeyKeyPairResponse).then(
        lambda response: KeyPair(
            response.private_key_unique_identifier, response.public_key_unique_identifier
        )
    )
