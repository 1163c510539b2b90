"""Keys that openssl and Java made, there and back: in the format in which they came, and in every other one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.generation import GENERATED_CURVES
from kms_tornado.crypto.keys.normalising import normalise_key
from kms_tornado.crypto.keys.numbers import describe_domain, measure_key_length
from kms_tornado.kmip.enums import KeyFormatType

from ..kmip_items import batch_item, name, octets, structure, uid
from ..outside_keys import CURVES, JAVA_KEYS, of_java, of_openssl, openssl, public_of
from .new_objects import key_block

ROOT = Path(__file__).parent.parent.parent
OF_OPENSSL = [
    "RSA", "RSA-PSS", "RSA-PSS limited", "DSA", "DH", "DHX", "Ed25519", "Ed448", "X25519", "X448",
    "prime192v1", "secp224r1", "prime256v1", "secp384r1", "secp521r1", "secp256k1", "brainpoolP160r1",
    "brainpoolP256r1", "brainpoolP320t1", "brainpoolP384r1", "brainpoolP512r1",
    *(f"{curve} explicit" for curve in ("prime256v1", "secp521r1", "secp256k1", "brainpoolP320t1")),
]  # fmt: skip
OF_JAVA = [
    pytest.param(
        f"Java {name}", marks=pytest.mark.skipif(not shutil.which("java"), reason="needs Java")
    )
    for name in JAVA_KEYS
]
#: The rows of docs/keys.md: the kinds of keys, the formats of a private and of a public key besides PKCS_8 and
#: X_509, and what is done with it. The tests below hold each row to what the server does.
_RSA = ("PKCS_1", "TransparentRSA{}Key")
_SIGNS = "Sign, SignatureVerify"
KEY_TABLE = [
    ("RSA", ("RSA",), _RSA, _RSA, f"{_SIGNS}, Encrypt, Decrypt, wrapping", True),
    ("RSA-PSS", ("RSA-PSS", "RSA-PSS limited"), _RSA, _RSA, _SIGNS, False),
    (
        "P-256, P-384, P-521, secp256k1, brainpoolP256r1, brainpoolP384r1, brainpoolP512r1",
        (
            "prime256v1", "secp384r1", "secp521r1", "secp256k1", "brainpoolP256r1", "brainpoolP384r1",
            "brainpoolP512r1",
        ),
        ("ECPrivateKey", "TransparentEC{}Key"), ("TransparentEC{}Key",), _SIGNS, True,
    ),
    (
        "P-192, P-224, the other brainpool curves of 160 to 512 bits",
        (
            "prime192v1", "secp224r1", "brainpoolP160r1", "brainpoolP160t1", "brainpoolP192r1",
            "brainpoolP192t1", "brainpoolP224r1", "brainpoolP224t1", "brainpoolP256t1", "brainpoolP320r1",
            "brainpoolP320t1", "brainpoolP384t1", "brainpoolP512t1",
        ),
        ("ECPrivateKey", "TransparentEC{}Key"), ("TransparentEC{}Key",), "none", False,
    ),
    (
        "Ed25519, Ed448", ("Ed25519", "Ed448"),
        ("Raw", "TransparentEC{}Key"), ("Raw", "TransparentEC{}Key"), _SIGNS, True,
    ),
    (
        "X25519, X448", ("X25519", "X448"),
        ("Raw", "TransparentEC{}Key"), ("Raw", "TransparentEC{}Key"), "none", True,
    ),
    ("DSA", ("DSA",), ("TransparentDSA{}Key",), ("TransparentDSA{}Key",), "none", False),
    ("Diffie-Hellman", ("DH", "DHX"), ("TransparentDH{}Key",), ("TransparentDH{}Key",), "none", False),
]  # fmt: skip
SIGNING = {kind for _, kinds, *_, uses, _ in KEY_TABLE for kind in kinds if uses != "none"}


def test_docs_have_the_table():
    lines = ["| key | private key | public key | operations | made here |", "|---|---|---|---|---|"]
    for label, _, of_private, of_public, uses, is_made in KEY_TABLE:
        private = ", ".join(one.format("Private") for one in ("PKCS_8", *of_private))
        public = ", ".join(one.format("Public") for one in ("X_509", *of_public))
        lines.append(f"| {label} | {private} | {public} | {uses} | {'yes' if is_made else 'no'} |")
    made = {one for label, *_, is_made in KEY_TABLE if is_made for one in label.split(", ")}
    assert made == {"RSA", *(curve.name for curve in GENERATED_CURVES)}
    text = (ROOT / "docs/keys.md").read_text()
    shown = text.partition("<!-- keys: tests/operations/test_outside_keys.py -->")[2]
    assert shown.partition("<!-- end -->")[0].strip().splitlines() == lines


def outside(name):
    return of_java()[name] if name.startswith("Java") else of_openssl()[name]


#: What Java calls a key → its kind in the table.
_KINDS_OF_JAVA = {"EC": "prime256v1", "RSASSA-PSS": "RSA-PSS"}


def other_formats(kind):
    """(of the private key, of the public one), besides PKCS_8 and X_509."""
    kind = kind.removesuffix(" explicit")
    if kind.startswith("Java "):
        kind = kind.removeprefix("Java ").partition("/")[0]
        kind = _KINDS_OF_JAVA.get(kind, kind)
    for _, kinds, of_private, of_public, *_ in KEY_TABLE:
        if kind in kinds:
            return (
                [one.format("Private") for one in of_private],
                [one.format("Public") for one in of_public],
            )
    raise AssertionError(kind)


def succeeded(user, *items):
    results = user.ask(*items)
    for result in results:
        assert result["ResultStatus"] == "Success", result.item
    return results


def register(user, object_type, block, algorithm):
    return batch_item(
        "Register",
        name("ObjectType", object_type),
        structure("Attributes", name("CryptographicAlgorithm", algorithm)),
        structure(object_type, block),
    )


def block_of(result, object_type):
    return next(
        item for item in result["ResponsePayload", object_type] if item["tag"] == "KeyBlock"
    )


def material_of(block):
    value = next(item for item in block["value"] if item["tag"] == "KeyValue")
    material = next(item for item in value["value"] if item["tag"] == "KeyMaterial")
    return bytes.fromhex(material["value"]) if material["type"] == "ByteString" else material


@pytest.mark.parametrize("kind", [*OF_OPENSSL, *OF_JAVA])
def test_key_comes_back_in_its_format_and_in_every_other(alice, kind):
    key = outside(kind)
    halves = (("PrivateKey", "PKCS_8", key.private), ("PublicKey", "X_509", key.public))
    uids = [
        result["ResponsePayload", "UniqueIdentifier"]
        for result in succeeded(
            alice,
            *(
                register(alice, object_type, key_block(own, octets("KeyMaterial", sent)), key.algorithm)
                for object_type, own, sent in halves
            ),
        )
    ]  # fmt: skip
    for (object_type, own, sent), formats, one in zip(
        halves, other_formats(kind), uids, strict=True
    ):
        as_it_came, attributes, *others = succeeded(
            alice,
            batch_item("Get", uid(one)),
            batch_item("GetAttributes", uid(one)),
            *(batch_item("Get", uid(one), name("KeyFormatType", other)) for other in formats),
        )
        check_attributes(attributes, key)
        returned = material_of(block_of(as_it_came, object_type))
        check_octets(object_type, key, sent, returned)
        blocks = [block_of(result, object_type) for result in others]
        for block, key_format in zip(blocks, formats, strict=True):
            check_octets_of_openssl(object_type, key_format, material_of(block), key)
        again = succeeded(
            alice, *(register(alice, object_type, block, key.algorithm) for block in blocks)
        )
        back = succeeded(
            alice,
            *(
                batch_item(
                    "Get", uid(result["ResponsePayload", "UniqueIdentifier"]), name("KeyFormatType", own)
                )
                for result in again
            ),
        )  # fmt: skip
        for result in back:
            check_same_key(object_type, returned, material_of(block_of(result, object_type)))


def check_attributes(result, key):
    def told(*path):
        return result.get("ResponsePayload", "Attributes", *path)

    assert told("CryptographicAlgorithm") == key.algorithm
    assert told("CryptographicLength") == key.length
    assert told("CryptographicDomainParameters", "RecommendedCurve") == key.curve
    assert told("CryptographicDomainParameters", "Qlength") == key.qlength


def check_octets(object_type, key, sent, returned):
    """What is not the same to the byte is the same key: on a named curve, with its public point."""
    if key.is_kept:
        assert returned == sent
    elif object_type == "PrivateKey":
        assert openssl("pkey", "-inform", "DER", "-check", "-noout", stdin=returned)
        named = ["-ec_param_enc", "named_curve", "-ec_conv_form", "uncompressed"]
        expected = openssl(
            "pkey", "-inform", "DER", "-pubout", "-outform", "DER", *named, stdin=sent
        )
        assert public_of(returned) == expected


def check_octets_of_openssl(object_type, key_format, material, key):
    if key_format in {"PKCS_1", "ECPrivateKey"} and object_type == "PrivateKey":
        assert public_of(material)[-60:] == key.public[-60:]  # without the algorithm of RSA-PSS


def check_same_key(object_type, one, other):
    """Other formats have no place for the limits of an RSA-PSS key, the length of x, or the public point."""
    assert numbers_of(object_type, one) == numbers_of(object_type, other)


def numbers_of(object_type, octets):
    if object_type == "PublicKey":
        key = key_formats.import_public(octets, KeyFormatType.X509)
    else:
        key = key_formats.import_private(octets, KeyFormatType.PKCS8)
    optional = {"pss", "length", *(["point"] if object_type == "PrivateKey" else [])}
    values = {field: getattr(key, field) for field in type(key).__slots__ if field not in optional}
    return type(key), values


def test_keys_on_every_curve_of_openssl_are_kept_to_the_byte():
    """Without a server: the tests above have one curve of each kind."""
    for curve in CURVES:
        key = outside(curve)
        for sent, read, key_format in (
            (key.private, key_formats.import_private, KeyFormatType.PKCS8),
            (key.public, key_formats.import_public, KeyFormatType.X509),
        ):
            numbers = normalise_key(read(sent, key_format))
            assert key_formats.encode_canonical(numbers).reveal() == sent
            assert describe_domain(numbers).recommended_curve.name == key.curve
            assert measure_key_length(numbers) == key.length


@pytest.mark.parametrize("kind", OF_OPENSSL)
def test_key_signs_or_is_told_what_it_is_kept_for(alice, kind):
    private, public = register_pair(alice, outside(kind), "Sign Verify")
    if kind.removesuffix(" explicit") in SIGNING:
        signature = alice.do("Sign", uid(private), octets("Data", b"data")).octets("SignatureData")
        verified = alice.do(
            "SignatureVerify", uid(public), octets("Data", b"data"), octets("SignatureData", signature)
        )  # fmt: skip
        assert verified["ValidityIndicator"] == "Valid"
        return
    for operation, one, more in (("Sign", private, []), ("SignatureVerify", public, [octets("SignatureData", b"x")])):  # fmt: skip
        line = alice.refused(operation, uid(one), octets("Data", b"data"), *more)
        assert line.startswith(
            "Unsupported_Cryptographic_Parameters: no operation of this server uses "
        )
        assert "they are kept and given out" in line


def register_pair(user, key, uses):
    """(identifier of the private key, of the public one)"""
    mask = {"tag": "CryptographicUsageMask", "type": "Integer", "value": uses}
    uids = []
    for object_type, own, sent in (
        ("PrivateKey", "PKCS_8", key.private), ("PublicKey", "X_509", key.public),
    ):  # fmt: skip
        held = structure(object_type, key_block(own, octets("KeyMaterial", sent)))
        made = user.do(
            "Register", name("ObjectType", object_type), structure("Attributes", mask), held
        )
        uids.append(made.uid)
    return uids


def pss(**fields):
    """CryptographicParameters. fields: {tag: name, or a number}"""
    return structure(
        "CryptographicParameters",
        *(
            {"tag": tag, "type": "Integer", "value": value} if tag == "SaltLength" else name(tag, value)
            for tag, value in fields.items()
        ),
    )  # fmt: skip


def test_openssl_verifies_what_a_key_for_pss_alone_signs_and_the_other_way_round(alice, tmp_path):
    digest = hashlib.sha256(b"data").digest()
    for kind in ("RSA-PSS", "RSA-PSS limited"):
        key = outside(kind)
        private, public = register_pair(alice, key, "Sign Verify")
        files = {
            "key.der": key.private, "public.der": key.public, "digest": digest,
            "signature": alice.do("Sign", uid(private), octets("Data", b"data")).octets("SignatureData"),
        }  # fmt: skip
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
        sha256 = ("-pkeyopt", "digest:sha256", "-in", str(tmp_path / "digest"), "-keyform", "DER")
        openssl(
            "pkeyutl", "-verify", *sha256, "-pubin", "-inkey", str(tmp_path / "public.der"),
            "-sigfile", str(tmp_path / "signature"), "-pkeyopt", "rsa_pss_saltlen:32",
        )  # fmt: skip
        made = openssl("pkeyutl", "-sign", *sha256, "-inkey", str(tmp_path / "key.der"))
        verified = alice.do(
            "SignatureVerify", uid(public), octets("Data", b"data"), octets("SignatureData", made)
        )
        assert verified["ValidityIndicator"] == "Valid"


ALONE = "the key is for RSASSA-PSS signatures alone"
LIMITED = (
    "the key is for RSASSA-PSS with SHA_256, MGF1 with SHA_256 and a salt of at least 32 bytes"
)


@pytest.mark.parametrize(
    ("kind", "asked", "answer"),
    [
        ("RSA-PSS", pss(PaddingMethod="PKCS1_V1_5"), ALONE),
        ("RSA-PSS", pss(DigitalSignatureAlgorithm="SHA_256WithRSAEncryption"), ALONE),
        ("RSA-PSS", pss(HashingAlgorithm="SHA_512"), None),
        ("RSA-PSS limited", pss(PaddingMethod="PKCS1_V1_5"), LIMITED),
        ("RSA-PSS limited", pss(HashingAlgorithm="SHA_512"), LIMITED),
        ("RSA-PSS limited", pss(MaskGeneratorHashingAlgorithm="SHA_512"), LIMITED),
        ("RSA-PSS limited", pss(SaltLength=31), LIMITED),
        ("RSA-PSS limited", pss(SaltLength=48, HashingAlgorithm="SHA_256"), None),
    ],
)
def test_key_for_pss_alone_keeps_to_its_limits(alice, kind, asked, answer):
    private, public = register_pair(alice, outside(kind), "Sign Verify")
    data = octets("Data", b"data")
    if answer is None:
        signature = octets(
            "SignatureData", alice.do("Sign", uid(private), asked, data).octets("SignatureData")
        )
        verified = alice.do("SignatureVerify", uid(public), asked, data, signature)
        assert verified["ValidityIndicator"] == "Valid"
        return
    signature = octets("SignatureData", b"x" * 256)
    for line in (
        alice.refused("Sign", uid(private), asked, data),
        alice.refused("SignatureVerify", uid(public), asked, data, signature),
    ):
        assert line == f"Unsupported_Cryptographic_Parameters: {answer}"


def test_key_for_pss_alone_encrypts_nothing(alice):
    private, public = register_pair(alice, outside("RSA-PSS"), "Encrypt Decrypt")
    for operation, one, data in (("Encrypt", public, b"data"), ("Decrypt", private, b"x" * 256)):
        assert alice.refused(operation, uid(one), octets("Data", data)) == (
            "Unsupported_Cryptographic_Parameters: RSASSA-PSS keys make and verify signatures alone"
        )
