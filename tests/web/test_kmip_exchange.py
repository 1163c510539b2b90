"""Bare operations over HTTP: every request of the wire reference, and a hundred hostile bodies.

The answers are checked by `operations.rules` before a test sees them.
"""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path

import pytest

from ..kmip_items import (
    Fields,
    attributes,
    flag,
    import_items,
    name,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from ..kms import KMS, two_issuers
from ..rows import each_row

SHARED = Path(__file__).parents[3] / "shared/KMIP.md"
PATHS = ["/kmip_2_1", "/kmip/2_1"]
SYMMETRIC = name("ObjectType", "SymmetricKey")
BILLING = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with two_issuers() as issuers, KMS(tmp_path_factory.mktemp("kms"), *issuers) as server:
        yield server


@pytest.fixture(scope="module")
def alice(kms):
    return kms.user("alice")


@pytest.fixture(params=PATHS)
def user(request, kms):
    return kms.user(path=request.param)


# --- the wire reference -------------------------------------------------------------------------


def blocks():
    """The requests and responses of the shared wire reference, in the page's order."""
    if not SHARED.exists():
        return []
    chapter = SHARED.read_text("utf-8").partition("\n## 8. ")[2].partition("\n## 9. ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", chapter, re.DOTALL)]


def renamed(item, names):
    return json.loads(
        re.sub("|".join(map(re.escape, names)), lambda m: names[m[0]], json.dumps(item))
    )


def shape(item):
    """Tags and types, without values; what repeats counts once."""
    if item["type"] != "Structure":
        return item["tag"], item["type"]
    return item["tag"], tuple(dict.fromkeys(shape(child) for child in item["value"]))


def key_block(answer):
    """{tag: value} of a Get's KeyBlock."""
    (block,) = Fields(answer)["Object"]
    return {child["tag"]: child["value"] for child in block["value"]}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared page is not here")
@pytest.mark.parametrize("path", PATHS)
def test_every_exchange_of_the_wire_reference_takes_place(tmp_path, path):
    """On a server of its own: a key takes the fixed nonce once, whoever registers it."""
    with two_issuers() as issuers, KMS(tmp_path, *issuers) as server:
        exchange_reference(server.user(path=path), path)


def exchange_reference(user, path):
    billing = f"billing-1{path.replace('/', '-')}"
    names = {"billing-1": billing}
    user.import_key(billing, BILLING)
    made = user.create(tags=["invoices"], mask=2108)
    names["036ef37d-7c36-4741-b80e-123d9e7c082c"] = made
    names["541d12b6-47b4-4739-ac7b-636d25ded730"] = user.import_key("", bytes(32))
    wrapped = 0
    examples = blocks()
    for position, example in enumerate(examples):
        tag = example["tag"]
        if tag.endswith("Response") or tag == "CryptographicParameters":
            continue
        request = renamed(example, names)
        if tag == "Import":
            request["value"][0]["value"] = True  # it is there already
        if tag == "Destroy":
            user.revoke(made)
        if tag == "Decrypt":
            sealed = user.encrypt(["invoices"], b"pay 12 EUR")
            request = structure("Decrypt", uid(["invoices"]), *sealed.items())
        answer = user.send(request)
        assert answer.status == 200, (tag, answer.text)
        if "KeyWrappingSpecification" in json.dumps(example):
            expected, actual = renamed(examples[position + 1], names), json.loads(answer.body)
            assert key_block(actual)["KeyWrappingData"] == key_block(expected)["KeyWrappingData"]
            wrapped += 1
        if position + 1 < len(examples) and examples[position + 1]["tag"] == f"{tag}Response":
            expected, actual = examples[position + 1], json.loads(answer.body)
            if tag in {"Create", "Encrypt", "Decrypt", "Locate", "Revoke", "Destroy", "Import"}:
                assert shape(actual) == shape(expected)
            if tag == "Encrypt" and "billing-1" in json.dumps(example):
                assert actual["value"][1:] == expected["value"][1:], "the fixed vector"
    assert wrapped == 1


@pytest.mark.parametrize("path", PATHS)
def test_essential_requests_of_both_clients_are_answered(kms, path):
    """Typed in, for where the shared page is absent."""
    user = kms.user(path=path)
    made = user.do(
        "Create", SYMMETRIC,
        attributes(
            name("KeyFormatType", "TransparentSymmetricKey"), SYMMETRIC, flag("Sensitive", False),
            tagged("invoices"), bits=256, mask=2108,
        ),
    ).uid  # fmt: skip
    user.do("Create", SYMMETRIC, attributes(SYMMETRIC, tagged()))
    sealed = user.encrypt(["invoices"], b"pay 12 EUR")
    assert sealed.uid == made
    assert user.decrypt(["invoices"], sealed) == b"pay 12 EUR"
    user.do("Get", uid(made), name("KeyWrapType", "AsRegistered"))
    user.do("Get", name("KeyFormatType", "TransparentSymmetricKey"), uid(made))
    assert user.locate(tagged("invoices")) == (1, [made])
    user.revoke(made)
    user.destroy(made)


@each_row(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", None],
    ids=["json", "json in UTF-8", "text", "none"],
)
def test_content_type_is_not_insisted_on(user, content_type):
    body = structure("Create", SYMMETRIC, attributes())
    assert user.send(body, content_type=content_type).status == 200


def test_lower_case_hexadecimal_and_any_order_of_members_and_fields_are_read(user):
    key = user.create()
    body = json.dumps(
        {
            "value": [
                {"value": "abcdef", "type": "ByteString", "tag": "Data"},
                {"type": "TextString", "tag": "UniqueIdentifier", "value": key},
            ],
            "type": "Structure",
            "tag": "Encrypt",
        }
    )
    assert user.send(body.encode()).status == 200


OFFERED = (
    "Certificate", "SymmetricKey", "PublicKey", "PrivateKey", "SecretData", "OpaqueObject",
)  # fmt: skip


def test_structure_without_type_is_read_and_answered_in_kind(user):
    # Not by `send`, whose rules are those of the clients' dialect.
    connection = http.client.HTTPConnection("127.0.0.1", user.port)
    body = {"tag": "Query", "value": [name("QueryFunction", "QueryObjects")]}
    connection.request(
        "POST", user.path, json.dumps(body), {"Authorization": f"Bearer {user.token}"}
    )
    response = connection.getresponse()
    assert (response.status, json.load(response)) == (
        200,
        {
            "tag": "QueryResponse",
            "value": [name("ObjectType", object_type) for object_type in OFFERED],
        },
    )
    connection.close()


def test_nested_structure_without_type_is_read(user):
    untyped = attributes()
    del untyped["type"]
    assert user.send(structure("Create", SYMMETRIC, untyped)).status == 200


def test_answers_are_not_cached_nor_guessed(user):
    for body, content_type in (
        (structure("Locate"), "application/json"),
        (structure("Get"), "text/plain; charset=utf-8"),
    ):
        headers = user.send(body).headers
        assert headers["Content-Type"] == content_type
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_several_mebibytes_go_through_and_too_many_do_not(user):
    key = user.create()
    data = bytes(5 << 20)
    assert user.decrypt(key, user.encrypt(key, data)) == data
    assert user.again().send(b" " * (17 << 20)).status == 413


# --- hostile bodies -----------------------------------------------------------------------------

GET = '{"tag":"Get","type":"Structure","value":[%s]}'
DATA = '{"tag":"Data","type":"ByteString","value":""}'
UID = '{"tag":"UniqueIdentifier","type":"TextString","value":"x"}'


def node(tag, item_type, value):
    return f'{{"tag":"{tag}","type":"{item_type}","value":{value}}}'


def in_create(item):
    inner = node("Attributes", "Structure", f"[{item}]")
    return node("Create", "Structure", f"[{json.dumps(SYMMETRIC)},{inner}]")


def encrypting(value, item_type="ByteString"):
    return node("Encrypt", "Structure", f"[{UID},{node('Data', item_type, value)}]")


def revoking(item):
    return node("Revoke", "Structure", f"[{UID},{item}]")


def deep(count):
    body = '{"tag":"Attributes","type":"Structure","value":[]}'
    for _ in range(count):
        body = f'{{"tag":"Attributes","type":"Structure","value":[{body}]}}'
    return node("Create", "Structure", f"[{body}]")


NOT_JSON = {
    "empty": b"", "space": b" ", "null byte": b"\0", "word": b"Get", "one brace": b"{",
    "brace too many": b"{}}", "quotes": b"{'tag':'Get'}", "comma": b'{"tag":"Get",}',
    "comment": b"{}//", "two texts": b"{}{}", "not UTF-8": b'{"tag":"\xff"}',
    "UTF-16": '{"tag":"Get"}'.encode("utf-16"), "byte order mark": b"\xef\xbb\xbf{}",
    "surrogate encoded": b'{"tag":"\xed\xa0\x80"}', "control character": b'{"tag":"\x01"}',
    "XML": b"<Get/>", "form": b"tag=Get&value=1", "HTML": b"<script>alert(1)</script>",
    "binary TTLV": bytes.fromhex("42007801000000180000"), "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "JWE": b"eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9..aXY.Y2lwaGVy.dGFn",
    "NaN": (GET % node("MaximumItems", "Integer", "NaN")).encode(),
    "Infinity": (GET % node("MaximumItems", "Integer", "-Infinity")).encode(),
    "1e999": (GET % node("MaximumItems", "Integer", "1e999")).encode(),
    "leading zero": (GET % node("MaximumItems", "Integer", "01")).encode(),
    "5000 digits": (GET % node("MaximumItems", "Integer", "1" * 5000)).encode(),
    "lone surrogate": (GET % node("UniqueIdentifier", "TextString", r'"\ud800"')).encode(),
    "3000 arrays": b"[" * 3000, "100000 arrays": b"[" * 100_000 + b"]" * 100_000,
    "100000 objects": b'{"a":' * 100_000, "200000 items": b'[' + b"{}," * 200_000 + b"{}]",
}  # fmt: skip

NOT_TTLV = {
    "null": "null", "true": "true", "number": "1", "string": '"Get"', "array": "[]",
    "array of an operation": f"[{GET % UID}]", "empty object": "{}", "tag alone": '{"tag":"Get"}',
    "no tag": '{"type":"Structure","value":[]}', "no value": '{"tag":"Get","type":"Structure"}',
    "tag of a number": '{"tag":1,"type":"Structure","value":[]}',
    "tag of null": '{"tag":null,"type":"Structure","value":[]}',
    "tag of an array": '{"tag":["Get"],"type":"Structure","value":[]}',
    "unknown operation": node("Steal", "Structure", "[]"),
    "lower case": node("get", "Structure", "[]"),
    "a response": node("GetResponse", "Structure", "[]"),
    "a field": node("Data", "ByteString", '"00"'), "operation as text": node("Get", "TextString", '"x"'),
    "null type": '{"tag":"Get","type":null,"value":[]}', "number type": '{"tag":"Get","type":1,"value":[]}',
    "unknown type": node("Get", "Struct", "[]"), "value of null": node("Get", "Structure", "null"),
    "value of an object": node("Get", "Structure", "{}"), "value of text": node("Get", "Structure", '"[]"'),
    "fourth member": '{"tag":"Get","type":"Structure","value":[],"name":"x"}',
    "duplicate tag": '{"tag":"Get","tag":"Destroy","type":"Structure","value":[]}',
    "duplicate value": f'{{"tag":"Get","type":"Structure","value":[],"value":[{UID}]}}',
    "duplicate inside": GET % '{"tag":"UniqueIdentifier","type":"TextString","value":"x","value":"y"}',
    "item of null": GET % "null", "item of a number": GET % "1", "item of an array": GET % "[]",
    "empty item": GET % "{}", "prototype": '{"__proto__":{},"tag":"Get","type":"Structure","value":[]}',
    "deep but finite": deep(40), "deeper than Python": deep(2000),
}  # fmt: skip

WRONG_FIELDS = {
    "unknown tag": GET % node("UniqueId", "TextString", '"x"'),
    "tag of Python": GET % node("__class__", "TextString", '"x"'),
    "unknown hexadecimal tag": GET % node("0x42FFFF", "TextString", '"x"'),
    "long unknown tag": GET % node("x" * 100_000, "TextString", '"x"'),
    "tag with line breaks": GET % node(r"x\r\nSet-Cookie: a=b\n", "TextString", '"x"'),
    "tag of HTML": GET % node("<script>", "TextString", '"x"'),
    "identifier twice": GET % f"{UID},{UID}",
    "identifier of a number": GET % node("UniqueIdentifier", "TextString", "1"),
    "identifier of null": GET % node("UniqueIdentifier", "TextString", "null"),
    "identifier of an array": GET % node("UniqueIdentifier", "TextString", '["x"]'),
    "identifier of bytes": GET % node("UniqueIdentifier", "ByteString", '"00"'),
    "identifier of type integer": GET % node("UniqueIdentifier", "Integer", "1"),
    "null character": GET % node("UniqueIdentifier", "TextString", r'"a\u0000b"'),
    "array of two identifiers": GET % node("UniqueIdentifier", "Structure", f"[{UID},{UID}]"),
    "mixed array": GET % node("UniqueIdentifier", "Structure", f"[{UID},{DATA}]"),
    "request in itself": GET % (GET % UID),
    "odd hexadecimal": encrypting('"abc"'),
    "hexadecimal with 0x": encrypting('"0xab"'),
    "hexadecimal with spaces": encrypting('"ab cd"'),
    "base64": encrypting('"YWJj+/=="'),
    "full-width digits": encrypting('"１２"'),
    "bytes of a number": encrypting('12'),
    "bytes of a list": encrypting('[1,2]'),
    "bytes as text": encrypting('"ab"', "TextString"),
    **{
        f"length {value[:12]}": in_create(node("CryptographicLength", "Integer", value))
        for value in ("256.0", "2.56e2", "true", "null", '"256"', '"0x100"', '"0x00000100ff"', "[]",
                      "{}", "2147483648", "-2147483649", "9" * 400, '"two hundred"', '"٢٥٦"')
    },
    **{
        f"algorithm {value[:12]}": in_create(node("CryptographicAlgorithm", "Enumeration", value))
        for value in ("null", "true", "3.0", "-1", "4294967296", '""', '"A E S!x"', '"0x"', '"0xZZ"',
                      "[]", '"' + "x" * 10_000 + '"', '"0x0000000000000003"', r'"AES\n"  ,"x":1')
    },
    **{
        f"boolean {value}": in_create(node("Sensitive", "Boolean", value))
        for value in ("0", "1", '"true"', "null", '"0x1"', "[]")
    },
    **{
        f"date {value}": revoking(node("CompromiseOccurrenceDate", "DateTime", value))
        for value in ("0", '"now"', '"2026-01-01"', '"2026-13-01T00:00:00Z"', '"2026-01-01T00:00:00"',
                      '"0x0"', '"9999-12-31T23:59:59-23:59x"', "null")
    },
    "mask of an unknown name": in_create(node("CryptographicUsageMask", "Integer", '"Encrypt|Fly"')),
}  # fmt: skip

BODIES = {
    **NOT_JSON,
    **{key: body.encode() for key, body in NOT_TTLV.items()},
    **{key: body.encode() for key, body in WRONG_FIELDS.items()},
}


@each_row("body", BODIES.values(), ids=BODIES)
def test_hostile_body_is_refused_in_one_line(alice, body):
    answer = alice.send(body)  # the harness checks that the line is one
    assert answer.status == 422
    assert not re.search("Traceback|Error|/work|kms_tornado", answer.text)
    assert alice.locate()[0] >= 0, "and the server lives"


@each_row("key", [*NOT_JSON, *NOT_TTLV])
def test_what_is_no_message_is_an_invalid_message(alice, key):
    assert alice.send(BODIES[key]).text.startswith(
        ("Invalid_Message: ", "Invalid_Field: Attributes")
    )


def test_refusal_of_a_long_number_speaks_of_no_internals(alice):
    assert "sys." not in alice.send(NOT_JSON["5000 digits"]).text


def test_there_are_a_hundred_of_them():
    assert len(BODIES) >= 100


def test_both_paths_refuse_in_the_same_words(kms):
    one, other = (kms.user("alice", path=path) for path in PATHS)
    for body in [*BODIES.values()][::7]:
        assert one.send(body).body == other.send(body).body


def test_secrets_of_a_refused_request_are_not_in_the_answer(user):
    secret = "c0ffee" * 10
    items = import_items("k", bytes.fromhex(secret))
    for body in (
        structure("Import", *items),
        structure("Encrypt", uid("k"), text("Data", secret)),
        structure("Encrypt", uid("k"), {**octets("Data", b""), "value": secret + "x"}),
    ):
        assert secret not in user.send(body).text.lower()
