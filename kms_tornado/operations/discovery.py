"""Query and DiscoverVersions: what this server offers (KMIP 2.1 §6.1.32, §6.1.13).

The answers claim only what the server does. Operations and object types come from the catalogue of the
service; the profiles are those whose mandatory test cases pass, which a test checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..crypto.policy import CryptoPolicy
from ..domain.computed_attributes import PROTECTION_STORAGE_MASK
from ..domain.wrapped_rights import SERVER_VENDOR
from ..kmip.enums import (
    DestroyAction,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
    UnwrapMode,
)
from ..kmip.payloads import (
    CapabilityInformation,
    DiscoverVersionsRequest,
    DiscoverVersionsResponse,
    ProfileInformation,
    QueryRequest,
    QueryResponse,
    ServerInformation,
)
from ..kmip.versions import select_versions
from .common.call import Call
from .common.new_object import SERVER_RNG


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of KMIP 2.1.

    number: of Profile Name (KMIP 2.1 §11.41).
    cases: the common prefix of the names of its mandatory test cases.
    permissive: whether these cases pass only with --crypto-policy permissive.
    """

    number: int
    cases: str
    permissive: bool = False


#: The HTTPS, JSON and TLS profiles are left out, because a proxy in front may be what does TLS.
PROFILES = (
    Profile(0x107, "TL-M-"),
    Profile(0x109, "SKLC-M-"),
    Profile(0x10B, "AKLC-M-"),
    Profile(0x10D, "CS-BC-M-", permissive=True),
    Profile(0x10F, "CS-AC-M-", permissive=True),
    Profile(0x111, "CS-RNG-M-"),
    Profile(0x115, "SKFF-M-", permissive=True),
    Profile(0x117, "OMOS-M-"),
    Profile(0x11D, "SASED-M-"),
    Profile(0x12B, "BL-M-"),
)

CAPABILITIES = CapabilityInformation(
    streaming_capability=True,
    asynchronous_capability=False,
    attestation_capability=False,
    batch_undo_capability=True,
    batch_continue_capability=True,
    unwrap_mode=UnwrapMode.PROCESSED,
    # At most a sealed envelope remains for a while, in database pages that are not overwritten yet.
    destroy_action=DestroyAction.KEY_MATERIAL_DELETED,
    shredding_algorithm=ShreddingAlgorithm.UNSUPPORTED,
    rng_mode=RNGMode.SHARED_INSTANTIATION,
    quantum_safe_capability=False,
)

#: Query function → the fields of its answer. All other functions add nothing to the answer: the server has
#: no namespaces, extensions, attestation types, validations, client registration methods or defaults.
ANSWERS: Mapping[QueryFunction, Callable[[Call], Mapping[str, Any]]] = {
    QueryFunction.QUERY_OPERATIONS: lambda call: {"operations": call.context.offered},
    QueryFunction.QUERY_OBJECTS: lambda call: {"object_types": call.context.object_types},
    QueryFunction.QUERY_SERVER_INFORMATION: lambda call: {
        "vendor_identification": SERVER_VENDOR,
        "server_information": ServerInformation(
            server_name=SERVER_VENDOR, server_version=__version__, product_name=SERVER_VENDOR
        ),
    },
    QueryFunction.QUERY_RNGS: lambda call: {"rng_parameters": (SERVER_RNG,)},
    QueryFunction.QUERY_PROFILES: lambda call: {"profile_information": _list_profiles(call)},
    QueryFunction.QUERY_CAPABILITIES: lambda call: {"capability_information": (CAPABILITIES,)},
    QueryFunction.QUERY_STORAGE_PROTECTION_MASKS: lambda call: {
        "protection_storage_masks": (PROTECTION_STORAGE_MASK,)
    },
}


async def query(call: Call, request: QueryRequest) -> QueryResponse:
    """The fields that the requested functions ask for, and no others."""
    fields: dict[str, Any] = {}
    for function in request.functions:
        if function in ANSWERS:
            fields |= ANSWERS[function](call)
    return QueryResponse(**fields)


def _list_profiles(call: Call) -> tuple[ProfileInformation, ...]:
    allows_all = call.context.crypto_policy is CryptoPolicy.PERMISSIVE
    return tuple(
        ProfileInformation(profile_name=profile.number)
        for profile in PROFILES
        if allows_all or not profile.permissive
    )


async def discover_versions(
    call: Call, request: DiscoverVersionsRequest
) -> DiscoverVersionsResponse:
    """The versions that both sides support, the newest first; all of the server's where the client names none."""
    return DiscoverVersionsResponse(protocol_versions=select_versions(request.protocol_versions))
