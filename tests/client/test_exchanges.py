"""One request and how its answer is read, without any network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kms_tornado.client import ItemNotFound, KMIPError, ObjectAlreadyExists, UnexpectedAnswer
from kms_tornado.client.calls import access, cryptography, keys, objects
from kms_tornado.client.exchanges import call_json, perform_any, perform_batch
from kms_tornado.kmip.payloads import DestroyRequest, EncryptRequest, GetRequest, LocateRequest

from ..rows import each_row

GETS = [GetRequest(unique_identifier="a"), GetRequest(unique_identifier="b")]


def item(*fields: tuple[str, str, Any]) -> dict[str, Any]:
    children = [{"tag": tag, "type": kind, "value": value} for tag, kind, value in fields]
    return {"tag": "BatchItem", "type": "Structure", "value": children}


def message(*items: dict[str, Any]) -> bytes:
    return json.dumps({"tag": "ResponseMessage", "type": "Structure", "value": items}).encode()


def failure(reason: str, text: str) -> dict[str, Any]:
    return item(
        ("ResultStatus", "Enumeration", "OperationFailed"),
        ("ResultReason", "Enumeration", reason),
        ("ResultMessage", "TextString", text),
    )


LOCATED = item(("ResultStatus", "Enumeration", "Success"), ("ResponsePayload", "Structure", []))


def test_bare_operation_has_no_types_on_its_structures() -> None:
    exchange = perform_any(EncryptRequest(unique_identifier="a", data=b"\x01"))
    assert (exchange.method, exchange.path) == ("POST", "/kmip_2_1")
    assert json.loads(exchange.body or b"") == {
        "tag": "Encrypt",
        "value": [
            {"tag": "UniqueIdentifier", "type": "TextString", "value": "a"},
            {"tag": "Data", "type": "ByteString", "value": "01"},
        ],
    }


def test_repr_of_an_exchange_has_no_body() -> None:
    exchange = perform_any(EncryptRequest(unique_identifier="a", data=b"\xab\xcd"))
    assert "ABCD" not in repr(exchange)


def test_batch_is_one_message_of_kmip_2_1() -> None:
    exchange = perform_batch(GETS)
    assert exchange.path == "/kmip"
    header, *items = json.loads(exchange.body or b"")["value"]
    assert header["value"][1] == {"tag": "BatchCount", "type": "Integer", "value": 2}
    assert [each["value"][0]["value"] for each in items] == ["Get", "Get"]


@pytest.mark.parametrize(
    ("requests", "is_repeatable"),
    [(GETS, True), ([*GETS, DestroyRequest("a", remove=True)], False), ([], True)],
)
def test_batch_is_repeatable_where_all_of_it_is(requests: list[Any], is_repeatable: bool) -> None:
    assert perform_batch(requests).is_repeatable is is_repeatable


def test_batch_has_a_response_or_an_error_for_each_request() -> None:
    exchange = perform_batch([LocateRequest(), LocateRequest()])
    first, second = exchange.parse(message(LOCATED, failure("ItemNotFound", "no such object")))
    assert first.unique_identifiers == ()  # type: ignore[attr-defined]
    assert isinstance(second, ItemNotFound)
    assert str(second) == "no such object"


def test_message_that_is_refused_whole_is_an_exception() -> None:
    with pytest.raises(KMIPError, match="at most 100"):
        perform_batch(GETS).parse(message(failure("InvalidMessage", "at most 100 batch items")))


@pytest.mark.parametrize(
    "body",
    [
        message(),
        message(LOCATED, LOCATED, LOCATED),
        message(LOCATED, item(("ResultStatus", "Enumeration", "Success"))),
        message(LOCATED, item(("ResultReason", "TextString", "Item Not Found"))),
        b'{"tag":"BatchItem","value":[]}',
    ],
)
def test_answer_that_does_not_fit_the_batch_is_unexpected(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        perform_batch([LocateRequest(), LocateRequest()]).parse(body)


def test_new_object_carries_a_random_identifier_and_is_concluded_by_it() -> None:
    exchange = keys.create_symmetric_key()
    assert exchange.is_repeatable
    assert exchange.conclude is not None
    uid = exchange.conclude(ObjectAlreadyExists("taken"))
    assert uid in (exchange.body or b"").decode()
    with pytest.raises(ItemNotFound):
        exchange.conclude(ItemNotFound("another refusal"))
    assert keys.create_symmetric_key().body != exchange.body


@pytest.mark.parametrize(
    "exchange",
    [
        keys.create_symmetric_key(unique_identifier="a"),
        keys.create_key_pair("EC", unique_identifier="a"),
        keys.create_key_pair("EC", public_key_identifier="b"),
        objects.destroy(["tag"]),
    ],
)
def test_object_with_a_chosen_identifier_is_not_concluded(exchange: Any) -> None:
    assert (exchange.is_repeatable, exchange.conclude) == (False, None)


def test_tags_are_sent_as_a_json_array_and_none_of_them_is_refused() -> None:
    exchange = objects.get(["ä", "b"])
    assert json.loads(exchange.body or b"")["value"][0]["value"] == '["ä", "b"]'
    with pytest.raises(ValueError, match="every object"):
        objects.get([])


def test_text_where_a_list_belongs_is_not_taken_for_its_letters() -> None:
    for call in (
        lambda: keys.create_symmetric_key(tags="one"),
        lambda: objects.locate(tags="one"),
        lambda: access.grant("key", "bob", "get"),
    ):
        with pytest.raises(TypeError, match=r"are a list: write \['"):
            call()


def test_answer_may_have_more_items_than_a_server_takes() -> None:
    uids = [{"tag": "UniqueIdentifier", "type": "TextString", "value": "a"}] * 30_000
    body = json.dumps({"tag": "LocateResponse", "value": uids}).encode()
    assert len(objects.locate().parse(body)) == 30_000


@each_row(
    ("exchange", "body"),
    [
        (access.server_version(), b"{}"),
        (access.whoami(), b"[]"),
        (access.grant("key", "bob", ["get"]), b'"ok"'),
        (access.list_owned(), b"{}"),
        (access.list_owned(), b'[{"object_id": "a"}]'),
        (access.list_obtained(), b"[1]"),
        (access.list_grants("key"), b'[{"user_id": "bob"}]'),
        (access.list_grants("key"), b"3"),
        (access.server_version(), b'{"a": 1, "a": 2}'),
    ],
)
def test_plain_json_of_another_shape_is_unexpected(exchange: Any, body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        exchange.parse(body)


@pytest.mark.parametrize(
    ("uid", "path"),
    [("a", "a"), ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"), ("ä b", "%C3%A4%20b")],
)
def test_identifier_stays_one_part_of_the_path(uid: str, path: str) -> None:
    assert access.list_grants(uid).path == f"/access/list/{path}"


def test_json_members_are_sent_and_the_result_is_what_was_read() -> None:
    exchange = call_json("POST", "/path", lambda document: document["a"], {"b": 1})
    assert (exchange.body, exchange.parse(b'{"a": 2}')) == (b'{"b": 1}', 2)


SECRET = "hunter2hunter2"


@each_row(
    ("prepare", "words"),
    [
        (lambda: cryptography.encrypt("key", SECRET), "data takes bytes, not str"),
        (lambda: cryptography.encrypt("key", b"", additional_data=SECRET), "additional_data takes"),
        (lambda: cryptography.encrypt("key", b"", iv=SECRET), "iv takes bytes"),
        (lambda: cryptography.decrypt("key", SECRET), "ciphertext takes bytes"),
        (lambda: cryptography.decrypt("key", b"", additional_data=7), "additional_data takes"),
        (lambda: cryptography.sign("key", digest=SECRET), "digest takes bytes"),
        (lambda: cryptography.verify("key", SECRET, b""), "signature takes bytes"),
        (lambda: cryptography.mac("key", SECRET), "data takes bytes"),
        (lambda: cryptography.mac_verify("key", b"", SECRET), "mac_data takes bytes"),
        (lambda: cryptography.hash_data(SECRET), "data takes bytes"),
        (lambda: cryptography.encrypt(5, b""), "an identifier or a list of tags, not int"),
        (lambda: cryptography.encrypt(None, b""), "an identifier or a list of tags, not NoneType"),
        (lambda: cryptography.encrypt(b"key", b""), "an identifier or a list of tags, not bytes"),
    ],
)
def test_argument_of_a_wrong_type_is_named_and_not_shown(prepare: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        prepare()
    assert SECRET not in str(caught.value)


def test_bytes_may_be_any_of_pythons() -> None:
    bodies = {cryptography.hash_data(kind(b"x")).body for kind in (bytes, bytearray, memoryview)}
    assert len(bodies) == 1
