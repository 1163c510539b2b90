"""Batches: RequestMessage and ResponseMessage over HTTP (KMIP 2.1 §8, §9; docs/dialects.md, "Batches").

The answers' form is checked by `rules.check_message` before a test sees them.
"""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path

import pytest

from kms_tornado.kmip.codecs import binary_codec
from kms_tornado.service.load.limits import MAX_RESPONSE_BYTES

from ..kmip_items import (
    ACTIVATED,
    attributes,
    batch_item,
    flag,
    import_items,
    message,
    name,
    named,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    untyped,
    version,
)
from ..rows import each_row
from ..ttlv import in_binary
from .batches import CONTINUE, STOP, UNDO, option, statuses

SHARED = Path(__file__).parents[3] / "shared/KMIP.md"
PATHS = ["/kmip_2_1", "/kmip/2_1", "/kmip"]
SYMMETRIC = name("ObjectType", "SymmetricKey")
QUERY = batch_item("Query", name("QueryFunction", "QueryObjects"))


def create(*more, **kwargs):
    return batch_item("Create", SYMMETRIC, attributes(ACTIVATED, *more), **kwargs)


def refusal(items):
    """The reason of a message that was refused whole."""
    (only,) = items
    assert only["ResultStatus"] == "OperationFailed"
    assert only.get("Operation") is None
    return only["ResultReason"]


# --- the wire reference -------------------------------------------------------------------------


def chapter_12():
    if not SHARED.exists():
        return []
    chapter = SHARED.read_text("utf-8").partition("\n## 12. ")[2].partition("\n## 13. ")[0]
    return [json.loads(each) for each in re.findall(r"```json\n(.*?)```", chapter, re.DOTALL)]


def shape(item, with_message=False):
    """Tags, types and values; of what nobody can know, tag and type."""
    if item["type"] == "Structure":
        return item["tag"], tuple(map(shape, item["value"]))
    unknown = {"Data", "IVCounterNonce", "AuthenticatedEncryptionTag", "TimeStamp", "ResultMessage"}
    return item["tag"], item["type"], None if item["tag"] in unknown else item["value"]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared page is not here")
@pytest.mark.parametrize("path", PATHS)
def test_exchange_of_the_wire_reference_takes_place(kms, path):
    user = kms.user(path=path)
    mine = f"billing-2{path.replace('/', '-')}"
    user.again("/kmip_2_1").import_key(mine, os.urandom(16))
    request, expected = json.loads(json.dumps(chapter_12()).replace("billing-2", mine))
    answer = user.send(request)
    assert shape(json.loads(answer.body)) == shape(expected)


def test_wire_reference_has_the_two_examples():
    assert len(chapter_12()) in {0, 2}


# --- form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_message_is_answered_in_the_specification_s_names(kms, path):
    user = kms.user(path=path)
    made, sealed, located = user.ask(
        create(tagged("a")),
        batch_item("Encrypt", octets("Data", b"pay 12 EUR")),
        batch_item("Locate", structure("Attributes", tagged("a"))),
    )
    key = made["ResponsePayload", "UniqueIdentifier"]
    assert sealed["ResponsePayload", "UniqueIdentifier"] == key
    assert len(sealed.octets("ResponsePayload", "IVCounterNonce")) == 12
    assert located["ResponsePayload", "LocatedItems"] == 1
    assert located["ResponsePayload", "UniqueIdentifier"] == key  # repeated, not nested


@pytest.mark.parametrize("path", PATHS)
def test_message_without_types_is_answered_in_kind(kms, path):
    user = kms.user(path=path)
    answer = json.loads(user.send(untyped(message(create()))).body)  # rules check every item
    assert list(answer) == ["tag", "value"]


def test_located_identifiers_are_repeated(alice):
    made = {alice.create(), alice.create()}
    (located,) = alice.ask(batch_item("Locate"))
    found = [each for each in located["ResponsePayload"] if each["tag"] == "UniqueIdentifier"]
    assert {each["value"] for each in found} == made


def test_key_material_of_a_message_is_bare_bytes(alice):
    key = alice.create()
    (got,) = alice.ask(batch_item("Get", uid(key)))
    where = ("ResponsePayload", "SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")
    assert got.octets(*where) == alice.key_of(key)


def test_payload_may_come_before_its_operation(alice):
    turned = structure("BatchItem", *reversed(create()["value"]))
    assert statuses(alice.ask(turned)) == ["Success"]


@pytest.mark.parametrize("item_id", [b"", b"\1", bytes(64)], ids=["empty", "one byte", "long"])
def test_item_identifier_comes_back(alice, item_id):
    good, bad = alice.ask(create(item_id=item_id), batch_item("Get", uid("no"), item_id=item_id))
    assert good.octets("UniqueBatchItemID") == item_id == bad.octets("UniqueBatchItemID")


def test_item_without_identifier_gets_none(alice):
    (made,) = alice.ask(create())
    assert made.get("UniqueBatchItemID") is None


def test_bare_operation_stays_as_it_was(alice):
    assert alice.send(structure("Get", uid("no"))).status == 422


# --- /kmip --------------------------------------------------------------------------------------


@pytest.fixture
def strict(kms):
    return kms.user(path="/kmip")


def test_bare_operation_on_the_message_path_is_refused_in_a_message(strict):
    assert refusal(strict.ask_message(structure("Locate"))) == "InvalidMessage"
    answer = strict.send(untyped(structure("Locate")))
    assert list(json.loads(answer.body)) == ["tag", "value"]


def test_what_is_no_message_of_kmip_is_422(strict):
    for body in (b"", b"{", b"[]", structure("Nothing")):
        assert strict.send(body).text.startswith("Invalid_Message: ")


def test_message_path_needs_a_token(kms):
    nobody = kms.nobody("/kmip")
    assert nobody.send(message(create())).status == 401
    assert nobody.send(b"x", content_type="application/octet-stream").status == 401


# --- the header ---------------------------------------------------------------------------------


def authentication(*items):
    return structure("Authentication", *items)


CREDENTIAL = structure(
    "Credential",
    name("CredentialType", "UsernameAndPassword"),
    structure("CredentialValue", text("Username", "bob"), text("Password", "secret")),
)


@each_row(
    ("header", "reason"),
    [
        pytest.param([version(1, 5)], "InvalidMessage", id="KMIP 1.5, in the words of 1.4"),
        pytest.param([version(3, 0), flag("AsynchronousIndicator", False)],
                     "UnsupportedProtocolVersion", id="KMIP 3.0 with a field of its own"),
        pytest.param([version(2, 2)], "UnsupportedProtocolVersion", id="KMIP 2.2"),
        pytest.param([version(3, 0)], "UnsupportedProtocolVersion", id="KMIP 3.0"),
        pytest.param([version(-1, 0)], "InvalidMessage", id="negative version, in the words of 1.0"),
        pytest.param([version(2, 1), version(1, 4)], "InvalidMessage", id="two versions"),
        pytest.param([structure("ProtocolVersion")], "InvalidMessage", id="empty version"),
        pytest.param([authentication(CREDENTIAL)], "AuthenticationNotSuccessful", id="credential"),
        pytest.param([authentication()], "AuthenticationNotSuccessful", id="no credential in it"),
        pytest.param([name("AsynchronousIndicator", "Mandatory")], "FeatureNotSupported",
                     id="asynchronous"),
        pytest.param([flag("AsynchronousIndicator", True)], "InvalidMessage", id="that of KMIP 1"),
        pytest.param([number("MaximumResponseSize", 0)], "InvalidMessage", id="no answer at all"),
        pytest.param([number("MaximumResponseSize", -1)], "InvalidMessage", id="less than none"),
        pytest.param([option(4)], "InvalidMessage", id="unknown option"),
        pytest.param([text("ResultMessage", "x")], "InvalidMessage", id="field of another place"),
        pytest.param([STOP, STOP], "InvalidMessage", id="option twice"),
    ],
)  # fmt: skip
def test_message_is_refused_whole_for_its_header(alice, header, reason):
    assert refusal(alice.ask(create(), header=header)) == reason
    assert alice.locate()[0] == 0, "nothing was executed"


@each_row(
    "header",
    [
        pytest.param([version(2, 0)], id="KMIP 2.0"),
        pytest.param([name("AsynchronousIndicator", "Optional")], id="asynchronous if we like"),
        pytest.param([name("AsynchronousIndicator", "Prohibited")], id="synchronous"),
        pytest.param([flag("BatchOrderOption", True)], id="in order"),
        pytest.param([flag("BatchOrderOption", False)], id="in any order"),
        pytest.param([{"tag": "TimeStamp", "type": "DateTime", "value": "2026-11-23T10:00:00Z"}],
                     id="time stamp"),
        pytest.param([flag("AttestationCapableIndicator", True)], id="attestation"),
        pytest.param([number("MaximumResponseSize", 2**31 - 1)], id="any size"),
        pytest.param([UNDO], id="undo"),
    ],
)  # fmt: skip
def test_header_is_understood(alice, header):
    assert statuses(alice.ask(create(), header=header)) == ["Success"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [((2, 0), (2, 0)), ((2, 1), (2, 1)), ((1, 1), (1, 1)), ((1, 5), (1, 4)), ((3, 0), (2, 1))],
)
def test_answer_has_the_request_s_version_or_the_one_it_is_written_in(alice, asked, answered):
    body = json.loads(alice.send(message(QUERY, header=[version(*asked)])).body)
    assert body["value"][0]["value"][0] == version(*answered)


@pytest.mark.parametrize("count", [0, 2, 255, -1, -(2**31), 2**31 - 1])
def test_batch_count_that_lies_is_an_invalid_message(alice, count):
    assert refusal(alice.ask(create(), count=count)) == "InvalidMessage"
    assert alice.locate()[0] == 0


def test_hundred_items_are_executed_and_one_more_is_not(alice):
    assert statuses(alice.ask(*[create()] * 100)) == ["Success"] * 100
    assert refusal(alice.ask(*[create()] * 101)) == "InvalidMessage"
    assert alice.locate()[0] == 100


@each_row(
    "body",
    [
        structure("RequestMessage"),
        {"tag": "RequestMessage", "value": []},
        {"tag": "RequestMessage", "type": "TextString", "value": "x"},
        {"tag": "RequestMessage", "type": "Structure"},
        {"tag": "RequestMessage", "type": "Structure", "value": None},
        {"tag": "RequestMessage", "type": "Structure", "value": [None]},
        structure("RequestMessage", QUERY),
        structure("RequestMessage", structure("RequestHeader"), QUERY),
        structure("RequestMessage", text("RequestHeader", "x"), QUERY),
        structure("RequestMessage", structure("RequestHeader", version(2, 1)), QUERY),
        structure("RequestMessage", structure("RequestHeader", number("BatchCount", 1)), QUERY),
        structure("RequestMessage", *message(QUERY)["value"], message()["value"][0]),
        structure("RequestMessage", *message(QUERY)["value"], structure("Locate")),
        structure("RequestMessage", *message(QUERY)["value"], text("Unheard", "x")),
        message(QUERY, header=[text("Unheard", "x")]),
        message(QUERY, header=[name("BatchErrorContinuationOption", "Carry on")]),
        message(QUERY, header=[text("0x540001", "x")]),
        message(),
        message(message(QUERY)),
    ],
    ids=lambda _: "",
)  # fmt: skip
@each_row("path", PATHS)
def test_message_that_cannot_be_read_is_answered_with_one_failed_item(kms, path, body):
    assert refusal(kms.user("alice", path=path).ask_message(body)) == "InvalidMessage"


def correlation(answer):
    header = json.loads(answer.body)["value"][0]["value"]
    return {each["tag"]: each["value"] for each in header}.get("ServerCorrelationValue")


def test_correlation_value_is_answered_with_one_of_the_server_and_logged(kms, alice):
    ours = {correlation(alice.send(message(QUERY, header=[text("ClientCorrelationValue", "mine 7")])))
            for _ in range(2)}  # fmt: skip
    assert len(ours) == 2
    alice.locate()  # its answer comes after the line of the request before it
    assert all(f'client_correlation="mine 7" server_correlation={each}' in kms.log for each in ours)
    assert correlation(alice.send(message(QUERY))) is None


# --- failures -----------------------------------------------------------------------------------

NOT_THERE = batch_item("Get", uid("no-such-key"))
#: Without the option a failure stops nothing (docs/dialects.md, "Batches").
FAILURES = [
    pytest.param([], ["Success", "ItemNotFound", "Success"], 2, id="default"),
    pytest.param([CONTINUE], ["Success", "ItemNotFound", "Success"], 2, id="continue"),
    pytest.param([STOP], ["Success", "ItemNotFound"], 1, id="stop"),
    pytest.param([UNDO], ["OperationUndone", "ItemNotFound"], 0, id="undo"),
]


@pytest.mark.parametrize(("header", "found", "left"), FAILURES)
def test_failure_ends_the_batch_as_the_option_says(alice, header, found, left):
    assert statuses(alice.ask(create(), NOT_THERE, create(), header=header)) == found
    assert alice.locate()[0] == left


@each_row(
    ("item", "reason"),
    [
        pytest.param(NOT_THERE, "ItemNotFound", id="not there"),
        pytest.param(batch_item("Certify"), "OperationNotSupported", id="not offered"),
        pytest.param(batch_item("Create"), "MissingData", id="payload lacks something"),
        pytest.param(batch_item("Get", octets("Data", b"")), "InvalidField", id="has too much"),
        pytest.param(batch_item("Get"), "MissingData", id="no placeholder"),
        pytest.param(batch_item("Get", uid("")), "MissingData", id="empty identifier"),
        pytest.param(batch_item("Get", uid("[]")), "InvalidField", id="no tags"),
        pytest.param(structure("BatchItem", *QUERY["value"], flag("Ephemeral", True)),
                     "FeatureNotSupported", id="ephemeral"),
    ],
)  # fmt: skip
def test_failure_is_its_item_s_alone(alice, item, reason):
    first, failed, last = alice.ask(create(), QUERY, create())[:1] + alice.ask(item, create())
    assert statuses([first, failed, last]) == ["Success", reason, "Success"]
    assert failed["Operation"] == item["value"][0]["value"]
    assert failed["ResultMessage"]


def extension(critical):
    return structure(
        "MessageExtension",
        text("VendorIdentification", "acme"),
        flag("CriticalityIndicator", critical),
        structure("VendorExtension", text("Comment", "faster")),
    )


def test_critical_extension_refuses_the_whole_message(alice):
    extended = structure("BatchItem", *create()["value"], extension(True))
    assert refusal(alice.ask(create(), extended)) == "UnknownMessageExtension"
    assert alice.locate()[0] == 0
    harmless = structure("BatchItem", *create()["value"], extension(False))
    assert statuses(alice.ask(harmless)) == ["Success"]


# --- ID placeholder -----------------------------------------------------------------------------


def test_omitted_identifier_means_the_object_that_was_created_last(alice):
    results = alice.ask(
        create(),
        create(),
        batch_item("GetAttributes"),
        batch_item("Revoke", structure("RevocationReason", name("RevocationReasonCode", "Unspecified"))),
        batch_item("Destroy"),
    )  # fmt: skip
    assert statuses(results) == ["Success"] * 5
    first, second = (each["ResponsePayload", "UniqueIdentifier"] for each in results[:2])
    assert all(each["ResponsePayload", "UniqueIdentifier"] == second for each in results[2:])
    assert (alice.state_of(first), alice.state_of(second)) == ("Active", "Destroyed")


def test_placeholder_may_be_named(alice):
    named = name("UniqueIdentifier", "IDPlaceholder")
    made, got = alice.ask(create(), batch_item("Get", named))
    assert got["ResponsePayload", "UniqueIdentifier"] == made["ResponsePayload", "UniqueIdentifier"]
    assert alice.refused("Get", named).startswith("Invalid_Field"), "not outside of a batch"


EC_PAIR = structure(
    "CommonAttributes",
    name("CryptographicAlgorithm", "EC"),
    structure("CryptographicDomainParameters", name("RecommendedCurve", "P_256")),
    ACTIVATED,
)


def the(operation, field="UniqueIdentifier"):
    """A name of the Unique Identifier Enumeration in place of an identifier (KMIP 2.1 §11.58)."""
    return name(field, operation)


def test_object_is_named_by_the_operation_that_made_it(alice):
    secret = import_items("", bytes(16))
    results = alice.ask(
        create(),
        batch_item("CreateKeyPair", EC_PAIR),
        batch_item("Import", *secret),
        batch_item("ReKey", the("Create")),
        batch_item("ReKeyKeyPair", the("CreateKeyPairPrivateKey", "PrivateKeyUniqueIdentifier")),
        batch_item("Locate", structure("Attributes", uid(alice.create()))),
        *(
            batch_item("GetAttributes", the(operation))
            for operation in (
                "Create", "CreateKeyPairPrivateKey", "CreateKeyPairPublicKey", "Import", "ReKey",
                "ReKeyKeyPairPrivateKey", "ReKeyKeyPairPublicKey", "Locate", "IDPlaceholder",
            )
        ),
    )  # fmt: skip
    assert statuses(results) == ["Success"] * 15
    made, pair, imported, rekeyed, new_pair, located = results[:6]
    only = ("ResponsePayload", "UniqueIdentifier")
    halves = [("ResponsePayload", f"{half}KeyUniqueIdentifier") for half in ("Private", "Public")]
    assert [each[only] for each in results[6:]] == [
        made[only],
        *(pair[half] for half in halves),
        imported[only],
        rekeyed[only],
        *(new_pair[half] for half in halves),
        located[only],
        located[only],
    ]


def test_both_halves_of_a_new_pair_are_used_in_one_message(alice):
    data = octets("Data", b"contract")
    _, signed, _, got = alice.ask(
        batch_item("CreateKeyPair", EC_PAIR),
        batch_item("Sign", the("CreateKeyPairPrivateKey"), data),
        create(),
        batch_item("Get", the("CreateKeyPairPublicKey")),
    )
    assert signed["ResponsePayload", "SignatureData"]
    assert got["ResponsePayload", "ObjectType"] == "PublicKey"


def test_last_of_several_operations_is_meant_also_where_it_failed(alice):
    _, second, got = alice.ask(create(), create(), batch_item("Get", the("Create")))
    made = second["ResponsePayload", "UniqueIdentifier"]
    assert got["ResponsePayload", "UniqueIdentifier"] == made
    results = alice.ask(create(), batch_item("Create"), batch_item("Get", the("Create")))
    assert statuses(results) == ["Success", "MissingData", "MissingData"]


@each_row(
    ("operation", "reason", "wording"),
    [
        ("Register", "MissingData", "UniqueIdentifier is Register, and no such item before"),
        ("Certify", "MissingData", "UniqueIdentifier is Certify, and no such item before"),
        ("Locate", "MissingData", "UniqueIdentifier is Locate, and no such item before"),
        ("CreateKeyPair", "FeatureNotSupported", "CreateKeyPair means two objects: name its"),
        ("ReKeyKeyPair", "FeatureNotSupported", "ReKeyKeyPair means two objects: name its"),
        (99, "InvalidField", "UniqueIdentifier must be a TextString"),
    ],
)
def test_name_that_means_no_single_object_is_refused(alice, operation, reason, wording):
    alice.create()
    alice.create()
    results = alice.ask(create(), batch_item("Locate"), batch_item("Get", the(operation)))
    assert statuses(results) == ["Success", "Success", reason]
    assert results[-1]["ResultMessage"].startswith(wording)


@each_row(
    ("operation", "field"),
    [
        ("Query", the("IDPlaceholder")),
        ("Locate", the("Create")),
        ("Get", the("IDPlaceholder", "PrivateKeyUniqueIdentifier")),
    ],
    ids=["Query", "Locate", "Get"],
)
def test_name_where_no_identifier_stands_is_refused(alice, operation, field):
    items = [name("QueryFunction", "QueryObjects")] if operation == "Query" else []
    results = alice.ask(create(), batch_item(operation, *items, field))
    assert statuses(results) == ["Success", "InvalidField"]


def test_name_does_not_outlive_its_message(alice):
    alice.ask(create())
    assert statuses(alice.ask(batch_item("Get", the("Create")))) == ["MissingData"]


def test_import_and_a_located_object_set_the_placeholder(alice):
    key = import_items("", bytes(16))
    imported, got = alice.ask(batch_item("Import", *key), batch_item("Get"))
    made = imported["ResponsePayload", "UniqueIdentifier"]
    assert got["ResponsePayload", "UniqueIdentifier"] == made
    _, got = alice.ask(batch_item("Locate"), batch_item("Get"))
    assert got["ResponsePayload", "UniqueIdentifier"] == made


def test_placeholder_of_a_key_pair_is_its_private_key(alice):
    common = structure(
        "CommonAttributes",
        name("CryptographicAlgorithm", "EC"),
        structure("CryptographicDomainParameters", name("RecommendedCurve", "P_256")),
        ACTIVATED,
    )
    masks = (
        structure("PrivateKeyAttributes", number("CryptographicUsageMask", 1)),
        structure("PublicKeyAttributes", number("CryptographicUsageMask", 2)),
    )
    made, renewed, got = alice.ask(
        batch_item("CreateKeyPair", common, *masks),
        batch_item("ReKeyKeyPair"),
        batch_item("GetAttributes"),
    )
    old, new = (each["ResponsePayload", "PrivateKeyUniqueIdentifier"] for each in (made, renewed))
    assert got["ResponsePayload", "UniqueIdentifier"] == new != old


@pytest.mark.parametrize("page", [[], [number("MaximumItems", 2)]], ids=["all", "a page"])
def test_several_located_objects_leave_no_placeholder(alice, page):
    alice.create()
    alice.create()
    results = alice.ask(create(), batch_item("Locate", *page), batch_item("Get"))
    assert statuses(results) == ["Success", "Success", "MissingData"]


def test_nothing_located_leaves_no_placeholder(alice):
    wanted = structure("Attributes", tagged("none"))
    results = alice.ask(create(), batch_item("Locate", wanted), batch_item("Get"))
    assert statuses(results) == ["Success", "Success", "MissingData"]


def test_named_identifier_does_not_change_the_placeholder(alice):
    other = alice.create()
    made, _, got = alice.ask(create(), batch_item("Get", uid(other)), batch_item("Get"))
    assert got["ResponsePayload", "UniqueIdentifier"] == made["ResponsePayload", "UniqueIdentifier"]


@pytest.mark.parametrize("failing", ["Create", "Register", "CreateKeyPair"])
def test_failure_to_make_an_object_does_not_send_what_follows_to_another_one(alice, failing):
    results = alice.ask(create(), batch_item(failing), batch_item("Get"))
    assert statuses(results)[::2] == ["Success", "MissingData"]


def test_placeholder_does_not_outlive_its_message(alice):
    alice.ask(create())
    assert statuses(alice.ask(batch_item("Get"))) == ["MissingData"]


def test_placeholder_gives_no_right_to_another_s_object(alice, bob):
    theirs = bob.create()
    assert statuses(alice.ask(create(), batch_item("Get", uid(theirs)))) == [
        "Success",
        "ItemNotFound",
    ]


# --- sizes --------------------------------------------------------------------------------------


#: Its answer is longer than that it is too long, which is as long as the answer to Create.
QUERY = batch_item("Query", name("QueryFunction", "QueryOperations"))


def limited(size):
    return [number("MaximumResponseSize", size)]


def test_answer_that_is_too_long_is_refused_and_its_work_taken_back(alice):
    assert statuses(alice.ask(create(), header=limited(100))) == ["ResponseTooLarge"]
    assert alice.locate()[0] == 0
    assert statuses(alice.ask(create(), header=limited(1000))) == ["Success"]
    assert alice.locate()[0] == 1


def test_items_of_many_values_are_answered_as_they_are_alone(alice):
    """They are written one by one, and others stand between them as they come."""
    groups = [text("ObjectGroup", f"g{number}") for number in range(200)]
    key = alice.create(*groups)
    items = [
        batch_item("GetAttributes", uid(key), item_id=b"a"),
        batch_item("GetAttributes", uid("absent"), item_id=b"b"),
        batch_item("GetAttributes", uid(key), item_id=b"c"),
        batch_item("GetAttributeList", uid(key)),
    ]
    first, failed, second, listed = alice.ask(*items, header=[CONTINUE])
    assert [*map(strip_id, (first, second))] == [strip_id(alice.ask(items[0])[0])] * 2
    assert first["ResponsePayload", "UniqueIdentifier"] == key
    assert [item["value"] for item in first["ResponsePayload", "Attributes"]].count("g7") == 1
    assert [each["UniqueBatchItemID"] for each in (first, failed, second)] == ["61", "62", "63"]
    assert statuses([failed, listed]) == ["ItemNotFound", "Success"]

    together = in_binary(message(*items, header=[CONTINUE]))
    answer = binary_codec.parse(alice.send_binary(together))
    alone = binary_codec.parse(alice.send_binary(in_binary(message(items[0]))))
    assert answer.value[1] == alone.value[1]
    assert [item.tag for item in answer.value[1:]] == ["BatchItem"] * 4


def strip_id(item):
    return [field for field in item.item["value"] if field["tag"] != "UniqueBatchItemID"]


def test_size_is_that_of_binary_ttlv(alice):
    key = alice.create()
    # Message, header, item and payload: 4 × 8. Version, its two numbers, time, count: 8 + 4 × 16.
    # Operation and status: 2 × 16. Identifier: 8 + 40. Data: 8 + 1000.
    size = 4 * 8 + 8 + 4 * 16 + 2 * 16 + 48 + 1008
    sealed = alice.encrypt(key, bytes(1000))
    decrypting = batch_item("Decrypt", uid(key), *sealed.items())
    assert statuses(alice.ask(decrypting, header=limited(size))) == ["Success"]
    assert statuses(alice.ask(decrypting, header=limited(size - 1))) == ["ResponseTooLarge"]


def test_room_is_shared_by_the_items(alice):
    found = statuses(alice.ask(create(), *[QUERY] * 4, create(), header=limited(1800)))
    assert found[:2] == ["Success", "Success"]
    assert found[-2:] == ["ResponseTooLarge", "Success"]
    assert alice.locate()[0] == 2


def length_in_ttlv(user, sent):
    """(bytes of the answer, what became of each item)"""
    answer = user.send_binary(in_binary(sent))
    statuses_of = [
        {part.tag: part.value for part in item.value}
        for item in binary_codec.parse(answer).value[1:]
    ]
    return len(answer), statuses_of


@pytest.mark.parametrize("option", [CONTINUE, UNDO], ids=["Continue", "Undo"])
def test_answer_is_never_longer_than_the_client_said(alice, option):
    """A client of a fixed buffer (libkmip: 8 KiB) loses what it was told of all items otherwise."""
    long_reason = batch_item("Get", uid("x" * 500), item_id=b"x")
    items = [create(), long_reason, *[create()] * 3, long_reason, QUERY]
    counts = set()
    for size in (200, 600, 900, 1000, 1100, 1200, 1500, 2000, 5000):
        before = alice.locate()[0]
        length, results = length_in_ttlv(alice, message(*items, header=[option, *limited(size)]))
        assert length <= size
        assert all(result["ResultMessage"] for result in results if result["ResultStatus"] == 1)
        made = sum(result["ResultStatus"] == 0 and result["Operation"] == 1 for result in results)
        assert alice.locate()[0] == before + made
        counts.add(made)
    assert counts == ({0, 4} if option is CONTINUE else {0})


@pytest.mark.parametrize("item", [QUERY, batch_item("Get", uid("absent"))], ids=["long", "failed"])
def test_text_of_a_failure_is_cut_for_a_client_of_a_small_buffer(alice, item):
    # Message, header and item: 3 × 8. Version, its two numbers, time, count: 8 + 4 × 16. Operation, status and
    # reason: 3 × 16. Text: 8 + 8.
    least = 3 * 8 + 8 + 4 * 16 + 3 * 16 + 16
    for size, length in ((1, least), (least, least), (least + 8, least + 8)):
        sent = message(item, header=limited(size))
        got, (result,) = length_in_ttlv(alice, sent)
        assert (got, len(result["ResultMessage"])) == (length, length - least + 8)


def test_message_of_which_not_even_the_failures_fit_is_refused_whole(alice):
    (whole,) = alice.ask(*[create()] * 5, header=limited(400))
    assert whole["ResultReason"] == "ResponseTooLarge"
    assert whole.get("Operation") is None
    assert alice.locate()[0] == 0


def test_answer_in_json_is_as_long_as_it_may_be_and_not_twice_that(alice):
    """Octets have two characters each in JSON; three such answers took 348 MiB."""
    held = [number("OpaqueDataType", 0x80000001), octets("OpaqueDataValue", bytes(100_000))]
    held[0]["type"] = "Enumeration"
    uid_ = alice.do(
        "Register", name("ObjectType", "OpaqueObject"), structure("Attributes"),
        structure("Object", *held),
    )["UniqueIdentifier"]  # fmt: skip
    answer = alice.send(message(*[batch_item("Get", uid(uid_))] * 100))
    assert 0.98 * MAX_RESPONSE_BYTES < len(answer.body) < MAX_RESPONSE_BYTES + 50_000
    assert answer.body.count(b'"Success"') == MAX_RESPONSE_BYTES // 200_600
    assert answer.body.count(b'"ResponseTooLarge"') == 100 - MAX_RESPONSE_BYTES // 200_600


# --- undo ---------------------------------------------------------------------------------------


def test_undo_takes_back_every_change(alice):
    old, other = alice.create(tags=["old"]), alice.create()
    reason = structure("RevocationReason", name("RevocationReasonCode", "Superseded"))
    before = [alice.do("GetAttributes", uid(each)).item for each in (old, other)]
    found = statuses(alice.ask(
        create(),
        batch_item("Revoke", reason),
        batch_item("Destroy"),
        batch_item("Revoke", uid(old), reason),
        batch_item("Import", *import_items(other, bytes(16), replace=True)),
        NOT_THERE,
        create(),
        header=[UNDO],
    ))  # fmt: skip
    assert found == ["OperationUndone"] * 5 + ["ItemNotFound"]
    assert [alice.do("GetAttributes", uid(each)).item for each in (old, other)] == before
    assert alice.locate()[0] == 2


def test_undo_that_is_not_needed_keeps_every_change(alice):
    reason = structure("RevocationReason", name("RevocationReasonCode", "Superseded"))
    results = alice.ask(
        create(),
        batch_item("Encrypt", octets("Data", b"x")),
        batch_item("Revoke", reason),
        batch_item("GetAttributes"),
        batch_item("Destroy"),
        batch_item("GetAttributes"),
        header=[UNDO],
    )
    assert statuses(results) == ["Success"] * 6
    assert results[3]["ResponsePayload", "Attributes", "State"] == "Deactivated"
    assert results[5]["ResponsePayload", "Attributes", "State"] == "Destroyed"
    assert alice.state_of(results[0]["ResponsePayload", "UniqueIdentifier"]) == "Destroyed"


def test_answer_that_is_too_long_undoes_all(alice):
    found = statuses(alice.ask(create(), create(), QUERY, header=[UNDO, *limited(600)]))
    assert found[-1] == "ResponseTooLarge"
    assert set(found[:-1]) == {"OperationUndone"}
    assert alice.locate()[0] == 0


@pytest.mark.parametrize("header", [[CONTINUE], [STOP], [UNDO]], ids=["continue", "stop", "undo"])
def test_searches_find_what_the_batch_itself_did(alice, header):
    old = alice.create(tags=["a"])
    found = alice.ask(
        create(tagged("a")),
        batch_item("Locate", attributes(tagged("a"), algorithm=None)),
        batch_item("Get", uid(["a"])),
        batch_item("Revoke", uid(old), text("RevocationReason", "gone")),
        batch_item("Locate", attributes(tagged("a"), name("State", "Active"), algorithm=None)),
        header=header,
    )
    assert statuses(found) == ["Success"] * 5
    new = found[0]["ResponsePayload", "UniqueIdentifier"]
    assert found[1]["ResponsePayload", "LocatedItems"] == 2
    assert found[2]["ResponsePayload", "UniqueIdentifier"] == new, "the newest of the Active ones"
    assert found[4]["ResponsePayload", "LocatedItems"] == 1
    assert found[4]["ResponsePayload", "UniqueIdentifier"] == new


@pytest.mark.parametrize(
    ("header", "found", "left"),
    [
        pytest.param(
            [CONTINUE], ["Success", "NonUniqueNameAttribute", "Success"], 2, id="continue"
        ),
        pytest.param([STOP], ["Success", "NonUniqueNameAttribute"], 1, id="stop"),
        pytest.param([UNDO], ["OperationUndone", "NonUniqueNameAttribute"], 0, id="undo"),
    ],
)
def test_name_that_is_taken_within_the_batch_is_its_item_s_failure(alice, header, found, left):
    items = [create(named("a")), create(named("a")), create(named("b"))]
    assert statuses(alice.ask(*items, header=header)) == found
    assert alice.locate()[0] == left


def test_identifier_that_is_taken_within_the_batch_is_refused(alice):
    wanted = f"twice-{alice.create()}"
    twice = [batch_item("Import", *import_items(wanted, bytes(16)))] * 2
    found = statuses(alice.ask(*twice, header=[UNDO]))
    assert found == ["OperationUndone", "ObjectAlreadyExists"]
    assert statuses(alice.ask(*twice)) == ["Success", "ObjectAlreadyExists"]


def test_removed_identifier_is_free_within_the_batch(alice):
    key = alice.create()
    alice.revoke(key)
    again = batch_item("Import", *import_items(key, bytes(16)))
    removing = batch_item("Destroy", uid(key), flag("Remove", True))
    assert statuses(alice.ask(removing, again, header=[UNDO])) == ["Success"] * 2
    assert alice.state_of(key) == "PreActive"


# --- log ----------------------------------------------------------------------------------------


def test_every_operation_of_a_batch_has_its_line_in_the_access_log(kms, alice):
    key = alice.ask(create())[0]["ResponsePayload", "UniqueIdentifier"]
    alice.ask(batch_item("Get", uid(key)), batch_item("Get", uid(f"no-{key}")))
    alice.locate()  # its answer comes after the lines of the request before it
    lines = [line for line in kms.log.splitlines() if "200 POST" in line and key in line]
    told = [line[line.index("operation=") :].partition(" request_id=")[0] for line in lines]
    assert told == [
        f"operation=Create uid={key} result=Success",
        f"operation=Get uid={key} result=Success item=1/2",
        f"operation=Get uid=no-{key} result=Item_Not_Found item=2/2",
    ]


def test_refused_message_has_one_line(kms, alice):
    before = kms.log.count("operation=none result=Unsupported_Protocol_Version")
    alice.ask(create(), create(), header=[version(3, 0)])
    alice.locate()
    assert kms.log.count("operation=none result=Unsupported_Protocol_Version") == before + 1


# --- others at the same time --------------------------------------------------------------------


def test_connection_serves_on_after_every_kind_of_answer(kms):
    user = kms.user()
    connection = http.client.HTTPConnection("127.0.0.1", user.port)
    headers = {"Authorization": f"Bearer {user.token}"}
    for body in (
        message(QUERY),
        message(QUERY, count=7),
        structure("RequestMessage"),
        structure("Locate"),
    ):
        connection.request("POST", "/kmip_2_1", json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    connection.close()
