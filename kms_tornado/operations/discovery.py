"""Query and DiscoverVersions: what this server offers (KMIP 2.1 §6.1.32, §6.1.13)."""

from __future__ import annotations

from .. import __version__
from ..kmip.batch import VERSIONS
from ..kmip.enums import ObjectType, QueryFunction
from ..kmip.payloads import (
    DiscoverVersionsRequest,
    DiscoverVersionsResponse,
    QueryRequest,
    QueryResponse,
    ServerInformation,
)
from .call import Call

OBJECT_TYPES = (ObjectType.SYMMETRIC_KEY,)


async def query(call: Call, request: QueryRequest) -> QueryResponse:
    """Only what is there is claimed: the operations come from the dispatch table itself."""
    asked = set(request.functions)
    informed = QueryFunction.QUERY_SERVER_INFORMATION in asked
    return QueryResponse(
        operations=call.offered if QueryFunction.QUERY_OPERATIONS in asked else (),
        object_types=OBJECT_TYPES if QueryFunction.QUERY_OBJECTS in asked else (),
        vendor_identification="kms_tornado" if informed else None,
        server_information=(
            ServerInformation(server_name="kms_tornado", server_version=__version__)
            if informed
            else None
        ),
    )


async def discover_versions(
    call: Call, request: DiscoverVersionsRequest
) -> DiscoverVersionsResponse:
    """The versions that both sides speak, best first; all of ours where the client names none."""
    asked = request.protocol_versions
    return DiscoverVersionsResponse(
        protocol_versions=tuple(v for v in VERSIONS if not asked or v in asked)
    )
