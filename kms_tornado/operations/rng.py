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
    """Ignore the seed, and answer that 0 bytes were used, as the specification allows.

    The operating system's generator needs no seed, and clients of a network service should not
    influence it.
    """
    if len(request.data) > MAX_RANDOM_BYTES:
        raise InvalidField(f"a seed has at most {MAX_RANDOM_BYTES} bytes")
    return RNGSeedResponse(data_length=0)
