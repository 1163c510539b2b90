"""Which response answers which request, and which requests may be sent twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..kmip import payloads as p
from ..kmip.enums import Operation
from ..kmip.schema import Declared


class Row(NamedTuple):
    """One operation.

    is_repeatable: whether a second run of this request leaves the same state as one run.
    """

    request: type[Declared]
    response: type[Declared]
    is_repeatable: Callable[[Any], bool]


def _always(request: Any) -> bool:
    """Repeatable, because it changes nothing."""
    return True


def _never(request: Any) -> bool:
    """Not repeatable: a second run would have another effect, or be refused because of the first."""
    return False


def _is_whole(request: Any) -> bool:
    """Repeatable if the data is sent whole. A part of a stream would advance the stream again."""
    return not (request.init_indicator or request.final_indicator or request.correlation_value)


def _has_nonce_of_server(request: p.EncryptRequest) -> bool:
    """Repeatable unless the client brought a nonce, which the first run uses up."""
    return request.iv_counter_nonce is None and _is_whole(request)


def _names_one_object(request: Any) -> bool:
    """Repeatable unless it names tags, which may mean another object once the first run has changed theirs."""
    uid = request.unique_identifier
    return uid is not None and not uid.startswith("[")


def _leaves_object(request: p.DestroyRequest) -> bool:
    """Repeatable unless the object is removed: the second run would not find it."""
    return not request.remove and _names_one_object(request)


def _replaces(request: p.ImportRequest) -> bool:
    return bool(request.replace_existing and request.unique_identifier)


#: One row for each operation, in the order of their numbers.
ROWS: Mapping[Operation, Row] = {
    Operation.CREATE: Row(p.CreateRequest, p.CreateResponse, _never),
    Operation.CREATE_KEY_PAIR: Row(p.CreateKeyPairRequest, p.CreateKeyPairResponse, _never),
    Operation.REGISTER: Row(p.RegisterRequest, p.RegisterResponse, _never),
    Operation.RE_KEY: Row(p.ReKeyRequest, p.ReKeyResponse, _never),
    Operation.DERIVE_KEY: Row(p.DeriveKeyRequest, p.DeriveKeyResponse, _never),
    Operation.LOCATE: Row(p.LocateRequest, p.LocateResponse, _always),
    Operation.CHECK: Row(p.CheckRequest, p.CheckResponse, _always),
    Operation.GET: Row(p.GetRequest, p.GetResponse, _always),
    Operation.GET_ATTRIBUTES: Row(p.GetAttributesRequest, p.GetAttributesResponse, _always),
    Operation.GET_ATTRIBUTE_LIST: Row(
        p.GetAttributeListRequest, p.GetAttributeListResponse, _always
    ),
    Operation.ADD_ATTRIBUTE: Row(p.AddAttributeRequest, p.AddAttributeResponse, _never),
    Operation.MODIFY_ATTRIBUTE: Row(p.ModifyAttributeRequest, p.ModifyAttributeResponse, _never),
    Operation.DELETE_ATTRIBUTE: Row(p.DeleteAttributeRequest, p.DeleteAttributeResponse, _never),
    Operation.OBTAIN_LEASE: Row(p.ObtainLeaseRequest, p.ObtainLeaseResponse, _always),
    Operation.GET_USAGE_ALLOCATION: Row(
        p.GetUsageAllocationRequest, p.GetUsageAllocationResponse, _never
    ),
    Operation.ACTIVATE: Row(p.ActivateRequest, p.ActivateResponse, _never),
    Operation.REVOKE: Row(p.RevokeRequest, p.RevokeResponse, _names_one_object),
    Operation.DESTROY: Row(p.DestroyRequest, p.DestroyResponse, _leaves_object),
    Operation.ARCHIVE: Row(p.ArchiveRequest, p.ArchiveResponse, _never),
    Operation.RECOVER: Row(p.RecoverRequest, p.RecoverResponse, _names_one_object),
    Operation.QUERY: Row(p.QueryRequest, p.QueryResponse, _always),
    Operation.RE_KEY_KEY_PAIR: Row(p.ReKeyKeyPairRequest, p.ReKeyKeyPairResponse, _never),
    Operation.DISCOVER_VERSIONS: Row(
        p.DiscoverVersionsRequest, p.DiscoverVersionsResponse, _always
    ),
    Operation.ENCRYPT: Row(p.EncryptRequest, p.EncryptResponse, _has_nonce_of_server),
    Operation.DECRYPT: Row(p.DecryptRequest, p.DecryptResponse, _is_whole),
    Operation.SIGN: Row(p.SignRequest, p.SignResponse, _is_whole),
    Operation.SIGNATURE_VERIFY: Row(p.SignatureVerifyRequest, p.SignatureVerifyResponse, _is_whole),
    Operation.MAC: Row(p.MACRequest, p.MACResponse, _is_whole),
    Operation.MAC_VERIFY: Row(p.MACVerifyRequest, p.MACVerifyResponse, _is_whole),
    Operation.RNG_RETRIEVE: Row(p.RNGRetrieveRequest, p.RNGRetrieveResponse, _always),
    Operation.RNG_SEED: Row(p.RNGSeedRequest, p.RNGSeedResponse, _always),
    Operation.HASH: Row(p.HashRequest, p.HashResponse, _is_whole),
    Operation.IMPORT: Row(p.ImportRequest, p.ImportResponse, _replaces),
    Operation.EXPORT: Row(p.ExportRequest, p.ExportResponse, _always),
    Operation.LOG: Row(p.LogRequest, p.LogResponse, _never),
    Operation.ADJUST_ATTRIBUTE: Row(p.AdjustAttributeRequest, p.AdjustAttributeResponse, _never),
    Operation.SET_ATTRIBUTE: Row(p.SetAttributeRequest, p.SetAttributeResponse, _names_one_object),
    Operation.INTEROP: Row(p.InteropRequest, p.InteropResponse, _never),
}

_OPERATIONS: Mapping[type[Declared], Operation] = {
    row.request: operation for operation, row in ROWS.items()
}


def find_row(request: Declared) -> tuple[Operation, Row]:
    """The operation of the request, and its row. Raises TypeError for anything but a request."""
    operation = _OPERATIONS.get(type(request))
    if operation is None:
        raise TypeError(f"{type(request).__name__} is no request of kms_tornado.kmip.payloads")
    return operation, ROWS[operation]
