"""Binary TTLV on `/kmip`, through real sockets."""

from __future__ import annotations

import contextlib
import struct

import pytest

from kms_tornado.kmip.ttlv import MAX_DEPTH

from ..kmip_items import attributes as attributes_item
from ..kmip_items import batch_item, message, number, structure, uid, version
from ..kmip_items import name as enumeration
from ..kms import KMS, two_issuers
from ..rows import each_row
from ..ttlv import in_binary, in_json

SYMMETRIC = enumeration("ObjectType", "SymmetricKey")


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with two_issuers() as issuers, KMS(tmp_path_factory.mktemp("kms"), *issuers) as server:
        yield server


@pytest.fixture(scope="module")
def alice(kms):
    return kms.user("Alice")


def ask(user, *items, header=()):
    """The answer's parts: header first."""
    answer = in_json(user.send_binary(in_binary(message(*items, header=header))))
    assert answer["tag"] == "ResponseMessage"
    return [{child["tag"]: child["value"] for child in part["value"]} for part in answer["value"]]


def payload(part):
    return {child["tag"]: child["value"] for child in part["ResponsePayload"]}


def test_key_made_in_binary_is_there_in_json(alice):
    header, created = ask(alice, batch_item("Create", SYMMETRIC, attributes_item(bits=256)))
    assert header["BatchCount"] == 1
    assert created["ResultStatus"] == "Success"
    key = payload(created)["UniqueIdentifier"]
    assert alice.do("GetAttributes", uid(key)).uid == key


def test_batch_passes_its_placeholder_on(alice):
    _, created, got = ask(
        alice, batch_item("Create", SYMMETRIC, attributes_item(bits=256)), batch_item("Get")
    )
    assert payload(got)["UniqueIdentifier"] == payload(created)["UniqueIdentifier"]
    (block,) = payload(got)["SymmetricKey"]
    assert block["tag"] == "KeyBlock"


def test_failure_of_an_item_has_reason_and_text(alice):
    _, failed = ask(alice, batch_item("Get", uid("nothing")))
    assert failed["ResultStatus"] == "OperationFailed"
    assert failed["ResultReason"] == "ObjectNotFound"
    assert failed["ResultMessage"]


@pytest.mark.parametrize("minor", [0, 1])
def test_answer_has_the_version_of_the_request(alice, minor):
    header, _ = ask(alice, batch_item("Query"), header=[version(2, minor)])
    assert header["ProtocolVersion"][1]["value"] == minor


def test_other_version_is_refused_in_binary(alice):
    _, failed = ask(alice, batch_item("Query"), header=[version(3, 0)])
    assert failed["ResultReason"] == "UnsupportedProtocolVersion"


WHOLE = in_binary(message(batch_item("Get", uid("a"))))


@each_row(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(WHOLE[:-1], id="cut"),
        pytest.param(WHOLE + b"\0", id="longer"),
        pytest.param(WHOLE + WHOLE, id="two messages"),
        pytest.param(WHOLE.replace(b"\x42\x00\x0f", b"\x42\xff\xff"), id="unknown tag"),
        pytest.param(bytes.fromhex("4200790100000000"), id="another structure"),
        pytest.param(bytes.fromhex("4200780100000000"), id="empty message"),
        pytest.param(bytes.fromhex("42007802000000040000000000000000"), id="no structure"),
        pytest.param(struct.pack(">II", 0x42007801, 2**32 - 8), id="4 GiB promised"),
        pytest.param(
            b"".join(
                struct.pack(">II", 0x42007801, 8 * (MAX_DEPTH + 1 - level))
                for level in range(1, MAX_DEPTH + 2)
            ),
            id="too deep",
        ),
    ],
)
def test_what_is_no_message_is_answered_with_one_failed_item_in_binary(alice, body):
    answer = in_json(alice.send_binary(body))
    header, failed = ({c["tag"]: c["value"] for c in part["value"]} for part in answer["value"])
    assert header["BatchCount"] == 1
    assert failed["ResultStatus"] == "OperationFailed"
    assert failed["ResultReason"] == "InvalidMessage"
    assert failed["ResultMessage"]


def test_media_type_may_have_parameters_and_capitals(alice):
    answer = alice.send_binary(WHOLE, content_type="Application/Octet-Stream; charset=binary")
    assert in_json(answer)["tag"] == "ResponseMessage"


def test_answer_that_is_too_long_is_measured_in_binary(alice):
    _, failed = ask(alice, batch_item("Query", enumeration("QueryFunction", "QueryOperations")),
                    header=[number("MaximumResponseSize", 16)])  # fmt: skip
    assert failed["ResultReason"] == "ResponseTooLarge"


def test_binary_needs_a_token(kms):
    with contextlib.closing(kms.nobody()) as nobody:
        answer = nobody.exchange("POST", "/kmip", WHOLE, content_type="application/octet-stream")
    assert answer.status == 401


def test_other_path_takes_no_binary(alice):
    answer = alice.exchange("POST", "/kmip/2_1", WHOLE, content_type="application/octet-stream")
    assert answer.status == 422
    assert answer.text.startswith("Invalid_Message: ")


def test_long_message_is_answered(alice):
    data = structure("Attributes", enumeration("CryptographicAlgorithm", "AES"))
    items = [batch_item("Create", SYMMETRIC, data) for _ in range(100)]
    answers = ask(alice, *items)
    assert len(answers) == 101
