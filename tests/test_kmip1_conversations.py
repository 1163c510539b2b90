"""What published clients of KMIP 1 say to a server, message by message, and what they need to hear.

The messages were put together from what is known of these clients (protocol captures, their source, vendors'
documentation); none of the clients runs here, and Ceph's gateway in kmip_server/test_ceph_rgw.py. The transport is POST /kmip.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import LinkType, ObjectType, Operation, ResultReason, State
from kms_tornado.kmip.gates import GATES
from kms_tornado.kmip.kmip1.names import NAMES
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, children_of, structure
from kms_tornado.kmip.versions import ProtocolVersion

from .keys import rsa_key
from .kmip1_messages import (
    OPAQUE,
    RAW,
    V10,
    V11,
    V12,
    V13,
    V14,
    Exchange,
    aes,
    ask,
    ask_one,
    attribute,
    choice,
    flag,
    item,
    message,
    name,
    number,
    octets,
    protocol_version,
    read_answer,
    symmetric_key,
    template,
    text,
    uid,
)
from .kms import KMS, two_issuers

OBJECT = {kind: choice("ObjectType", kind) for kind in ObjectType}
SYMMETRIC, SECRET = OBJECT[ObjectType.SYMMETRIC_KEY], OBJECT[ObjectType.SECRET_DATA]
REASON = structure("RevocationReason", choice("RevocationReasonCode", 1))


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    options = ("--crypto-policy", "permissive")  # CBC
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=options) as server,
    ):
        yield server


@pytest.fixture
def exchange(kms) -> Exchange:
    """The transport, for a user without objects."""
    return kms.user().send_binary


def secret_data(kind: int, secret: bytes, key_format: Node) -> Node:
    material = structure("KeyValue", octets("KeyMaterial", secret))
    block = structure("KeyBlock", key_format, material)
    return structure("SecretData", choice("SecretDataType", kind), block)


def names_of(node: Node) -> set[str]:
    """The tags of the node and of all that is in it."""
    return {node.tag, *(tag for child in children_of(node) for tag in names_of(child))}


# --- the clients --------------------------------------------------------------------------------


def test_vcenter(exchange):
    for _ in range(2):
        found = ask_one(exchange, V11, Operation.DISCOVER_VERSIONS)
        assert len(found.all("ProtocolVersion")) == 7
    query = ask_one(exchange, V11, Operation.QUERY, choice("QueryFunction", 3))
    assert "ServerInformation" in query
    key = ask_one(exchange, V11, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    product_version = text("AttributeName", "x-Product_Version")
    absent = ask_one(exchange, V11, Operation.GET_ATTRIBUTES, uid(key), product_version)
    assert [field.tag for field in absent.payload] == ["UniqueIdentifier"]
    values = {
        "x-Product_Version": "8.0.2 build-1",
        "x-Vendor": "VMware, Inc.",
        "x-Product": "VMware",
    }
    added = ask(
        exchange,
        V11,
        *(
            item(
                Operation.ADD_ATTRIBUTE,
                uid(key),
                attribute(title, value),
                item_id=b"QLKC%04d" % position,
            )
            for position, (title, value) in enumerate(values.items())
        ),
    )
    assert [result["UniqueBatchItemID"] for result in added] == [
        b"QLKC0000",
        b"QLKC0001",
        b"QLKC0002",
    ]
    assert [result.attributes for result in added] == [{key: values[key]} for key in values]
    state = ask_one(
        exchange, V11, Operation.GET_ATTRIBUTES, uid(key), text("AttributeName", "State")
    )
    assert state.attributes == {"State": State.PRE_ACTIVE}
    assert ask_one(exchange, V11, Operation.ACTIVATE, uid(key)).uid == key
    found = ask_one(exchange, V11, Operation.GET_ATTRIBUTES, uid(key), product_version)
    assert found.attributes == {"x-Product_Version": "8.0.2 build-1"}
    located = ask_one(exchange, V11, Operation.LOCATE, attribute("x-Product", "VMware"))
    assert located.all("UniqueIdentifier") == [key]
    assert [field.tag for field in ask_one(exchange, V11, Operation.GET, uid(key)).payload] == [
        "ObjectType",
        "UniqueIdentifier",
        "SymmetricKey",
    ]


def test_synology(exchange):
    query = ask_one(
        exchange, V12, Operation.QUERY, *(choice("QueryFunction", n) for n in range(1, 7))
    )
    assert Operation.MODIFY_ATTRIBUTE in query.all("Operation")
    first, second = "ab" * 64, "cd" * 64
    assert ask_one(exchange, V12, Operation.LOCATE, name(first)).all("UniqueIdentifier") == []
    key = ask_one(
        exchange,
        V12,
        Operation.REGISTER,
        SECRET,
        template(
            attribute("Cryptographic Usage Mask", 2),
            name(first),
            attribute("Operation Policy Name", "default"),
        ),
        secret_data(1, b"a secret of DSM", OPAQUE),
    ).uid
    changed = ask_one(exchange, V12, Operation.MODIFY_ATTRIBUTE, uid(key), name(second, index=0))
    assert changed.payload == (uid(key), name(second))
    assert ask_one(exchange, V12, Operation.LOCATE, name(second)).all("UniqueIdentifier") == [key]
    ask_one(exchange, V12, Operation.ACTIVATE, uid(key))
    found = ask_one(exchange, V12, Operation.GET_ATTRIBUTES, uid(key))
    assert found.attributes["Operation Policy Name"] == "default"
    assert found.attributes["State"] == State.ACTIVE
    given = ask_one(exchange, V12, Operation.GET, uid(key))
    assert given.payload[-1] == secret_data(1, b"a secret of DSM", OPAQUE)
    ask_one(exchange, V12, Operation.REVOKE, uid(key), REASON)
    ask_one(exchange, V12, Operation.DESTROY, uid(key))


def test_percona_server_for_mongodb(exchange):
    key = ask_one(
        exchange, V10, Operation.REGISTER, SYMMETRIC, template(*aes(256)), symmetric_key(b"k" * 32)
    ).uid
    assert ask_one(exchange, V10, Operation.ACTIVATE, uid(key)).uid == key
    state = ask_one(
        exchange, V10, Operation.GET_ATTRIBUTES, uid(key), text("AttributeName", "State")
    )
    assert (state.uid, state.attributes) == (key, {"State": State.ACTIVE})
    given = ask_one(exchange, V10, Operation.GET, uid(key))
    assert given.payload == (SYMMETRIC, uid(key), symmetric_key(b"k" * 32))
    all_of_it = ask_one(exchange, V10, Operation.GET_ATTRIBUTES, uid(key)).attributes
    gate = GATES[V10]
    assert gate is not None
    assert not {*all_of_it} & {NAMES[tag] for tag in gate.absent.attributes & NAMES.keys()}
    assert {*all_of_it} <= {*NAMES.values()}
    (missing,) = ask(exchange, V10, item(Operation.GET, uid("nothing")))
    assert missing.reason is ResultReason.ITEM_NOT_FOUND


def test_ceph_rgw(exchange):
    """rgw_kmip_client_impl.cc: one item a message, on a connection that it keeps, in 1.0."""
    header = [
        number("MaximumResponseSize", 8192), Node("TimeStamp", ItemType.DATE_TIME, 1795988925),
    ]  # fmt: skip

    def ask_gateway(operation, *payload):
        (result,) = ask(exchange, V10, item(operation, *payload), header=header)
        assert result.reason is None, result["ResultMessage"]
        return result

    key = ask_gateway(Operation.CREATE, SYMMETRIC, template(*aes(256, name("bucket-key")))).uid
    located = ask_gateway(Operation.LOCATE, name("bucket-key"))
    # KMIP 1.0 has no LocatedItems, and the decoder of the gateway stops at what it does not know.
    assert located.payload == (uid(key),)
    given = ask_gateway(Operation.GET, uid(key))
    assert [field.tag for field in given.payload] == [
        "ObjectType",
        "UniqueIdentifier",
        "SymmetricKey",
    ]
    (block,) = children_of(given.payload[2])
    assert [field.tag for field in children_of(block)] == [
        "KeyFormatType", "KeyValue", "CryptographicAlgorithm", "CryptographicLength",
    ]  # fmt: skip
    (material,) = children_of(children_of(block)[1])
    assert len(material.value) == 32
    assert ask_gateway(Operation.LOCATE, name("nothing")).payload == ()


def test_keyring_of_mysql_and_pg_tde(exchange):
    group = attribute("Object Group", "keyring")
    size = [number("MaximumResponseSize", 8192)]
    keys = {
        ask_one(
            exchange,
            V14,
            Operation.REGISTER,
            SYMMETRIC,
            template(*aes(128), name(f"key-{n}"), group),
            symmetric_key(bytes([n]) * 16),
        ).uid
        for n in range(20)
    }
    pages = []
    for offset in (0, 16, 32):
        (page,) = ask(
            exchange,
            V10,
            item(
                Operation.LOCATE,
                number("MaximumItems", 16),
                number("OffsetItems", offset),
                attribute("Object Type", choice("", ObjectType.SYMMETRIC_KEY)),
                group,
            ),
            header=size,
        )
        assert "LocatedItems" not in page
        pages.append(page.all("UniqueIdentifier"))
    assert [len(page) for page in pages] == [16, 4, 0]
    assert {*pages[0], *pages[1]} == keys
    # The Name is asked for in 1.4, on the same connection.
    (asked,) = ask(
        exchange,
        V14,
        item(Operation.GET_ATTRIBUTES, uid(str(pages[1][0])), text("AttributeName", "Name")),
        header=size,
    )
    (fields,) = asked.attributes.values()
    assert str(fields[0].value).startswith("key-")
    located = ask_one(exchange, V14, Operation.LOCATE, number("MaximumItems", 16), name("key-7"))
    assert located["LocatedItems"] == 1


def test_libmongocrypt_keeps_a_seed_without_a_usage(exchange):
    secret = bytes(range(96))
    key = ask_one(
        exchange,
        V10,
        Operation.REGISTER,
        SECRET,
        template(attribute("Cryptographic Usage Mask", 0)),
        secret_data(2, secret, OPAQUE),
    ).uid
    ask_one(exchange, V10, Operation.ACTIVATE, uid(key))
    given = ask_one(exchange, V10, Operation.GET, uid(key))
    assert given.payload[-1] == secret_data(2, secret, OPAQUE)


CBC = structure(
    "CryptographicParameters",
    choice("BlockCipherMode", 1),
    choice("PaddingMethod", 3),
    choice("CryptographicAlgorithm", 3),
    flag("RandomIV", True),
)


def test_libmongocrypt_delegates_encryption(exchange):
    key = ask_one(exchange, V12, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    ask_one(exchange, V12, Operation.ACTIVATE, uid(key))
    sealed = ask_one(exchange, V12, Operation.ENCRYPT, uid(key), CBC, octets("Data", b"m" * 96))
    assert [field.tag for field in sealed.payload] == ["UniqueIdentifier", "Data", "IVCounterNonce"]
    opened = ask_one(exchange, V12, Operation.DECRYPT, uid(key), CBC, *sealed.payload[1:])
    assert opened["Data"] == b"m" * 96


def test_storage_array_in_one_message_by_the_placeholder(exchange):
    identity = [
        attribute("x-ResourceID", "array-1"),
        attribute("x-SystemID", octets("", b"\x01\x02")),
        attribute("x-Slot", 7),
    ]
    opaque = structure(
        "OpaqueObject", choice("OpaqueDataType", 0x80000001), octets("OpaqueDataValue", b"blob")
    )
    stored = ask_one(
        exchange,
        V10,
        Operation.REGISTER,
        OBJECT[ObjectType.OPAQUE_OBJECT],
        template(*identity),
        opaque,
    ).uid
    results = ask(
        exchange,
        V10,
        item(Operation.QUERY, choice("QueryFunction", 1), item_id=b"1"),
        item(Operation.LOCATE, *identity, item_id=b"2"),
        item(Operation.GET, item_id=b"3"),
        item(Operation.GET_ATTRIBUTES, text("AttributeName", "x-SystemID"), item_id=b"4"),
    )
    assert [result.reason for result in results] == [None] * 4
    assert [result["UniqueBatchItemID"] for result in results] == [b"1", b"2", b"3", b"4"]
    _, located, given, described = results
    assert located.all("UniqueIdentifier") == [stored]
    assert given.payload[-1] == opaque
    assert described.payload == (uid(stored), identity[1])


def test_veeam_reads_pairs_without_attributes(exchange):
    rsa = [
        attribute("Cryptographic Algorithm", choice("", 4)),
        attribute("Cryptographic Length", 2048),
    ]
    pair = ask_one(
        exchange,
        V14,
        Operation.CREATE_KEY_PAIR,
        structure("CommonTemplateAttribute", *rsa),
        structure("PrivateKeyTemplateAttribute", attribute("Cryptographic Usage Mask", 1)),
        structure("PublicKeyTemplateAttribute", attribute("Cryptographic Usage Mask", 2)),
    )
    assert [field.tag for field in pair.payload] == [
        "PrivateKeyUniqueIdentifier",
        "PublicKeyUniqueIdentifier",
    ]
    for field in pair.payload:
        key = str(field.value)
        ask_one(exchange, V14, Operation.ACTIVATE, uid(key))
        given = ask_one(exchange, V14, Operation.GET, uid(key))
        assert not {"Attribute", "Attributes"} & names_of(given.node)


def test_ceph_csi(exchange):
    listed = ask_one(exchange, V14, Operation.DISCOVER_VERSIONS, protocol_version(V14))
    assert listed.payload == (protocol_version(V14),)
    key = ask_one(exchange, V14, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    ask_one(exchange, V14, Operation.ACTIVATE, uid(key))
    mode = structure(
        "CryptographicParameters", choice("BlockCipherMode", 1), choice("PaddingMethod", 3)
    )
    iv, item_id = octets("IVCounterNonce", b"i" * 16), b"0123456789abcdef"
    data = octets("Data", b"a passphrase")
    (sealed,) = ask(
        exchange, V14, item(Operation.ENCRYPT, uid(key), mode, data, iv, item_id=item_id)
    )
    assert (sealed.reason, sealed["UniqueBatchItemID"]) == (None, item_id)
    opened = ask_one(
        exchange, V14, Operation.DECRYPT, uid(key), mode, octets("Data", sealed["Data"]), iv
    )
    assert opened["Data"] == b"a passphrase"


GCM = structure(
    "CryptographicParameters",
    choice("BlockCipherMode", 9),
    choice("CryptographicAlgorithm", 3),
    number("IVLength", 12),
    number("TagLength", 16),
)


@pytest.mark.parametrize("version", [V12, V13, V14], ids=str)
def test_openbao(exchange, version):
    """GCM with a nonce of its own: the tag stands behind the data, but for 1.4."""
    key = ask_one(exchange, version, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    ask_one(exchange, version, Operation.ACTIVATE, uid(key))
    asked = ("Object Type", "Cryptographic Algorithm", "Cryptographic Usage Mask", "Link")
    names = [text("AttributeName", title) for title in asked]
    described = ask_one(exchange, version, Operation.GET_ATTRIBUTES, uid(key), *names)
    assert {*described.attributes} == {*asked[:3]}
    iv = octets("IVCounterNonce", b"n" * 12)
    sealed = ask_one(
        exchange, version, Operation.ENCRYPT, uid(key), GCM, octets("Data", b"d" * 32), iv
    )
    fields = {field.tag: field for field in sealed.payload[1:]}
    if version == V14:
        assert [*fields] == ["Data", "AuthenticatedEncryptionTag"]
    else:
        assert [*fields] == ["Data"]
        assert len(sealed["Data"]) == 32 + 16
    opened = ask_one(exchange, version, Operation.DECRYPT, uid(key), GCM, *fields.values(), iv)
    assert opened["Data"] == b"d" * 32
    data = fields.pop("Data")
    for broken in (data.value[:-1] + bytes([data.value[-1] ^ 1]), data.value[:15], b""):
        forged = [octets("Data", broken), *fields.values(), iv]
        (refused,) = ask(exchange, version, item(Operation.DECRYPT, uid(key), GCM, *forged))
        assert refused.reason in {ResultReason.CRYPTOGRAPHIC_FAILURE, ResultReason.MISSING_DATA}


def test_openbao_finds_the_public_key_of_a_pair(exchange):
    common = (
        attribute("Cryptographic Algorithm", choice("", 4)),
        attribute("Cryptographic Length", 2048),
    )
    pair = ask_one(
        exchange,
        V14,
        Operation.CREATE_KEY_PAIR,
        structure("CommonTemplateAttribute", *common, attribute("Cryptographic Usage Mask", 12)),
    )
    private, public = (str(field.value) for field in pair.payload)
    linked = ask_one(
        exchange, V14, Operation.GET_ATTRIBUTES, uid(private), text("AttributeName", "Link")
    )
    assert linked.payload[1:] == (
        attribute(
            "Link",
            (choice("LinkType", LinkType.PUBLIC_KEY_LINK), text("LinkedObjectIdentifier", public)),
        ),
    )


@pytest.mark.parametrize("last", [48, 45, 40, 16], ids=lambda last: f"last part of {last}")
def test_tag_of_1_3_stands_behind_the_last_part(exchange, last):
    """Encrypt answers it there, however the ciphertext and it are cut."""
    key = ask_one(exchange, V13, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    ask_one(exchange, V13, Operation.ACTIVATE, uid(key))
    gcm = structure("CryptographicParameters", choice("BlockCipherMode", 9))
    data = octets("Data", b"in two parts, both ways!" + bytes(8))
    sealed = ask_one(exchange, V13, Operation.ENCRYPT, uid(key), gcm, data)
    whole = sealed["Data"]
    assert len(whole) == 32 + 16
    parts = whole[:-last], whole[-last:-8], whole[-8:]
    nonce = octets("IVCounterNonce", sealed["IVCounterNonce"])
    extra = (gcm, nonce, flag("InitIndicator", True))
    for part in parts[:-1]:
        begun = ask_one(exchange, V13, Operation.DECRYPT, uid(key), octets("Data", part), *extra)
        extra = (octets("CorrelationValue", begun["CorrelationValue"]),)
    end = flag("FinalIndicator", True)
    opened = ask_one(
        exchange, V13, Operation.DECRYPT, uid(key), octets("Data", parts[-1]), *extra, end
    )
    assert opened["Data"] == data.value


EC_KEY = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
EC_POINT = EC_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
CURVE = choice("RecommendedCurve", 7)


def key_on_curve(tag: str, key_format: int, algorithm: int) -> Node:
    """A transparent key on P-256."""
    material = {
        "PrivateKey": Node("D", ItemType.BIG_INTEGER, 2**200 + 1),
        "PublicKey": octets("QString", EC_POINT),
    }[tag]
    value = structure("KeyValue", structure("KeyMaterial", CURVE, material))
    block = (
        choice("KeyFormatType", key_format),
        value,
        choice("CryptographicAlgorithm", algorithm),
        number("CryptographicLength", 256),
    )
    return structure(tag, structure("KeyBlock", *block))


@pytest.mark.parametrize("version", [V10, V12], ids=str)
@pytest.mark.parametrize(
    ("tag", "algorithm", "old", "new"),
    [
        ("PrivateKey", 6, 0x0E, 0x14),
        ("PublicKey", 6, 0x0F, 0x15),
        ("PrivateKey", 14, 0x10, 0x14),
        ("PublicKey", 14, 0x11, 0x15),
    ],
)
def test_kmip_go_registers_keys_on_curves_in_formats_of_their_algorithm(
    exchange, version, tag, algorithm, old, new
):
    """As its version 0.7 does before KMIP 1.3, which has one format for all algorithms."""
    kind = OBJECT[ObjectType.PRIVATE_KEY if tag == "PrivateKey" else ObjectType.PUBLIC_KEY]
    usage = template(attribute("Cryptographic Usage Mask", 1 if tag == "PrivateKey" else 2))
    sent = key_on_curve(tag, old, algorithm)
    key = ask_one(exchange, version, Operation.REGISTER, kind, usage, sent).uid
    for asked in ((), (choice("KeyFormatType", old),)):
        got = ask_one(exchange, version, Operation.GET, uid(key), *asked)
        assert got.payload[2] == sent
    newer = ask_one(exchange, V13, Operation.GET, uid(key))
    assert newer.payload[2] == key_on_curve(tag, new, algorithm)


@pytest.mark.parametrize("algorithm", ["ECDSA", "ECDH", "ECMQV"])
def test_old_formats_of_keys_on_curves_have_their_names_in_json(kms, algorithm):
    user = kms.user(path="/kmip")
    tag, old = "PublicKey", {"ECDSA": 0x0F, "ECDH": 0x11, "ECMQV": 0x13}[algorithm]
    sent = key_on_curve(tag, old, 14)
    usage = template(attribute("Cryptographic Usage Mask", 2))
    root = binary_codec.parse(
        message(V12, item(Operation.REGISTER, OBJECT[ObjectType.PUBLIC_KEY], usage, sent))
    )
    body = json_codec.format(root, Dialect.OASIS)
    assert f'"value":"Transparent{algorithm}PublicKey"'.encode() in body.replace(b": ", b":")
    (registered,) = user.ask_message(body)
    key = registered["ResponsePayload", "UniqueIdentifier"]
    root = binary_codec.parse(message(V12, item(Operation.GET, uid(key))))
    (got,) = user.ask_message(json_codec.format(root, Dialect.OASIS))
    format_path = "ResponsePayload", tag, "KeyBlock", "KeyFormatType"
    assert got[format_path] == "TransparentECDHPublicKey"


def test_mysql_enterprise_writes_every_index(exchange):
    attributes = [
        structure(each.tag, children_of(each)[0], number("AttributeIndex", 0), children_of(each)[1])
        for each in [*aes(256), attribute("x-Server", "a")]
    ]
    (created,) = ask(
        exchange,
        V11,
        item(Operation.CREATE, SYMMETRIC, template(*attributes)),
        header=[number("MaximumResponseSize", 280000)],
    )
    assert created.reason is None


# --- what all of them rely on -------------------------------------------------------------------


def barcode(value, index=None):
    return attribute("x-Barcode", value, index=index)


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
@pytest.mark.parametrize(("called", "make"), [("Name", name), ("x-Barcode", barcode)])
def test_number_of_a_value_stays_when_others_are_deleted_and_added(exchange, version, called, make):
    """The Attribute Index SHALL NOT change when other instances are added or deleted (KMIP 1.4 §2.1.1)."""
    key = ask_one(
        exchange, version, Operation.CREATE, SYMMETRIC, template(*aes(128), make("a"), make("b"))
    ).uid

    def ask_for(operation, *payload):
        return ask_one(exchange, version, operation, uid(key), *payload).payload[1:]

    def delete(index):
        return text("AttributeName", called), number("AttributeIndex", index)

    def names():
        return ask_for(Operation.GET_ATTRIBUTES, text("AttributeName", called))

    assert ask_for(Operation.ADD_ATTRIBUTE, make("c")) == (make("c", index=2),)
    assert ask_for(Operation.MODIFY_ATTRIBUTE, make("B", index=1)) == (make("B", index=1),)
    assert ask_for(Operation.DELETE_ATTRIBUTE, *delete(0)) == (make("a"),)
    assert names() == (make("B", index=1), make("c", index=2))
    for refused in (
        item(Operation.DELETE_ATTRIBUTE, uid(key), *delete(0)),
        item(Operation.DELETE_ATTRIBUTE, uid(key), text("AttributeName", called)),
        item(Operation.MODIFY_ATTRIBUTE, uid(key), make("d")),
        item(Operation.MODIFY_ATTRIBUTE, uid(key), make("d", index=3)),
    ):
        (result,) = ask(exchange, version, refused)
        assert result.reason is ResultReason.ITEM_NOT_FOUND
    assert ask_for(Operation.MODIFY_ATTRIBUTE, make("C", index=2)) == (make("C", index=2),)
    assert ask_for(Operation.DELETE_ATTRIBUTE, *delete(2)) == (make("C", index=2),)
    assert ask_for(Operation.ADD_ATTRIBUTE, make("d")) == (make("d", index=3),)
    assert names() == (make("B", index=1), make("d", index=3))
    for index in (1, 3):
        ask_for(Operation.DELETE_ATTRIBUTE, *delete(index))
    # Nobody has a number left that could mean another value.
    assert ask_for(Operation.ADD_ATTRIBUTE, make("e")) == (make("e"),)


def test_number_of_a_value_stays_when_a_client_of_kmip_2_deletes_others(kms):
    user = kms.user()
    key = ask_one(
        user.send_binary,
        V12,
        Operation.CREATE,
        SYMMETRIC,
        template(*aes(128), name("a"), name("b"), attribute("Object Group", "g")),
    ).uid
    current = {"tag": "Name", "type": "Structure", "value": [text_item("NameValue", "a")]}
    current["value"].append({"tag": "NameType", "type": "Enumeration", "value": 1})
    deleted = {"tag": "CurrentAttribute", "type": "Structure", "value": [current]}
    user.do("DeleteAttribute", text_item("UniqueIdentifier", key), deleted)
    found = ask_one(user.send_binary, V12, Operation.GET_ATTRIBUTES, uid(key))
    assert {name("b", index=1), attribute("Object Group", "g")} <= {*found.payload}
    exported = ask_one(user.send_binary, V14, Operation.EXPORT, uid(key))
    assert name("b", index=1) in exported.payload


def test_key_that_was_replaced_starts_its_names_anew(exchange):
    key = ask_one(
        exchange, V10, Operation.CREATE, SYMMETRIC, template(*aes(128), name("a"), name("b"))
    ).uid
    ask_one(exchange, V10, Operation.DELETE_ATTRIBUTE, uid(key), text("AttributeName", "Name"))
    new = ask_one(exchange, V10, Operation.RE_KEY, uid(key)).uid
    for each, called in ((key, "c"), (new, "b")):
        if each == key:
            ask_one(exchange, V10, Operation.ADD_ATTRIBUTE, uid(key), name("c"))
        names = ask_one(
            exchange, V10, Operation.GET_ATTRIBUTES, uid(each), text("AttributeName", "Name")
        )
        assert names.payload[1:] == (name(called),)


def test_custom_attribute_is_changed_and_deleted(exchange):
    key = ask_one(exchange, V10, Operation.CREATE, SYMMETRIC, template(*aes(128))).uid
    for operation, value in (
        (Operation.ADD_ATTRIBUTE, attribute("x-Barcode", "1")),
        (Operation.MODIFY_ATTRIBUTE, attribute("x-Barcode", "2")),
    ):
        assert ask_one(exchange, V10, operation, uid(key), value).payload[1] == value
    deleted = ask_one(
        exchange, V10, Operation.DELETE_ATTRIBUTE, uid(key), text("AttributeName", "x-Barcode")
    )
    assert deleted.payload[1] == attribute("x-Barcode", "2")
    (again,) = ask(
        exchange,
        V10,
        item(Operation.DELETE_ATTRIBUTE, uid(key), text("AttributeName", "x-Barcode")),
    )
    assert again.reason is ResultReason.ITEM_NOT_FOUND
    assert again["ResultMessage"] == "the object has no x-Barcode"


def test_attribute_is_changed_and_deleted_by_a_number_that_it_has(exchange):
    contact = attribute("Contact Information", "a")
    key = ask_one(exchange, V10, Operation.CREATE, SYMMETRIC, template(*aes(128), contact)).uid
    state = attribute("State", choice("", State.DESTROYED))
    for reason, operation, *payload in (
        (ResultReason.ITEM_NOT_FOUND, Operation.MODIFY_ATTRIBUTE,
         attribute("Contact Information", "b", 1)),
        (ResultReason.ITEM_NOT_FOUND, Operation.DELETE_ATTRIBUTE,
         text("AttributeName", "Contact Information"), number("AttributeIndex", 1)),
        (ResultReason.INVALID_FIELD, Operation.ADD_ATTRIBUTE, attribute("x-A", "b", 1)),
        (ResultReason.PERMISSION_DENIED, Operation.MODIFY_ATTRIBUTE, state),
        (ResultReason.PERMISSION_DENIED, Operation.DELETE_ATTRIBUTE, text("AttributeName", "State")),
    ):  # fmt: skip
        (refused,) = ask(exchange, V10, item(operation, uid(key), *payload))
        assert refused.reason is reason
    left = ask_one(
        exchange,
        V10,
        Operation.GET_ATTRIBUTES,
        uid(key),
        text("AttributeName", "Contact Information"),
    )
    assert left.payload[1:] == (contact,)


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
def test_reason_is_the_one_that_the_table_of_the_operation_has(exchange, version):
    """KMIP 1.4 §11.2, §11.15, §11.16, §11.17, §11.19 and §11.20."""
    taken = f"taken in {version}"
    ask_one(exchange, version, Operation.CREATE, SYMMETRIC, template(*aes(128), name(taken)))
    key = ask_one(
        exchange,
        version,
        Operation.CREATE,
        SYMMETRIC,
        template(*aes(128), name(f"own {version}")),
    ).uid
    gone, active, reader = (
        ask_one(
            exchange,
            version,
            Operation.CREATE,
            SYMMETRIC,
            template(*aes(128, mask=mask)),
        ).uid
        for mask in (12, 12, 8)
    )
    ask_one(exchange, version, Operation.DESTROY, uid(gone))
    for each in (active, reader):
        ask_one(exchange, version, Operation.ACTIVATE, uid(each))
    count = Node("UsageLimitsCount", ItemType.LONG_INTEGER, 1)
    contact = attribute("Contact Information", "a")
    for reason, operation, *payload in (
        (ResultReason.INVALID_FIELD, Operation.MODIFY_ATTRIBUTE, uid(key), contact),
        (ResultReason.INVALID_FIELD, Operation.MODIFY_ATTRIBUTE, uid(key), attribute("x-A", "b", 2)),
        (ResultReason.ITEM_NOT_FOUND, Operation.MODIFY_ATTRIBUTE, uid(key), name("b", 2)),
        (ResultReason.ITEM_NOT_FOUND, Operation.MODIFY_ATTRIBUTE, uid("nothing"), contact),
        (ResultReason.ILLEGAL_OPERATION, Operation.MODIFY_ATTRIBUTE, uid(key), name(taken)),
        (ResultReason.ILLEGAL_OPERATION, Operation.ADD_ATTRIBUTE, uid(key), name(taken)),
        (ResultReason.INVALID_FIELD, Operation.CREATE, SYMMETRIC, template(*aes(128), name(taken))),
        (ResultReason.ITEM_NOT_FOUND, Operation.DELETE_ATTRIBUTE, uid(key),
         text("AttributeName", "Contact Information")),
        (ResultReason.ILLEGAL_OPERATION, Operation.GET_USAGE_ALLOCATION, uid(active), count),
        (ResultReason.ILLEGAL_OPERATION, Operation.GET_USAGE_ALLOCATION, uid(reader), count),
        (ResultReason.PERMISSION_DENIED, Operation.GET_USAGE_ALLOCATION, uid(key), count),
        (ResultReason.PERMISSION_DENIED, Operation.ACTIVATE, uid(gone)),
        (ResultReason.ITEM_NOT_FOUND, Operation.GET, uid(gone)),
    ):  # fmt: skip
        (refused,) = ask(exchange, version, item(operation, *payload))
        assert refused.reason is reason, (reason, operation)


def test_value_that_is_given_twice_is_refused(exchange):
    for twice in (attribute("x-A", "1"), attribute("Object Group", "g"), name("twice")):
        new = item(Operation.CREATE, SYMMETRIC, template(*aes(128), twice, twice))
        key = uid(f"imported-{children_of(twice)[0].value}")
        imported = item(
            Operation.IMPORT,
            key,
            SYMMETRIC,
            *aes(128),
            twice,
            twice,
            symmetric_key(b"k" * 16),
        )
        for version, asked in ((V10, new), (V14, imported)):
            (refused,) = ask(exchange, version, asked)
            assert refused.reason is ResultReason.INVALID_FIELD
            assert str(refused["ResultMessage"]).endswith("has the same value twice")


def test_custom_attribute_of_several_values_is_found_by_each_of_them(exchange):
    both = attribute("x-Rack", "1"), attribute("x-Rack", "2")
    key = ask_one(exchange, V10, Operation.CREATE, SYMMETRIC, template(*aes(128), *both)).uid
    for value in both:
        assert ask_one(exchange, V10, Operation.LOCATE, value).payload == (uid(key),)
    assert ask_one(exchange, V10, Operation.LOCATE, *both).payload == (uid(key),)
    assert ask_one(exchange, V10, Operation.LOCATE, attribute("x-Rack", "3")).payload == ()
    found = ask_one(
        exchange, V10, Operation.GET_ATTRIBUTES, uid(key), text("AttributeName", "x-Rack")
    )
    assert found.payload[1:] == (both[0], attribute("x-Rack", "2", 1))
    listed = ask_one(exchange, V10, Operation.GET_ATTRIBUTE_LIST, uid(key)).payload
    assert listed.count(text("AttributeName", "x-Rack")) == 1


def test_custom_attribute_is_the_one_of_a_vendor_in_kmip_2(kms):
    user = kms.user()
    key = ask_one(
        user.send_binary,
        V10,
        Operation.CREATE,
        SYMMETRIC,
        template(*aes(128), attribute("x-Barcode", "1")),
    ).uid
    attributes = user.do("GetAttributes", text_item("UniqueIdentifier", key))["Attributes"]
    ((vendor,),) = (each["value"] for each in attributes if each["tag"] == "VendorAttributes")
    assert [each["value"] for each in vendor["value"][:2]] == ["x", "Barcode"]


def text_item(tag, value):
    return {"tag": tag, "type": "TextString", "value": value}


def test_batch_stops_at_the_first_failure(exchange):
    failing, good = (
        item(Operation.GET, uid("nothing")),
        item(Operation.QUERY, choice("QueryFunction", 1)),
    )
    assert len(ask(exchange, V12, failing, good)) == 1
    goes_on = [choice("BatchErrorContinuationOption", 1)]
    assert len(ask(exchange, V12, failing, good, header=goes_on)) == 2


def test_answer_that_is_too_long_for_the_client_is_refused(exchange):
    functions = [choice("QueryFunction", number) for number in range(1, 7)]
    for size, reason in ((256, ResultReason.RESPONSE_TOO_LARGE), (8192, None)):
        (result,) = ask(
            exchange,
            V10,
            item(Operation.QUERY, *functions),
            header=[number("MaximumResponseSize", size)],
        )
        assert result.reason is reason


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ((1, 5), V14),
        ((1, 255), V14),
        ((3, 0), ProtocolVersion(2, 1)),
        ((2, 2), ProtocolVersion(2, 1)),
    ],
)
def test_refused_version_is_answered_in_one_that_the_client_may_read(exchange, asked, answered):
    answer = exchange(message(ProtocolVersion(*asked), item(Operation.QUERY)))
    (refused,) = read_answer(answer, answered)
    assert refused.reason in {
        ResultReason.INVALID_MESSAGE,
        ResultReason.UNSUPPORTED_PROTOCOL_VERSION,
    }
    assert "Operation" not in refused


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
def test_message_that_cannot_be_read_is_answered_in_its_version(exchange, version):
    octets_sent = message(version, item(Operation.QUERY, choice("QueryFunction", 1)))
    for broken in (octets_sent[:-8], octets_sent + b"\0" * 8):
        (refused,) = read_answer(exchange(broken), version)
        assert refused.reason is ResultReason.INVALID_MESSAGE


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
def test_message_of_odd_parts_is_answered_in_its_version(exchange, version):
    asked = protocol_version(version)
    major, minor = children_of(asked)
    query = item(Operation.QUERY, choice("QueryFunction", 1))
    header = structure("RequestHeader", asked, number("BatchCount", 1))
    odd = structure("ProtocolVersion", major, minor, minor)
    for parts in (
        (header, header, query),
        (header, query, structure("Attributes")),
        (structure("RequestHeader", odd, number("BatchCount", 1)), query),
        (structure("RequestHeader", asked, asked, number("BatchCount", 1)), query),
    ):
        sent = binary_codec.format(structure("RequestMessage", *parts))
        (refused,) = read_answer(exchange(sent), version)
        assert refused.reason is ResultReason.INVALID_MESSAGE


def test_message_without_its_minor_version_is_answered_in_the_newest_of_the_major_one(exchange):
    major, _ = children_of(protocol_version(V10))
    header = structure(
        "RequestHeader", structure("ProtocolVersion", major), number("BatchCount", 1)
    )
    sent = binary_codec.format(structure("RequestMessage", header, item(Operation.QUERY)))
    (refused,) = read_answer(exchange(sent), V14)
    assert refused["ResultMessage"] == "ProtocolVersionMinor is missing in ProtocolVersion"


@pytest.mark.parametrize(
    "parts",
    [
        [item(Operation.QUERY)],
        [structure("RequestHeader", number("BatchCount", 1)), item(Operation.QUERY)],
        [
            structure("RequestHeader", text("ProtocolVersion", "1.2")),
            item(Operation.QUERY),
        ],
        [number("RequestHeader", 1), item(Operation.QUERY)],
        [],
    ],
    ids=[
        "no header",
        "no version",
        "a version of another type",
        "no structure",
        "nothing",
    ],
)
def test_message_in_binary_that_tells_no_version_is_answered_in_1_0(exchange, parts):
    """Nearly all clients that use binary TTLV speak KMIP 1, and all of these know 1.0."""
    sent = binary_codec.format(structure("RequestMessage", *parts))
    (refused,) = read_answer(exchange(sent), V10)
    assert refused.reason is ResultReason.INVALID_MESSAGE


def test_data_in_parts_is_of_1_3(exchange):
    """An older version has no Correlation Value in its answer, by which the next part would be sent."""
    key = ask_one(exchange, V12, Operation.CREATE, SYMMETRIC, template(*aes(256))).uid
    ask_one(exchange, V12, Operation.ACTIVATE, uid(key))
    begin = item(Operation.ENCRYPT, uid(key), octets("Data", b"x"), flag("InitIndicator", True))
    (refused,) = ask(exchange, V12, begin)
    assert refused.reason is ResultReason.INVALID_FIELD
    (begun,) = ask(exchange, V13, begin)
    assert begun["CorrelationValue"]


def test_operation_of_a_later_version_is_not_supported(exchange):
    (refused,) = ask(exchange, V11, item(Operation.ENCRYPT, octets("Data", b"x"), item_id=b"z"))
    assert refused.reason is ResultReason.OPERATION_NOT_SUPPORTED
    assert refused["UniqueBatchItemID"] == b"z"
    (query,) = ask(exchange, V11, item(Operation.QUERY, choice("QueryFunction", 1)))
    assert Operation.ENCRYPT not in query.all("Operation")
    assert Operation.DISCOVER_VERSIONS in query.all("Operation")


def test_correlation_values_are_of_1_4(exchange):
    header = [text("ClientCorrelationValue", "a")]
    for version, fields in ((V13, 3), (V14, 4)):
        query = item(Operation.QUERY, choice("QueryFunction", 1))
        answer = binary_codec.parse(exchange(message(version, query, header=header)))
        assert len(children_of(children_of(answer)[0])) == fields


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
def test_second_key_of_a_name_is_an_invalid_field(exchange, version):
    first, second = (
        item(Operation.CREATE, SYMMETRIC, template(*aes(128), name("Symmetric Key"))) for _ in "12"
    )
    results = ask(exchange, version, first, second)
    assert [result.reason for result in results] == [None, ResultReason.INVALID_FIELD]


def test_what_another_user_may_delete_is_told_only_if_they_may_read_it(kms):
    alice, bob = kms.user(), kms.user()
    values = attribute("x-Note", "private")
    key = ask_one(
        alice.send_binary, V10, Operation.CREATE, SYMMETRIC, template(*aes(128), values)
    ).uid
    alice.grant(key, bob, "delete_attribute")
    payload = uid(key), text("AttributeName", "x-Note")
    deleted = ask_one(bob.send_binary, V10, Operation.DELETE_ATTRIBUTE, *payload)
    assert deleted.payload == (uid(key),)
    ask_one(alice.send_binary, V10, Operation.ADD_ATTRIBUTE, uid(key), values)
    alice.grant(key, bob, "get_attributes")
    deleted = ask_one(bob.send_binary, V10, Operation.DELETE_ATTRIBUTE, *payload)
    assert deleted.payload == (uid(key), values)


def specification(wrapping_key: str, *more: Node) -> Node:
    return structure(
        "KeyWrappingSpecification",
        choice("WrappingMethod", 1),
        structure(
            "EncryptionKeyInformation",
            uid(wrapping_key),
            structure("CryptographicParameters", choice("BlockCipherMode", 0x0D)),
        ),
        *more,
    )


@pytest.mark.parametrize("version", [V10, V14], ids=str)
def test_attributes_are_wrapped_with_a_key_and_come_back(exchange, version):
    """1.0 has no EncodingOption: TTLV is what is wrapped."""
    wrapping_key = ask_one(
        exchange,
        version,
        Operation.REGISTER,
        SYMMETRIC,
        template(*aes(128, mask=0x30)),
        symmetric_key(b"w" * 16),
    ).uid
    ask_one(exchange, version, Operation.ACTIVATE, uid(wrapping_key))
    key = ask_one(
        exchange,
        version,
        Operation.REGISTER,
        SYMMETRIC,
        template(*aes(128)),
        symmetric_key(b"k" * 16),
    ).uid
    wanted = text("AttributeName", "Cryptographic Usage Mask")
    given = ask_one(exchange, version, Operation.GET, uid(key), specification(wrapping_key, wanted))
    wrapped = given.payload[-1]
    (block,) = children_of(wrapped)
    value, data = (
        next(field for field in children_of(block) if field.tag == tag)
        for tag in ("KeyValue", "KeyWrappingData")
    )
    assert "EncodingOption" not in names_of(data)
    assert isinstance(value.value, bytes)
    assert binary_codec.parse(aes_key_unwrap(b"w" * 16, value.value)) == structure(
        "KeyValue", octets("KeyMaterial", b"k" * 16), attribute("Cryptographic Usage Mask", 12)
    )
    again = ask_one(
        exchange, version, Operation.REGISTER, SYMMETRIC, template(attribute("x-A", "b")), wrapped
    ).uid
    found = ask_one(exchange, version, Operation.GET_ATTRIBUTES, uid(again))
    assert found.attributes["x-A"] == "b"
    plain = ask_one(exchange, version, Operation.GET, uid(again), choice("KeyWrapType", 1))
    assert plain.payload[-1] == symmetric_key(b"k" * 16)


def test_key_that_is_wrapped_bare_is_not_given_to_1_0(exchange):
    """1.0 has no EncodingOption, and its client would take what it unwraps for TTLV."""
    usage = template(*aes(128, mask=0x30))
    wrapping_key = ask_one(
        exchange, V11, Operation.REGISTER, SYMMETRIC, usage, symmetric_key(b"w" * 16)
    ).uid
    ask_one(exchange, V11, Operation.ACTIVATE, uid(wrapping_key))
    plain = ask_one(
        exchange,
        V11,
        Operation.REGISTER,
        SYMMETRIC,
        template(*aes(128)),
        symmetric_key(b"k" * 16),
    ).uid
    bare, in_ttlv = (
        specification(wrapping_key, choice("EncodingOption", option)) for option in (1, 2)
    )
    wrapped = ask_one(exchange, V11, Operation.GET, uid(plain), bare).payload[-1]
    assert "EncodingOption" in names_of(wrapped)
    stored = ask_one(
        exchange,
        V11,
        Operation.REGISTER,
        SYMMETRIC,
        template(attribute("x-A", "b")),
        wrapped,
    ).uid
    for payload in ((uid(stored),), (uid(plain), bare)):
        (refused,) = ask(exchange, V10, item(Operation.GET, *payload))
        assert refused.reason is ResultReason.FEATURE_NOT_SUPPORTED
        assert refused["ResultMessage"] == (
            "KMIP 1.0 has no EncodingOption NoEncoding, which the answer cannot do without: ask in a newer version"
        )
        assert ask_one(exchange, V11, Operation.GET, *payload)
    told = ask_one(exchange, V10, Operation.GET, uid(plain), in_ttlv).payload[-1]
    assert "KeyWrappingData" in names_of(told)
    assert "EncodingOption" not in names_of(told)


def public_key(exchange: Exchange, version: ProtocolVersion) -> str:
    spki = rsa_key(2048).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    material = structure("KeyValue", octets("KeyMaterial", spki))
    stated = choice("CryptographicAlgorithm", 4), number("CryptographicLength", 2048)
    block = structure("KeyBlock", choice("KeyFormatType", 5), material, *stated)
    uid_of_key = ask_one(
        exchange,
        version,
        Operation.REGISTER,
        OBJECT[ObjectType.PUBLIC_KEY],
        template(attribute("Cryptographic Usage Mask", 0x10)),
        structure("PublicKey", block),
    ).uid
    ask_one(exchange, version, Operation.ACTIVATE, uid(uid_of_key))
    return uid_of_key


@pytest.mark.parametrize(
    ("version", "parameters", "lacks"),
    [
        (V11, [choice("PaddingMethod", 2)], None),
        (V11, [choice("PaddingMethod", 2), choice("CryptographicAlgorithm", 3)], "CryptographicAlgorithm AES"),
        (V12, [choice("PaddingMethod", 2), choice("CryptographicAlgorithm", 3)], None),
        (V13, [choice("MaskGeneratorHashingAlgorithm", 4)], "MaskGeneratorHashingAlgorithm SHA_1"),
        (V13, [octets("PSource", b"label")], "PSource"),
        (V14, [choice("MaskGeneratorHashingAlgorithm", 4), octets("PSource", b"label")], None),
    ],
    ids=["OAEP", "AES, before 1.2", "AES", "mask, before 1.4", "label, before 1.4", "mask and label"],
)  # fmt: skip
def test_key_is_not_given_to_a_version_that_cannot_say_how_it_was_wrapped(
    exchange, version, parameters, lacks
):
    """Its client would unwrap it in another way, and find nothing."""
    information = structure(
        "EncryptionKeyInformation",
        uid(public_key(exchange, version)),
        structure("CryptographicParameters", *parameters),
    )
    wanted = structure(
        "KeyWrappingSpecification",
        choice("WrappingMethod", 1),
        information,
        choice("EncodingOption", 1),
    )
    key = ask_one(
        exchange,
        version,
        Operation.REGISTER,
        SYMMETRIC,
        template(*aes(128)),
        symmetric_key(b"k" * 16),
    ).uid
    (result,) = ask(exchange, version, item(Operation.GET, uid(key), wanted))
    if lacks is None:
        assert result.reason is None, result["ResultMessage"]
        assert {"PaddingMethod", "HashingAlgorithm"} <= names_of(result.payload[-1])
    else:
        assert result.reason is ResultReason.FEATURE_NOT_SUPPORTED
        assert result["ResultMessage"].startswith(
            f"KMIP {version} has no {lacks}, which the answer"
        )


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
def test_what_is_no_key_neither_wraps_nor_is_wrapped(exchange, version):
    """An Illegal Operation in the table of Get (1.4 §11.12)."""
    key = ask_one(
        exchange, version, Operation.CREATE, SYMMETRIC, template(*aes(256, mask=0x30))
    ).uid
    ask_one(exchange, version, Operation.ACTIVATE, uid(key))
    opaque = ask_one(
        exchange,
        version,
        Operation.REGISTER,
        OBJECT[ObjectType.OPAQUE_OBJECT],
        template(),
        structure(
            "OpaqueObject", choice("OpaqueDataType", 0x80000001), octets("OpaqueDataValue", b"x")
        ),
    ).uid
    for wrapped, by in ((key, opaque), (opaque, key)):
        (result,) = ask(exchange, version, item(Operation.GET, uid(wrapped), specification(by)))
        assert result.reason is ResultReason.ILLEGAL_OPERATION


@pytest.mark.parametrize("version", [V10, V12, V14], ids=str)
@pytest.mark.parametrize(
    "payload",
    [(uid("a"), uid("b")), (uid("a"), RAW, RAW)],
    ids=["identifier", "format"],
)
def test_field_that_is_given_twice_is_an_invalid_message(exchange, version, payload):
    """1.4 §11.1. It fails its own item alone."""
    first, second = ask(
        exchange,
        version,
        item(Operation.GET, *payload, item_id=b"1"),
        item(Operation.QUERY, choice("QueryFunction", 1), item_id=b"2"),
        header=[choice("BatchErrorContinuationOption", 1)],
    )
    assert first.reason is ResultReason.INVALID_MESSAGE
    assert first["ResultMessage"].endswith("is given twice in RequestPayload")
    assert second.reason is None


def test_dates_are_whole_seconds(exchange):
    key = ask_one(exchange, V10, Operation.CREATE, SYMMETRIC, template(*aes(128))).uid
    found = ask_one(exchange, V10, Operation.GET_ATTRIBUTES, uid(key))
    types = {children_of(each)[-1].type for each in found.payload[1:]}
    assert ItemType.DATE_TIME in types
    assert ItemType.DATE_TIME_EXTENDED not in types
