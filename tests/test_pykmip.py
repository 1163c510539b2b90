"""PyKMIP 0.11, the client of KMIP 2.0 in the field, against a real server, in binary.

It reads an answer tag by tag and gives up at the first that it does not know. The server has no socket for
it yet, so its messages go through HTTP; nothing else of it is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.tables import ENUMERATIONS, TAG_NUMBERS
from kms_tornado.kmip.ttlv import ItemType, Node, children_of

from .kmip_items import (
    ACTIVATED,
    Item,
    attributes,
    batch_item,
    message,
    name,
    number,
    octets,
    structure,
    text,
    uid,
    version,
)
from .kms import KMS, two_issuers

enums = pytest.importorskip("kmip.core.enums")
from kmip.pie.client import ProxyKmipClient  # noqa: E402 - only where it is installed
from kmip.pie.exceptions import KmipOperationFailure  # noqa: E402

from .pykmip_over_http import OverHTTP  # noqa: E402


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    options = ("--crypto-policy", "permissive")
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=options) as server,
    ):
        yield server


@pytest.fixture
def client(kms: KMS) -> Any:
    client = ProxyKmipClient(kmip_version=enums.KMIPVersion.KMIP_2_0)
    client.proxy.protocol = OverHTTP(kms.user())
    client._is_open = True
    return client


# --- nothing in an answer that 2.0 lacks ----------------------------------------------------------

#: Our names of enumerations where PyKMIP has others.
_PEERS = {"Tag": "Tags", "ItemType": "Types"}


def is_known(node: Node) -> bool:
    """Whether PyKMIP has the tag, and the value if it is one of an enumeration."""
    if TAG_NUMBERS[node.tag] not in {tag.value for tag in enums.Tags}:
        return False
    if node.type is not ItemType.ENUMERATION or node.tag not in ENUMERATIONS:
        return True
    of_ours = ENUMERATIONS[node.tag].name
    peer = getattr(enums, _PEERS.get(of_ours, of_ours))
    return node.value in {member.value for member in peer}


def find_unknown(node: Node) -> list[Node]:
    found = [] if is_known(node) else [node]
    for child in children_of(node):
        found += find_unknown(child)
    return found


def test_key_is_listed_and_read_after_it_was_replaced(client):
    """By another program of its owner: PyKMIP itself asks in a structure that 2.0 has no more."""
    old = client.create(enums.CryptographicAlgorithm.AES, 256, name="listed")
    new = client.proxy.protocol.user.do("ReKey", uid(old)).uid
    assert new != old
    for key in (old, new):
        listed = client.get_attribute_list(key)
        assert "Cryptographic Length" in listed
        assert not [each for each in listed if "Rotate" in each]
        # Not all of them: PyKMIP reads no Link and no Always Sensitive, which 2.0 has.
        _, found = client.get_attributes(key, ["State", "Cryptographic Length"])
        assert len(found) == 2
        assert len(client.get(key).value) == 32
    assert {old, new} <= {*client.locate()}
    answers = client.proxy.protocol.answers
    assert len(answers) == 8
    assert [find_unknown(binary_codec.parse(answer)) for answer in answers] == [[]] * 8


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        pytest.param("get", enums.ResultReason.OBJECT_NOT_FOUND, id="no such object"),
        pytest.param("rekey", enums.ResultReason.INVALID_FIELD, id="a tag that 2.0 has no more"),
    ],
)
def test_failure_is_told_in_the_version_that_the_client_speaks(client, operation, reason):
    """An answer in 2.1 would be a TypeError to PyKMIP, whatever it says."""
    with pytest.raises(KmipOperationFailure) as refused:
        getattr(client, operation)("nothing")
    assert refused.value.reason is reason


MASK = number("CryptographicUsageMask", 0x3FF)
OWN_KEY = b"\7" * 32
GCM = structure("CryptographicParameters", name("BlockCipherMode", "GCM"))
SHA = name("HashingAlgorithm", "SHA_256")
HMAC = structure("CryptographicParameters", SHA)


def symmetric(*more: Item) -> list[Item]:
    return [name("ObjectType", "SymmetricKey"), attributes(MASK, ACTIVATED, *more, bits=256)]


def registered(kind: str, *inner: Item, **more: Any) -> list[Item]:
    return [name("ObjectType", kind), attributes(MASK, **more), structure(kind, *inner)]


def key_block(key: bytes) -> Item:
    return structure(
        "KeyBlock",
        name("KeyFormatType", "Raw"),
        structure("KeyValue", octets("KeyMaterial", key)),
        name("CryptographicAlgorithm", "AES"),
        number("CryptographicLength", 8 * len(key)),
    )


#: A message each. An item that names no object means the one that was made last.
CONVERSATIONS = {
    "a key from its making to its end": [
        batch_item("Create", *symmetric()),
        batch_item("Get"),
        batch_item("GetAttributes"),
        batch_item("GetAttributeList"),
        batch_item("AddAttribute", structure("NewAttribute", text("Comment", "x"))),
        batch_item("SetAttribute", structure("NewAttribute", text("Description", "x"))),
        batch_item("ModifyAttribute", structure("NewAttribute", text("Comment", "y"))),
        batch_item("DeleteAttribute", name("AttributeReference", "Comment")),
        batch_item("Check", MASK),
        batch_item("ObtainLease"),
        batch_item("Archive"),
        batch_item("GetAttributes"),
        batch_item("Recover"),
        batch_item("Encrypt", GCM, octets("Data", b"x")),
        batch_item("Export"),
        batch_item("ReKey"),
        batch_item("GetAttributes"),
        batch_item("GetAttributeList"),
        batch_item("Export"),
        batch_item(
            "Revoke", structure("RevocationReason", name("RevocationReasonCode", "Superseded"))
        ),
        batch_item("Destroy"),
        batch_item("GetAttributes"),
    ],
    "a pair": [
        batch_item(
            "CreateKeyPair",
            structure(
                "CommonAttributes",
                name("CryptographicAlgorithm", "EC"),
                structure("CryptographicDomainParameters", name("RecommendedCurve", "P_256")),
            ),
            structure("PrivateKeyAttributes", number("CryptographicUsageMask", 1), ACTIVATED),
            structure("PublicKeyAttributes", number("CryptographicUsageMask", 2), ACTIVATED),
        ),
        batch_item("Sign", structure("CryptographicParameters", SHA), octets("Data", b"x")),
        batch_item("ReKeyKeyPair"),
        batch_item("Get"),
        batch_item("GetAttributes"),
        batch_item("GetAttributeList"),
    ],
    "the rest": [
        batch_item("Register", *registered("SymmetricKey", key_block(OWN_KEY))),
        batch_item("Activate"),
        batch_item("MAC", HMAC, octets("Data", b"x")),
        batch_item("Hash", HMAC, octets("Data", b"x")),
        batch_item("RNGRetrieve", number("DataLength", 8)),
        batch_item("RNGSeed", octets("Data", b"x")),
        batch_item("Query", *(name("QueryFunction", function) for function in range(1, 15))),
        batch_item("DiscoverVersions"),
        batch_item("Locate"),
        batch_item("Ping"),
        batch_item("Get", uid("nothing")),
    ],
}


@pytest.mark.parametrize("items", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_no_answer_has_anything_that_a_client_of_2_0_does_not_know(kms, items):
    """In binary and in JSON; a refusal's Operation is what the client itself has said."""
    body = json.dumps(message(*items, header=[version(2, 0)])).encode()
    user = kms.user()
    answers = [
        binary_codec.parse(user.send_binary(binary_codec.format(json_codec.parse(body)[0]))),
        json_codec.parse(user.send(body).body)[0],
    ]
    for answer in answers:
        _, *answered = children_of(answer)
        assert len(answered) == len(items)
        for item in answered:
            unknown = [node for node in find_unknown(item) if node not in children_of(item)]
            assert unknown == []
