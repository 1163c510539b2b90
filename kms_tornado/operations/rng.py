"""RNGRetrieve and RNGSeed (KMIP 2.1 §6.1)."""

from __future__ import annotations

from ..crypto.random import MAX_RANDOM_BYTES, generate_octets
from ..errors import InvalidField
from ..kmip.payloads import (
    RNGRetrieveRequest,
    RNGRetrieveResponse,
    RNGSeedRequest,
    RNGSeedResponse,
)
from .common.call import Call


async def rng_retrieve(call: Call, request: RNGRetrieveRequest) -> RNGRetrieveResponse:
    """Random octets from the operating system."""
    return RNGRetrieveResponse(data=generate_octets(request.data_length))


async def rng_seed(call: Call, request: RNGSeedRequest) -> RNGSeedResponse:
    """Use no octet of the seed, and say so in the answer, as the specification allows.

    The operating system's generator needs no seed, and users of a network service should not give
    it any.
    """
    if len(request.data) > MAX_RANDOM_BYTES:
        raise InvalidField(f"a seed has at most {MAX_RANDOM_BYTES} bytes")
    return RNGSeedResponse(data_length=0)
