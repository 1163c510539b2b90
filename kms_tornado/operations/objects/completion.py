"""Transparent RSA private keys that came without some of their numbers, completed off the event loop."""

from __future__ import annotations

import dataclasses

from ...crypto.keys.rsa_numbers import (
    check_can_be_completed,
    complete_rsa_private,
    has_primes,
    is_complete,
)
from ...crypto.keys.transparent import render_transparent
from ...kmip.enums import KeyFormatType
from ...kmip.key_material import TransparentRSAPrivateKey
from ...kmip.objects import KeyValue, Object, PrivateKey
from ..common.call import Call


async def complete_numbers(call: Call, incoming: Object) -> Object:
    """The object with all numbers of its key; unchanged where none is missing.

    Raises InvalidField, MissingData, Unavailable.
    """
    if not isinstance(incoming, PrivateKey):
        return incoming
    value = incoming.key_block.key_value
    if not isinstance(value, KeyValue):
        return incoming
    key = value.key_material
    if not isinstance(key, TransparentRSAPrivateKey) or is_complete(key):
        return incoming
    check_can_be_completed(key)  # first, so that what is refused waits for no thread
    # With the primes it takes milliseconds, without them as long as to generate a key.
    completed = await call.offload(lambda: complete_rsa_private(key), heavy=not has_primes(key))
    material = render_transparent(completed, KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY)
    block = dataclasses.replace(
        incoming.key_block, key_value=dataclasses.replace(value, key_material=material)
    )
    return dataclasses.replace(incoming, key_block=block)
