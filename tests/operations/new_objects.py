"""Objects as users make, import and register them, and what Get gives of them."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization as s

from ..keys import certificate, private_key, rsa_key
from ..kmip_items import batch_item, name, number, octets, structure, uid

DER, PLAIN = s.Encoding.DER, s.NoEncryption()
SPKI = s.PublicFormat.SubjectPublicKeyInfo
RSA, EC = rsa_key(2048), private_key("ES256")


def pair(user, algorithm="EC", *more):
    """A new one: (private, public)."""
    made = user.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", algorithm), *more),
    )
    return made["PrivateKeyUniqueIdentifier"], made["PublicKeyUniqueIdentifier"]


def imported(user, key=None, *more):
    """An RSA key of the tests, both halves: (private, public)."""
    key = key or rsa_key(2048)
    private = key.private_bytes(DER, s.PrivateFormat.PKCS8, PLAIN)
    public = key.public_key().public_bytes(DER, s.PublicFormat.SubjectPublicKeyInfo)
    return (
        import_object(user, "PrivateKey", "PKCS8", private, *more),
        import_object(user, "PublicKey", "X509", public, *more),
    )


def import_object(user, object_type, key_format, material, *more):
    """The identifier."""
    return user.do("Import", *object_items(object_type, key_format, material, *more)).uid


def object_items(object_type, key_format, material, *more):
    """What Import takes."""
    block = structure(
        "KeyBlock",
        name("KeyFormatType", key_format),
        structure("KeyValue", structure("KeyMaterial", octets("ByteString", material))),
    )
    return [
        uid(""),
        name("ObjectType", object_type),
        structure("Attributes", *more),
        structure("Object", block),
    ]


def certificate_der(key):
    """A certificate of the key that it signs itself."""
    return ssl.PEM_cert_to_DER_cert(certificate(key).decode())


def big(tag, value):
    """A BigInteger, of whole multiples of eight bytes."""
    size = value.bit_length() // 64 * 8 + 8
    return {"tag": tag, "type": "BigInteger", "value": f"0x{value.to_bytes(size, 'big').hex()}"}


def key_block(key_format, *material, algorithm=None, length=None):
    held = (
        material[0] if material[0]["tag"] == "KeyMaterial" else structure("KeyMaterial", *material)
    )
    return structure(
        "KeyBlock",
        name("KeyFormatType", key_format),
        structure("KeyValue", held),
        *([name("CryptographicAlgorithm", algorithm)] if algorithm else []),
        *([number("CryptographicLength", length)] if length else []),
    )


def registered(user, object_type, held, *more):
    """Through a message: the identifier."""
    (result,) = user.ask(
        batch_item(
            "Register", name("ObjectType", object_type), structure("Attributes", *more), held
        )
    )
    assert result["ResultStatus"] == "Success", result.item
    return result["ResponsePayload", "UniqueIdentifier"]


def refused(user, object_type, held, *more):
    """Why Register makes nothing of it: the reason and the message."""
    (result,) = user.ask(
        batch_item(
            "Register", name("ObjectType", object_type), structure("Attributes", *more), held
        )
    )
    assert result["ResultStatus"] == "OperationFailed", result.item
    assert user.locate() == (0, [])
    return result["ResultReason"], result["ResultMessage"]


def got(user, key, *items):
    """The batch item of the answer to Get in a message."""
    (result,) = user.ask(batch_item("Get", uid(key), *items))
    assert result["ResultStatus"] == "Success", result.item
    return result


def blocks():
    """A row for each type and format of a key, as Register takes it."""
    numbers = RSA.private_numbers()
    public = numbers.public_numbers
    rsa_pkcs1 = RSA.private_bytes(DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN)
    ec_number = EC.private_numbers().private_value
    point = EC.public_key().public_bytes(s.Encoding.X962, s.PublicFormat.UncompressedPoint)
    for object_type, key_format, material, algorithm, length in [
        ("PrivateKey", "PKCS_1", [octets("KeyMaterial", rsa_pkcs1)], "RSA", 2048),
        ("PrivateKey", "PKCS_8", [octets("KeyMaterial", RSA.private_bytes(
            DER, s.PrivateFormat.PKCS8, PLAIN))], "RSA", 2048),
        ("PrivateKey", "TransparentRSAPrivateKey", [
            big("Modulus", public.n), big("PrivateExponent", numbers.d),
            big("PublicExponent", public.e), big("P", numbers.p), big("Q", numbers.q),
            big("PrimeExponentP", numbers.dmp1), big("PrimeExponentQ", numbers.dmq1),
            big("CRTCoefficient", numbers.iqmp)], "RSA", 2048),
        ("PublicKey", "PKCS_1", [octets("KeyMaterial", RSA.public_key().public_bytes(
            DER, s.PublicFormat.PKCS1))], "RSA", 2048),
        ("PublicKey", "X_509", [octets("KeyMaterial", RSA.public_key().public_bytes(
            DER, SPKI))], "RSA", 2048),
        ("PublicKey", "TransparentRSAPublicKey", [
            big("Modulus", public.n), big("PublicExponent", public.e)], "RSA", 2048),
        ("PrivateKey", "ECPrivateKey", [octets("KeyMaterial", EC.private_bytes(
            DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN))], "EC", 256),
        ("PrivateKey", "TransparentECPrivateKey", [
            name("RecommendedCurve", "P_256"), big("D", ec_number)], "EC", 256),
        ("PublicKey", "TransparentECPublicKey", [
            name("RecommendedCurve", "P_256"), octets("QString", point)], "EC", 256),
        ("PrivateKey", "TransparentDSAPrivateKey", [
            big("P", 7919), big("Q", 37), big("G", 5), big("X", 11)], "DSA", 13),
    ]:  # fmt: skip
        yield pytest.param(
            object_type,
            structure(
                object_type, key_block(key_format, *material, algorithm=algorithm, length=length)
            ),
            id=f"{object_type}-{key_format}",
        )


BLOCKS = list(blocks())


def normal(tree):
    """Without the differences that a number may have on the wire."""
    if isinstance(tree, list):
        return [normal(each) for each in tree]
    value = tree["value"]
    if tree["type"] == "BigInteger":
        value = int(str(value), 16) if isinstance(value, str) else value
    return (tree["tag"], normal(value) if isinstance(value, list) else value)


def held_certificate(octets_):
    """What Register takes of a certificate in DER."""
    return structure(
        "Certificate", name("CertificateType", "X_509"), octets("CertificateValue", octets_)
    )


def told(user, key, *more):
    """The digest that GetAttributes tells; None where there is none."""
    return user.do("GetAttributes", uid(key), *more).get("Attributes", "Digest", "DigestValue")
