"""What takes long runs on a thread, and what would take too long is refused before it is begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kms_tornado.errors import InvalidField
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    EncodingOption,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    WrappingMethod,
)
from kms_tornado.kmip.key_material import KeyMaterialField
from kms_tornado.kmip.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    SecretData,
)
from kms_tornado.kmip.payloads import (
    CreateRequest,
    GetRequest,
    ImportRequest,
    RegisterRequest,
)
from kms_tornado.kmip.structures import CryptographicParameters
from kms_tornado.operations.objects import unwrapping, wrapping
from kms_tornado.operations.objects.unwrapping import MAX_WRAPPED_BYTES

from . import inside
from .inside import ALICE, Inside

Threads = list[bool]


@pytest.fixture
def kms(tmp_path, monkeypatch):
    """Its threads are real ones."""

    async def on_a_thread(function: Callable[[], Any], **_: Any) -> Any:
        return await asyncio.to_thread(function)

    monkeypatch.setattr(inside, "at_once", on_a_thread)
    with Inside(tmp_path) as kms:
        yield kms


def watch(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Threads:
    """For each call of the function from now on: whether it ran on the loop's thread."""
    function, calls = getattr(module, name), []

    def watched(*arguments: Any, **named: Any) -> Any:
        calls.append(threading.current_thread() is threading.main_thread())
        return function(*arguments, **named)

    monkeypatch.setattr(module, name, watched)
    return calls


# --- wrapping -----------------------------------------------------------------------------------

GCM = CryptographicParameters(BlockCipherMode.GCM)


def wrapping_key(kms: Inside) -> str:
    attributes = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=0x30,
    )
    return kms.do(ALICE, Operation.CREATE, CreateRequest(ObjectType.SYMMETRIC_KEY, attributes)).unique_identifier  # fmt: skip


def secret(octets: bytes, wrapping: KeyWrappingData | None = None) -> SecretData:
    value = KeyValue(KeyMaterialField(octets))
    return SecretData(
        key_block=KeyBlock(KeyFormatType.RAW, key_value=value, key_wrapping_data=wrapping)
    )


def import_wrapped(kms: Inside, wrapping_uid: str, octets: bytes, wrap_type: KeyWrapType) -> str:
    data = KeyWrappingData(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_uid, GCM),
        encoding_option=EncodingOption.NO_ENCODING,
    )
    request = ImportRequest(
        unique_identifier="",
        object_type=ObjectType.SECRET_DATA,
        key_wrap_type=wrap_type,
        attributes=Attributes(),
        object=secret(octets, data),
    )
    return kms.do(ALICE, Operation.IMPORT, request).unique_identifier


def test_long_secret_is_wrapped_and_unwrapped_on_a_thread(kms, monkeypatch):
    kek = wrapping_key(kms)
    octets = bytes(200 * 1024)
    request = RegisterRequest(ObjectType.SECRET_DATA, Attributes(), secret(octets))
    uid = kms.do(ALICE, Operation.REGISTER, request).unique_identifier
    specification = KeyWrappingSpecification(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(kek, GCM),
        encoding_option=EncodingOption.NO_ENCODING,
    )
    wraps = watch(monkeypatch, wrapping, "wrap_key")
    unwraps = watch(monkeypatch, unwrapping, "unwrap_key")
    left = kms.do(ALICE, Operation.GET, GetRequest(uid, key_wrapping_specification=specification))
    wrapped = left.object.key_block.key_value.key_material.octets
    back = import_wrapped(kms, kek, wrapped, KeyWrapType.NOT_WRAPPED)
    block = kms.do(ALICE, Operation.GET, GetRequest(back)).object.key_block
    assert block.key_value.key_material.octets == octets
    assert (wraps, unwraps) == ([False], [False])


@pytest.mark.parametrize("wrap_type", KeyWrapType)
def test_what_is_too_long_for_an_object_is_refused_before_it_is_unwrapped(
    kms, monkeypatch, wrap_type
):
    kek = wrapping_key(kms)
    unwraps = watch(monkeypatch, unwrapping, "unwrap_key")
    with pytest.raises(InvalidField, match=f"at most {MAX_WRAPPED_BYTES} bytes"):
        import_wrapped(kms, kek, bytes(MAX_WRAPPED_BYTES + 1), wrap_type)
    assert unwraps == []
