"""Beyond each limit there is a clear answer; at it, there is none of that."""

from __future__ import annotations

import json

import pytest

from kms_tornado.crypto.keys.certificates import MAX_CERTIFICATE_BYTES
from kms_tornado.domain.search import MAX_SOUGHT_VALUES
from kms_tornado.errors import ServerLimitExceeded
from kms_tornado.kmip.codecs.long_json import MAX_REST_BYTES, MAX_TEXT_BYTES
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.requests import MAX_BATCH_ITEMS
from kms_tornado.kmip.ttlv import MAX_DEPTH, MAX_ITEMS
from kms_tornado.operations.common.identifiers import (
    MAX_IDENTIFIER_BYTES,
    MAX_IDENTIFIER_LENGTH,
    MAX_TAG_BYTES,
    MAX_TAG_LIST_LENGTH,
)
from kms_tornado.operations.common.new_object import MAX_OBJECT_BYTES
from kms_tornado.operations.common.object_attributes import (
    MAX_ATTRIBUTES_LENGTH,
    MAX_REVOCATION_MESSAGE_LENGTH,
)
from kms_tornado.operations.common.streams import MAX_HELD_BYTES_OF_A_PRINCIPAL, Stream, Streams
from kms_tornado.operations.locate import MAX_LOCATED
from kms_tornado.options import parse
from kms_tornado.service.load.limits import MAX_DATA_BYTES
from kms_tornado.service.objects.access_rights import MAX_BODY_LENGTH

from ...kmip_items import (
    attributes,
    batch_item,
    import_items,
    message,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from ...support_table import LIMITS

MORE_ELSEWHERE = {
    "answer to a message": "tests/service/test_batch.py",
    "identifiers in one answer to Locate": "tests/store",
    "objects of one owner": "tests/store/sql/tables/test_owners.py",
    "bytes of one owner's objects": "the same",
    "objects in a listing": "tests/store/sql/tables/test_grants.py",
    "users with rights on one object": "tests/store/sql/tables/test_grants.py",
    "objects of one owner that are granted to `*`": "the same",
    "streams of one user": "tests/operations/common/test_streams.py",
    "data decrypted in parts": "below",
    "RSA key": "tests/crypto",
    "derived key": "tests/crypto",
    "iterations of PBKDF2": "tests/crypto",
    "random data": "tests/crypto",
    "wrapped object": "tests/operations/test_off_the_loop.py",
    "key that AES-KW or AES-KWP wraps": "tests/crypto/encryption/test_key_wrapping.py",
    "bytes of bodies and answers in flight": "tests/service/load/test_bytes_in_flight.py",
    "bytes of bodies and answers of one user in flight": "the same",
    "connections of a process": "tests/web/process/test_accepting.py",
    "connections of one address, not of loopback and trusted proxies": "the same",
    "time for an answer to be read on": "tests/web/process/test_http_front.py",
    "time for a handshake of TLS": "the same",
    "head of a request": "tests/web/handlers/test_service_handler.py",
    "lines of a head": "tests/web/process/test_http_front.py",
    "unfinished heads of all connections": "the same",
    "time for the head of a request": "the same",
    "time for the body of a request": "the same",
    "time between two requests": "the same",
    "time between two messages of KMIP over TLS": "tests/kmip_server/test_hostile_clients.py",
    "connections of KMIP over TLS of one user": "tests/kmip_server/test_listener.py",
    "records of one answer of `/audit`": "tests/web/test_audit_reading.py",
    "steps of one answer of `/audit/statistics`": "tests/service/auditing/test_record_counts.py",
    "objects of one answer of `/objects`": "tests/service/objects/test_listing_request.py",
    "text that `/objects` searches for": "the same",
    "DPoP proof": "tests/auth/bound/test_dpop.py",
    "time for which a DPoP proof is good": "the same",
    "time for which a DPoP nonce is good": "tests/auth/bound/test_proof_nonces.py",
    "used DPoP proofs that a database remembers": "tests/service/test_proof_memory.py",
    "used DPoP proofs of one user": "the same",
    "requests of one user at once": "tests/web/test_admission.py",
}


def body(alice, length):
    held = json.dumps(structure("Locate")).encode()
    return alice.send(held + b" " * (length - len(held)))


def foreign_text(alice, length):
    held = json.dumps(structure("Locate", structure("Attributes", text("ObjectGroup", "TEXT"))))
    foreign = "é" * (length // 2) + "x" * (length % 2)
    return alice.send(held.replace("TEXT", foreign).encode())


def access_body(alice, length):
    found = alice.change_access("grant", b"{}".ljust(length))
    assert found.status == 422
    return found


def nested(alice, depth):
    node = structure("Attributes")
    for _ in range(depth - 2):
        node = structure("Attributes", node)
    return alice.send(structure("Locate", node))


def many_items(alice, number):
    empty = b'{"tag":"Name","value":[]}'
    held = b",".join([empty] * (number - 2))
    inner = b'{"tag":"Attributes","value":[' + held + b"]}"
    return alice.send(b'{"tag":"Locate","type":"Structure","value":[' + inner + b"]}")


def batch_of(alice, number):
    return alice.send(message(*[batch_item("DiscoverVersions")] * number))


def data(alice, length):
    return alice.send(structure("Encrypt", uid("absent"), octets("Data", bytes(length))))


def identifier(alice, length):
    return alice.send(structure("Import", *import_items("i" * length, bytes(16))))


def wide_identifier(alice, length):
    return alice.send(
        structure("Import", *import_items("😀" * (length // 4) + "i" * (length % 4), bytes(16)))
    )


def wide_tag(alice, length):
    tagged_so = attributes(tagged("😀" * (length // 4) + "t" * (length % 4)), bits=256)
    return alice.send(structure("Create", name("ObjectType", "SymmetricKey"), tagged_so))


def tag_list(alice, length):
    return alice.send(structure("Get", uid(json.dumps(["t" * (length - 4)]))))


def object_with_attributes(alice, length):
    comment = text("Comment", "t" * (length - 2000 * (length == MAX_ATTRIBUTES_LENGTH)))
    held = attributes(comment, bits=256)
    return alice.send(structure("Create", *import_items("", b"")[1:2], held))


def search(alice, number):
    """By so many values: two in each Name, one in the rest."""
    names = [
        structure("Name", text("NameValue", f"n{each}"), name("NameType", 1))
        for each in range(number // 2)
    ]
    rest = [text("ObjectGroup", "g")] * (number % 2)
    return alice.send(structure("Locate", structure("Attributes", *names, *rest)))


def opaque_object(alice, length):
    held = [number("OpaqueDataType", 0x80000001), octets("OpaqueDataValue", bytes(length))]
    held[0]["type"] = "Enumeration"
    return alice.send(
        structure(
            "Register", name("ObjectType", "OpaqueObject"), structure("Attributes"),
            structure("Object", *held),
        )
    )  # fmt: skip


def reason(alice, length):
    return alice.send(
        structure("Revoke", uid(alice.create()), text("RevocationReason", "x" * length))
    )


def certificate(alice, length):
    held = [name("CertificateType", "X509"), octets("CertificateValue", bytes(length))]
    return alice.send(
        structure(
            "Register", name("ObjectType", "Certificate"), structure("Attributes"),
            structure("Object", *held),
        )
    )  # fmt: skip


#: Name in LIMITS → (what is asked, the most, words of the answer to one more).
CASES = {
    "body of a request": (body, 16 * 1024 * 1024, "content_too_large"),
    "body of `/access/grant`, `/access/revoke`": (access_body, MAX_BODY_LENGTH, "is larger than"),
    "JSON beside strings of over 4 KiB": (body, MAX_REST_BYTES, "beside its long values"),
    "text in JSON with escapes or beyond ASCII": (
        foreign_text, MAX_TEXT_BYTES, "with escapes or characters beyond ASCII",
    ),
    "nesting of a message": (nested, MAX_DEPTH, "Invalid_Message: "),
    "items of TTLV in a message": (many_items, MAX_ITEMS, "Invalid_Message: "),
    "operations in a message": (batch_of, MAX_BATCH_ITEMS, "at most 100 batch items"),
    "data of one operation": (data, MAX_DATA_BYTES, "Invalid_Field: Data has at most"),
    "identifier": (identifier, MAX_IDENTIFIER_LENGTH, "Invalid_Attribute_Value: "),
    "identifier in UTF-8": (
        wide_identifier, MAX_IDENTIFIER_BYTES, "Invalid_Attribute_Value: an identifier has at most",
    ),
    "tag in UTF-8": (wide_tag, MAX_TAG_BYTES, "Invalid_Attribute_Value: a tag has at most"),
    "tag list as identifier": (tag_list, MAX_TAG_LIST_LENGTH, "Invalid_Field: a list of tags"),
    "values in one search by Locate": (search, MAX_SOUGHT_VALUES, "Locate looks for at most"),
    "certificate": (certificate, MAX_CERTIFICATE_BYTES, "a certificate has at most"),
    "reason of a revocation": (
        reason, MAX_REVOCATION_MESSAGE_LENGTH, "Invalid_Field: RevocationMessage has at most",
    ),
    "object": (opaque_object, MAX_OBJECT_BYTES, "Invalid_Field: an object has at most"),
    "attributes of an object": (
        object_with_attributes, MAX_ATTRIBUTES_LENGTH, "Invalid_Field: attributes and tags",
    ),
}  # fmt: skip


def test_every_limit_is_tested():
    assert {each.name for each in LIMITS} == {*CASES, *MORE_ELSEWHERE}


@pytest.mark.parametrize("limit", CASES)
def test_beyond_a_limit_the_answer_names_it_and_at_the_limit_it_does_not(alice, limit):
    ask, most, words = CASES[limit]
    row = next(each for each in LIMITS if each.name == limit)
    assert row.most == most
    beyond = ask(alice, most + 1)
    assert words in beyond.text
    assert beyond.status == (413 if row.answer == "413" else beyond.status)
    assert beyond.status in {200, 413, 422}
    if beyond.status == 422:
        assert beyond.text.startswith(row.answer)
    assert words not in ask(alice, most).text


def test_the_body_s_limit_is_the_option_s_default():
    assert parse(["--dev"], {}).settings.max_body_size == LIMITS[0].most


def test_locate_gives_pages_of_its_limit():
    row = next(each for each in LIMITS if each.name.startswith("identifiers"))
    assert row.most == MAX_LOCATED


def test_stream_holds_back_no_more_than_its_limit():
    def held(octets):
        return Stream("alice", Operation.DECRYPT, None, 0, computation=None, held_bytes=octets)

    streams = Streams()
    assert streams.keep(held(MAX_HELD_BYTES_OF_A_PRINCIPAL), now=0)
    with pytest.raises(ServerLimitExceeded):
        streams.keep(held(MAX_HELD_BYTES_OF_A_PRINCIPAL + 1), now=0)
