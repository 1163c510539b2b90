"""Which response answers which request, and which requests may be sent twice."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest

from kms_tornado.client.catalogue import ROWS, find_row
from kms_tornado.client.performing import PerformAsynchronous, PerformBlocking
from kms_tornado.kmip import payloads as p
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import AdjustmentType, DerivationMethod, ObjectType, Operation
from kms_tornado.kmip.objects import OpaqueObject
from kms_tornado.kmip.structures import CryptographicParameters, DerivationParameters
from kms_tornado.service.catalogue import CATALOGUE

from ..rows import each_row

COMMENT = AttributeInstance("comment", "text")
PARAMETERS = CryptographicParameters()
TAGS = '["many"]'


def test_operations_are_the_server_s_with_the_same_payloads() -> None:
    def payloads(rows: Any) -> dict[Operation, tuple[type[Any], type[Any]]]:
        return {operation: (row.request, row.response) for operation, row in rows.items()}

    assert payloads(CATALOGUE) == payloads(ROWS)


@pytest.mark.parametrize("client", [PerformBlocking, PerformAsynchronous])
def test_type_checkers_know_the_response_of_each_request(client: Any) -> None:
    known = []
    for overload in typing.get_overloads(client.perform):
        hints = typing.get_type_hints(overload)
        known.append((hints["request"], hints["return"]))
        assert inspect.iscoroutinefunction(overload) is (client is PerformAsynchronous)
    assert known == [(row.request, row.response) for row in ROWS.values()]


def test_anything_else_is_no_request() -> None:
    with pytest.raises(TypeError, match="CreateResponse is no request"):
        find_row(p.CreateResponse(ObjectType.SYMMETRIC_KEY, "uid"))


REPEATABLE = [
    p.LocateRequest(),
    p.CheckRequest("uid"),
    p.ObtainLeaseRequest("uid"),
    p.GetRequest(unique_identifier="uid"),
    p.GetRequest(unique_identifier=TAGS),
    p.ExportRequest(unique_identifier="uid"),
    p.GetAttributesRequest("uid"),
    p.GetAttributeListRequest("uid"),
    p.QueryRequest(()),
    p.DiscoverVersionsRequest(),
    p.EncryptRequest(unique_identifier="uid", data=b""),
    p.DecryptRequest(unique_identifier="uid", data=b"", iv_counter_nonce=bytes(12)),
    p.SignRequest("uid", data=b""),
    p.SignatureVerifyRequest("uid", data=b""),
    p.MACRequest("uid", data=b""),
    p.MACVerifyRequest("uid", data=b""),
    p.HashRequest(PARAMETERS, b""),
    p.RNGRetrieveRequest(16),
    p.RNGSeedRequest(b""),
    p.RevokeRequest("uid"),
    p.RecoverRequest("uid"),
    p.DestroyRequest("uid"),
    p.SetAttributeRequest(COMMENT, "uid"),
    p.ImportRequest("uid", ObjectType.OPAQUE_OBJECT, True, object=OpaqueObject(1, b"")),
]

NOT_REPEATABLE = [
    p.CreateRequest(ObjectType.SYMMETRIC_KEY, Attributes(unique_identifier="uid")),
    p.CreateKeyPairRequest(),
    p.RegisterRequest(ObjectType.OPAQUE_OBJECT, Attributes(), OpaqueObject(1, b"")),
    p.ImportRequest("uid", ObjectType.OPAQUE_OBJECT, object=OpaqueObject(1, b"")),
    p.ImportRequest("", ObjectType.OPAQUE_OBJECT, True, object=OpaqueObject(1, b"")),
    p.ReKeyRequest("uid"),
    p.ReKeyKeyPairRequest("uid"),
    p.DeriveKeyRequest(
        ObjectType.SYMMETRIC_KEY,
        ("uid",),
        derivation_method=DerivationMethod.HKDF,
        derivation_parameters=DerivationParameters(),
        attributes=Attributes(),
    ),
    p.EncryptRequest(unique_identifier="uid", data=b"", iv_counter_nonce=bytes(12)),
    p.EncryptRequest(unique_identifier="uid", data=b"", init_indicator=True),
    p.EncryptRequest(unique_identifier="uid", data=b"", correlation_value=b"1"),
    p.DecryptRequest(unique_identifier="uid", data=b"", init_indicator=True),
    p.SignRequest("uid", data=b"", final_indicator=True),
    p.SignatureVerifyRequest("uid", data=b"", init_indicator=True),
    p.MACRequest("uid", data=b"", correlation_value=b"1"),
    p.MACVerifyRequest("uid", data=b"", correlation_value=b"1"),
    p.HashRequest(PARAMETERS, b"", init_indicator=True),
    p.ActivateRequest("uid"),
    p.ArchiveRequest("uid"),
    p.RecoverRequest(TAGS),
    p.RevokeRequest(TAGS),
    p.RevokeRequest(None),
    p.DestroyRequest(TAGS),
    p.DestroyRequest("uid", remove=True),
    p.SetAttributeRequest(COMMENT, TAGS),
    p.AddAttributeRequest(COMMENT, "uid"),
    p.ModifyAttributeRequest(COMMENT, None, "uid"),
    p.DeleteAttributeRequest("uid", COMMENT),
    p.GetUsageAllocationRequest("uid", usage_limits_count=1),
    p.AdjustAttributeRequest(
        "uid",
        attribute_reference=p.AttributeReference("RotateInterval"),
        adjustment_type=AdjustmentType.INCREMENT,
    ),
    p.LogRequest("text"),
    p.InteropRequest(1),  # type: ignore[arg-type]
]


def _name(request: Any) -> str:
    return type(request).__name__


@each_row("request_", REPEATABLE, ids=_name)
def test_request_is_repeatable_that_leaves_the_same_twice(request_: Any) -> None:
    assert find_row(request_)[1].is_repeatable(request_)


@each_row("request_", NOT_REPEATABLE, ids=_name)
def test_request_is_not_repeatable_that_does_something_else_the_second_time(request_: Any) -> None:
    assert not find_row(request_)[1].is_repeatable(request_)


def test_every_operation_is_among_these_cases() -> None:
    seen = {find_row(request)[0] for request in [*REPEATABLE, *NOT_REPEATABLE]}
    assert seen == set(ROWS) <= set(Operation)
