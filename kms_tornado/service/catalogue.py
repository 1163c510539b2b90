"""The catalogue of operations: each row says all that the server knows about one operation.

The packages below cannot import this table, so the Service hands each part what it needs of it: the
codecs the payload classes of the offered operations, the calls the rights that suffice, and Query the
names of operations and object types. To add an operation, write its payloads, its function and its row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..kmip import payloads as p
from ..kmip.enums import ObjectType, Operation
from ..kmip.messages.batch_items import PayloadTypes
from ..kmip.schema import Declared
from ..operations import (
    archiving,
    attributes,
    create,
    derivation,
    discovery,
    encryption,
    interop,
    key_pairs,
    lifecycle,
    locate,
    mac,
    register,
    retrieve,
    rng,
    rotation,
    signing,
)
from ..operations.common.call import Call

Function = Callable[[Call, Any], Awaitable[Any]]

_CERTIFICATE, _SYMMETRIC, _PUBLIC, _PRIVATE, _SECRET, _OPAQUE = ALL_OBJECT_TYPES = (
    ObjectType.CERTIFICATE,
    ObjectType.SYMMETRIC_KEY,
    ObjectType.PUBLIC_KEY,
    ObjectType.PRIVATE_KEY,
    ObjectType.SECRET_DATA,
    ObjectType.OPAQUE_OBJECT,
)


def _read_identifier(response: Any) -> str | None:
    identifier: str = response.unique_identifier
    return identifier


def _read_private_key_identifier(response: Any) -> str | None:
    """Of a key pair, the ID placeholder means the private key (KMIP 2.1 §6.1.9)."""
    identifier: str = response.private_key_unique_identifier
    return identifier


def _read_placeholder(response: p.LocateResponse) -> str | None:
    """The located object that `domain.search.choose_placeholder` chose, if it chose one."""
    return response.placeholder


#: The fields in which a request names its object; where it omits them, the ID placeholder stands in.
_IDENTIFIER_FIELDS = ("unique_identifier", "private_key_unique_identifier", "unique_identifiers")


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation.

    function: carries it out.
    request, response: the classes of its payloads.
    object_types: the types of objects on which it works, which Query lists; () where it works on no object.
    placeholder: response → what the ID placeholder means from then on (KMIP 2.1 §6.1); None where the operation does
    not change it.
    is_covered_by_get: whether the right to Get allows it, too, because whoever holds the key material can do it anyway,
    and it does not change the object.
    is_interop_only: whether it is offered only with --kmip-interop, for conformance runs.
    identifier_fields: the fields of the request for which the ID placeholder can stand.
    """

    function: Function
    request: type[Declared]
    response: type[Declared]
    object_types: tuple[ObjectType, ...] = ()
    placeholder: Callable[[Any], str | None] | None = None
    is_covered_by_get: bool = False
    is_interop_only: bool = False
    identifier_fields: tuple[str, ...] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        request: Any = self.request
        names = {field.name for field in dataclasses.fields(request)}
        fields = tuple(name for name in _IDENTIFIER_FIELDS if name in names)
        object.__setattr__(self, "identifier_fields", fields)


#: In the order in which Query lists them.
CATALOGUE: Mapping[Operation, OperationRow] = MappingProxyType(
    {
        Operation.CREATE: OperationRow(
            create.create, p.CreateRequest, p.CreateResponse, (_SYMMETRIC,), _read_identifier
        ),
        Operation.LOCATE: OperationRow(
            locate.locate,
            p.LocateRequest,
            p.LocateResponse,
            ALL_OBJECT_TYPES,
            _read_placeholder,
        ),
        Operation.GET: OperationRow(retrieve.get, p.GetRequest, p.GetResponse, ALL_OBJECT_TYPES),
        Operation.GET_ATTRIBUTES: OperationRow(
            attributes.get_attributes,
            p.GetAttributesRequest,
            p.GetAttributesResponse,
            ALL_OBJECT_TYPES,
            is_covered_by_get=True,
        ),
        Operation.GET_ATTRIBUTE_LIST: OperationRow(
            attributes.get_attribute_list,
            p.GetAttributeListRequest,
            p.GetAttributeListResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.ADD_ATTRIBUTE: OperationRow(
            attributes.add_attribute,
            p.AddAttributeRequest,
            p.AddAttributeResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.SET_ATTRIBUTE: OperationRow(
            attributes.set_attribute,
            p.SetAttributeRequest,
            p.SetAttributeResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.MODIFY_ATTRIBUTE: OperationRow(
            attributes.modify_attribute,
            p.ModifyAttributeRequest,
            p.ModifyAttributeResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.ADJUST_ATTRIBUTE: OperationRow(
            attributes.adjust_attribute_value,
            p.AdjustAttributeRequest,
            p.AdjustAttributeResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.DELETE_ATTRIBUTE: OperationRow(
            attributes.delete_attribute,
            p.DeleteAttributeRequest,
            p.DeleteAttributeResponse,
            ALL_OBJECT_TYPES,
        ),
        Operation.CHECK: OperationRow(
            lifecycle.check, p.CheckRequest, p.CheckResponse, ALL_OBJECT_TYPES
        ),
        Operation.OBTAIN_LEASE: OperationRow(
            lifecycle.obtain_lease, p.ObtainLeaseRequest, p.ObtainLeaseResponse, ALL_OBJECT_TYPES
        ),
        Operation.GET_USAGE_ALLOCATION: OperationRow(
            lifecycle.get_usage_allocation,
            p.GetUsageAllocationRequest,
            p.GetUsageAllocationResponse,
            (_CERTIFICATE, _SYMMETRIC, _PUBLIC, _PRIVATE, _SECRET),
        ),
        Operation.ACTIVATE: OperationRow(
            lifecycle.activate, p.ActivateRequest, p.ActivateResponse, ALL_OBJECT_TYPES
        ),
        Operation.REVOKE: OperationRow(
            lifecycle.revoke, p.RevokeRequest, p.RevokeResponse, ALL_OBJECT_TYPES
        ),
        Operation.RE_KEY: OperationRow(
            rotation.re_key, p.ReKeyRequest, p.ReKeyResponse, (_SYMMETRIC,), _read_identifier
        ),
        Operation.RE_KEY_KEY_PAIR: OperationRow(
            rotation.re_key_key_pair,
            p.ReKeyKeyPairRequest,
            p.ReKeyKeyPairResponse,
            (_PUBLIC, _PRIVATE),
            _read_private_key_identifier,
        ),
        Operation.DESTROY: OperationRow(
            lifecycle.destroy, p.DestroyRequest, p.DestroyResponse, ALL_OBJECT_TYPES
        ),
        Operation.ARCHIVE: OperationRow(
            archiving.archive, p.ArchiveRequest, p.ArchiveResponse, ALL_OBJECT_TYPES
        ),
        Operation.RECOVER: OperationRow(
            archiving.recover,
            p.RecoverRequest,
            p.RecoverResponse,
            ALL_OBJECT_TYPES,
            _read_identifier,
        ),
        Operation.QUERY: OperationRow(discovery.query, p.QueryRequest, p.QueryResponse),
        Operation.DISCOVER_VERSIONS: OperationRow(
            discovery.discover_versions, p.DiscoverVersionsRequest, p.DiscoverVersionsResponse
        ),
        Operation.ENCRYPT: OperationRow(
            encryption.encrypt,
            p.EncryptRequest,
            p.EncryptResponse,
            (_SYMMETRIC, _PUBLIC, _CERTIFICATE),
            is_covered_by_get=True,
        ),
        Operation.DECRYPT: OperationRow(
            encryption.decrypt,
            p.DecryptRequest,
            p.DecryptResponse,
            (_SYMMETRIC, _PRIVATE),
            is_covered_by_get=True,
        ),
        Operation.DERIVE_KEY: OperationRow(
            derivation.derive_key,
            p.DeriveKeyRequest,
            p.DeriveKeyResponse,
            (_SYMMETRIC, _SECRET),
            _read_identifier,
        ),
        Operation.SIGN: OperationRow(
            signing.sign, p.SignRequest, p.SignResponse, (_PRIVATE,), is_covered_by_get=True
        ),
        Operation.SIGNATURE_VERIFY: OperationRow(
            signing.signature_verify,
            p.SignatureVerifyRequest,
            p.SignatureVerifyResponse,
            (_PUBLIC, _CERTIFICATE),
            is_covered_by_get=True,
        ),
        Operation.MAC: OperationRow(
            mac.mac, p.MACRequest, p.MACResponse, (_SYMMETRIC, _SECRET), is_covered_by_get=True
        ),
        Operation.MAC_VERIFY: OperationRow(
            mac.mac_verify,
            p.MACVerifyRequest,
            p.MACVerifyResponse,
            (_SYMMETRIC, _SECRET),
            is_covered_by_get=True,
        ),
        Operation.HASH: OperationRow(mac.hash_, p.HashRequest, p.HashResponse),
        Operation.RNG_RETRIEVE: OperationRow(
            rng.rng_retrieve, p.RNGRetrieveRequest, p.RNGRetrieveResponse
        ),
        Operation.RNG_SEED: OperationRow(rng.rng_seed, p.RNGSeedRequest, p.RNGSeedResponse),
        Operation.CREATE_KEY_PAIR: OperationRow(
            key_pairs.create_key_pair,
            p.CreateKeyPairRequest,
            p.CreateKeyPairResponse,
            (_PUBLIC, _PRIVATE),
            _read_private_key_identifier,
        ),
        Operation.REGISTER: OperationRow(
            register.register,
            p.RegisterRequest,
            p.RegisterResponse,
            ALL_OBJECT_TYPES,
            _read_identifier,
        ),
        Operation.IMPORT: OperationRow(
            register.import_, p.ImportRequest, p.ImportResponse, ALL_OBJECT_TYPES, _read_identifier
        ),
        Operation.EXPORT: OperationRow(
            retrieve.export,
            p.ExportRequest,
            p.ExportResponse,
            ALL_OBJECT_TYPES,
            is_covered_by_get=True,
        ),
        Operation.INTEROP: OperationRow(
            interop.interop, p.InteropRequest, p.InteropResponse, is_interop_only=True
        ),
        Operation.LOG: OperationRow(
            interop.log_, p.LogRequest, p.LogResponse, is_interop_only=True
        ),
    }
)


def select_operations(*, kmip_interop: bool) -> Mapping[Operation, OperationRow]:
    """The rows of the operations that a server offers, which Query lists. kmip_interop: the value of --kmip-interop."""
    return {
        operation: row
        for operation, row in CATALOGUE.items()
        if kmip_interop or not row.is_interop_only
    }


def collect_payload_types(
    rows: Mapping[Operation, OperationRow],
) -> Mapping[Operation, PayloadTypes]:
    """The payload classes for the codecs, which refuse any other operation before they look at its payload."""
    return {operation: PayloadTypes(row.request, row.response) for operation, row in rows.items()}


def collect_object_types(rows: Mapping[Operation, OperationRow]) -> tuple[ObjectType, ...]:
    """The types of object that any of the operations works on, in KMIP's order."""
    supported = {object_type for row in rows.values() for object_type in row.object_types}
    return tuple(object_type for object_type in ObjectType if object_type in supported)
