"""The payload of each operation, request and response, declared (KMIP 2.1 §6.1).

A request's unique_identifier is None where the client left it out, which in a batch means the ID
placeholder; what to make of it is for the operation to say. What is listed here can be read and
written; what is *offered* is the operation table in `operations.service`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..enums import Operation
from ..schema import Declared
from .attributes import (
    AddAttributeRequest,
    AddAttributeResponse,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    GetAttributeListRequest,
    GetAttributeListResponse,
    GetAttributesRequest,
    GetAttributesResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
    SetAttributeRequest,
    SetAttributeResponse,
)
from .attributes import AttributeReference as AttributeReference
from .cryptography import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    HashRequest,
    HashResponse,
    MACRequest,
    MACResponse,
    MACVerifyRequest,
    MACVerifyResponse,
    RNGRetrieveRequest,
    RNGRetrieveResponse,
    RNGSeedRequest,
    RNGSeedResponse,
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)
from .discovery import CapabilityInformation as CapabilityInformation
from .discovery import DateRange as DateRange
from .discovery import (
    DiscoverVersionsRequest,
    DiscoverVersionsResponse,
    LocateRequest,
    LocateResponse,
    QueryRequest,
    QueryResponse,
)
from .discovery import ProfileInformation as ProfileInformation
from .discovery import ProtocolVersion as ProtocolVersion
from .discovery import ServerInformation as ServerInformation
from .discovery import Sought as Sought
from .interop import (
    InteropRequest,
    InteropResponse,
    LogRequest,
    LogResponse,
    PKCS11Request,
    PKCS11Response,
)
from .lifecycle import (
    ActivateRequest,
    ActivateResponse,
    CheckRequest,
    CheckResponse,
    DestroyRequest,
    DestroyResponse,
    ReKeyKeyPairRequest,
    ReKeyKeyPairResponse,
    ReKeyRequest,
    ReKeyResponse,
    RevokeRequest,
    RevokeResponse,
)
from .objects import (
    CreateKeyPairRequest,
    CreateKeyPairResponse,
    CreateRequest,
    CreateResponse,
    DeriveKeyRequest,
    DeriveKeyResponse,
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
    ImportRequest,
    ImportResponse,
    RegisterRequest,
    RegisterResponse,
)

#: Operation → (request, response). What the codecs know.
PAYLOADS: Mapping[Operation, tuple[type[Declared], type[Declared]]] = {
    Operation.CREATE: (CreateRequest, CreateResponse),
    Operation.CREATE_KEY_PAIR: (CreateKeyPairRequest, CreateKeyPairResponse),
    Operation.REGISTER: (RegisterRequest, RegisterResponse),
    Operation.RE_KEY: (ReKeyRequest, ReKeyResponse),
    Operation.DERIVE_KEY: (DeriveKeyRequest, DeriveKeyResponse),
    Operation.LOCATE: (LocateRequest, LocateResponse),
    Operation.CHECK: (CheckRequest, CheckResponse),
    Operation.GET: (GetRequest, GetResponse),
    Operation.GET_ATTRIBUTES: (GetAttributesRequest, GetAttributesResponse),
    Operation.GET_ATTRIBUTE_LIST: (GetAttributeListRequest, GetAttributeListResponse),
    Operation.ADD_ATTRIBUTE: (AddAttributeRequest, AddAttributeResponse),
    Operation.MODIFY_ATTRIBUTE: (ModifyAttributeRequest, ModifyAttributeResponse),
    Operation.DELETE_ATTRIBUTE: (DeleteAttributeRequest, DeleteAttributeResponse),
    Operation.ACTIVATE: (ActivateRequest, ActivateResponse),
    Operation.REVOKE: (RevokeRequest, RevokeResponse),
    Operation.DESTROY: (DestroyRequest, DestroyResponse),
    Operation.QUERY: (QueryRequest, QueryResponse),
    Operation.RE_KEY_KEY_PAIR: (ReKeyKeyPairRequest, ReKeyKeyPairResponse),
    Operation.DISCOVER_VERSIONS: (DiscoverVersionsRequest, DiscoverVersionsResponse),
    Operation.ENCRYPT: (EncryptRequest, EncryptResponse),
    Operation.DECRYPT: (DecryptRequest, DecryptResponse),
    Operation.SIGN: (SignRequest, SignResponse),
    Operation.SIGNATURE_VERIFY: (SignatureVerifyRequest, SignatureVerifyResponse),
    Operation.MAC: (MACRequest, MACResponse),
    Operation.MAC_VERIFY: (MACVerifyRequest, MACVerifyResponse),
    Operation.RNG_RETRIEVE: (RNGRetrieveRequest, RNGRetrieveResponse),
    Operation.RNG_SEED: (RNGSeedRequest, RNGSeedResponse),
    Operation.HASH: (HashRequest, HashResponse),
    Operation.IMPORT: (ImportRequest, ImportResponse),
    Operation.EXPORT: (ExportRequest, ExportResponse),
    Operation.LOG: (LogRequest, LogResponse),
    Operation.SET_ATTRIBUTE: (SetAttributeRequest, SetAttributeResponse),
    Operation.PKCS11: (PKCS11Request, PKCS11Response),
    Operation.INTEROP: (InteropRequest, InteropResponse),
}
