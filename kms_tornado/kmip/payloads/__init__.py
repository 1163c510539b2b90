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
    AttributeReference as AttributeReference,
)
from .attributes import (
    GetAttributesRequest,
    GetAttributesResponse,
)
from .cryptography import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
)
from .discovery import (
    CapabilityInformation as CapabilityInformation,
)
from .discovery import (
    DiscoverVersionsRequest,
    DiscoverVersionsResponse,
    LocateRequest,
    LocateResponse,
    QueryRequest,
    QueryResponse,
)
from .discovery import (
    ProfileInformation as ProfileInformation,
)
from .discovery import (
    ProtocolVersion as ProtocolVersion,
)
from .discovery import (
    ServerInformation as ServerInformation,
)
from .lifecycle import (
    DestroyRequest,
    DestroyResponse,
    RevokeRequest,
    RevokeResponse,
)
from .objects import (
    CreateRequest,
    CreateResponse,
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
    ImportRequest,
    ImportResponse,
)

#: Operation → (request, response). What the codecs know.
PAYLOADS: Mapping[Operation, tuple[type[Declared], type[Declared]]] = {
    Operation.CREATE: (CreateRequest, CreateResponse),
    Operation.LOCATE: (LocateRequest, LocateResponse),
    Operation.GET: (GetRequest, GetResponse),
    Operation.GET_ATTRIBUTES: (GetAttributesRequest, GetAttributesResponse),
    Operation.REVOKE: (RevokeRequest, RevokeResponse),
    Operation.DESTROY: (DestroyRequest, DestroyResponse),
    Operation.QUERY: (QueryRequest, QueryResponse),
    Operation.DISCOVER_VERSIONS: (DiscoverVersionsRequest, DiscoverVersionsResponse),
    Operation.ENCRYPT: (EncryptRequest, EncryptResponse),
    Operation.DECRYPT: (DecryptRequest, DecryptResponse),
    Operation.IMPORT: (ImportRequest, ImportResponse),
    Operation.EXPORT: (ExportRequest, ExportResponse),
}
