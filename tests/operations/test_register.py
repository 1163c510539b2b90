"""Register: all object types, in all formats, and what does not come in (KMIP 2.1 §6.1.39)."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives import serialization as s

from kms_tornado.crypto.keys.symmetric import set_odd_parity

from ..keys import certificate
from ..kmip_items import batch_item, flag, name, number, octets, structure, text, uid
from ..rows import each_row
from .new_objects import (
    BLOCKS,
    EC,
    RSA,
    SPKI,
    big,
    got,
    held_certificate,
    import_object,
    imported,
    key_block,
    normal,
    refused,
    registered,
)

DER, PLAIN = s.Encoding.DER, s.NoEncryption()


@each_row(("object_type", "held"), BLOCKS)
def test_key_is_given_out_as_it_was_registered(alice, object_type, held):
    key = registered(alice, object_type, held)
    block = got(alice, key)["ResponsePayload", object_type]
    assert normal(block) == normal(held["value"])


@pytest.mark.parametrize(
    ("object_type", "stated", "octets_", "words"),
    [
        pytest.param("PrivateKey", "PKCS_8", RSA.private_bytes(
            DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN), "PKCS_1", id="PKCS#1 as PKCS#8"),
        pytest.param("PrivateKey", "PKCS_1", RSA.private_bytes(
            DER, s.PrivateFormat.PKCS8, PLAIN), "PKCS_8", id="PKCS#8 as PKCS#1"),
        pytest.param("PrivateKey", "PKCS_8", EC.private_bytes(
            DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN), "ECPrivateKey", id="SEC1 as PKCS#8"),
        pytest.param("PublicKey", "X_509", RSA.public_key().public_bytes(
            DER, s.PublicFormat.PKCS1), "PKCS_1", id="PKCS#1 as SPKI"),
        pytest.param("PublicKey", "X_509", RSA.public_key().public_bytes(
            s.Encoding.PEM, SPKI), "PEM", id="PEM"),
    ],
)  # fmt: skip
def test_key_in_another_format_than_stated_is_told_which_it_looks_like(
    alice, object_type, stated, octets_, words
):
    held = structure(object_type, key_block(stated, octets("KeyMaterial", octets_)))
    reason, message = refused(alice, object_type, held)
    assert reason == "InvalidField"
    assert message.startswith("the key material is not what its KeyFormatType says; it looks like ")
    assert words in message


def test_wrapped_key_is_not_told_what_it_looks_like(alice):
    """Who unwraps it may not read it."""
    kek = alice.import_key("", bytes(32))
    secret = RSA.private_bytes(DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN)
    held = structure(
        "PrivateKey",
        structure(
            "KeyBlock",
            name("KeyFormatType", "PKCS_8"),
            structure(
                "KeyValue",
                octets("KeyMaterial", keywrap.aes_key_wrap_with_padding(bytes(32), secret)),
            ),
            structure(
                "KeyWrappingData",
                name("WrappingMethod", "Encrypt"),
                structure("EncryptionKeyInformation", uid(kek)),
                name("EncodingOption", "NoEncoding"),
            ),
        ),
    )
    (answer,) = alice.ask(
        batch_item(
            "Import",
            uid(""),
            name("ObjectType", "PrivateKey"),
            name("KeyWrapType", "NotWrapped"),
            structure("Attributes"),
            held,
        )
    )
    assert answer["ResultMessage"] == "the key material is not what its KeyFormatType says"


#: Octets, what the KeyBlock and the Attributes state, and what is told.
TDES_LENGTHS = {
    "three keys, parity counted": (24, 192, None, 192),
    "three keys, parity not counted": (24, 168, None, 168),
    "two keys, parity counted": (16, 128, None, 128),
    "two keys, parity not counted": (16, 112, None, 112),
    "stated in the attributes": (24, None, 192, 192),
    "stated in both": (24, 192, 192, 192),
    "stated in both, differently": (24, 168, 192, 192),
    "not stated": (24, None, None, 168),
    "stated wrong": (24, 256, None, 168),
    "that of two keys for three": (24, 128, None, 168),
    "that of three keys for two": (16, 192, None, 112),
}


@each_row(("size", "in_block", "in_attributes", "told"), TDES_LENGTHS.values(), ids=TDES_LENGTHS)
@each_row("key_format", ["Raw", "TransparentSymmetricKey"])
def test_length_that_a_3des_key_is_stated_to_have_stays(
    alice, size, in_block, in_attributes, told, key_format
):
    """With parity bits or without: both are counted in the field, and neither is told otherwise."""
    held = octets(
        "Key" if key_format != "Raw" else "KeyMaterial", set_odd_parity(bytes(range(size)))
    )
    block = key_block(key_format, held, algorithm="DES3", length=in_block)
    stated = [number("CryptographicLength", in_attributes)] if in_attributes else []
    key = registered(alice, "SymmetricKey", structure("SymmetricKey", block), *stated)
    found = alice.do("GetAttributes", uid(key))
    assert found["Attributes", "CryptographicLength"] == told
    assert alice.do("Get", uid(key))["Object", "KeyBlock", "CryptographicLength"] == told
    again = import_wrapped_and_back(alice, key)
    assert alice.do("Get", uid(again))["Object", "KeyBlock", "CryptographicLength"] == told


def import_wrapped_and_back(user, key):
    """The key, as it comes back after it left wrapped."""
    kek = user.import_key("", bytes(32))
    specification = structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(kek)),
    )
    wrapped = got(user, key, specification)["ResponsePayload", "SymmetricKey"]
    (answer,) = user.ask(
        batch_item(
            "Import",
            uid(""),
            name("ObjectType", "SymmetricKey"),
            name("KeyWrapType", "NotWrapped"),
            structure("Attributes"),
            structure("SymmetricKey", *wrapped),
        )
    )
    assert answer["ResultStatus"] == "Success", answer.item
    return answer["ResponsePayload", "UniqueIdentifier"]


@pytest.mark.parametrize(
    ("stated", "told"),
    [(2047, 2047), (2048, 2048), (2040, 2047), (4096, 2047), (None, 2047)],
)
def test_modulus_that_begins_with_a_zero_bit_keeps_its_stated_length(alice, stated, told):
    block = key_block(
        "TransparentRSAPublicKey",
        big("Modulus", (1 << 2046) | 1),
        big("PublicExponent", 65537),
        algorithm="RSA",
        length=stated,
    )
    key = registered(alice, "PublicKey", structure("PublicKey", block))
    assert alice.do("GetAttributes", uid(key))["Attributes", "CryptographicLength"] == told


PRIVATE_FORMATS = ["PKCS_1", "PKCS_8", "TransparentRSAPrivateKey"]


@each_row("asked", PRIVATE_FORMATS)
@each_row("given", PRIVATE_FORMATS)
def test_private_key_is_given_out_in_the_format_asked_for(alice, given, asked):
    held = {each.id: each.values for each in BLOCKS}
    key = registered(alice, *held[f"PrivateKey-{given}"])
    found = got(alice, key, name("KeyFormatType", asked))["ResponsePayload", "PrivateKey"]
    wanted = held[f"PrivateKey-{asked}"][1]["value"]
    assert normal(found) == normal(wanted)


def test_format_that_the_key_does_not_have_is_refused(alice):
    private, public = imported(alice)
    for key, other in ((private, "ECPrivateKey"), (public, "Raw"), (private, "X509")):
        line = alice.refused("Get", uid(key), name("KeyFormatType", other))
        assert line.startswith("Key_Format_Type_Not_Supported: ")


def test_transparent_rsa_key_of_primes_alone_is_completed(alice):
    numbers = RSA.private_numbers()
    held = structure(
        "PrivateKey",
        key_block(
            "TransparentRSAPrivateKey",
            big("Modulus", numbers.public_numbers.n),
            big("PublicExponent", numbers.public_numbers.e),
            big("P", numbers.p),
            big("Q", numbers.q),
        ),
    )
    key = registered(alice, "PrivateKey", held)
    found = got(alice, key, name("KeyFormatType", "PKCS_8"))
    block = found["ResponsePayload", "PrivateKey", "KeyBlock"]
    (material,) = next(each for each in block if each["tag"] == "KeyValue")["value"]
    loaded = s.load_der_private_key(bytes.fromhex(material["value"]), None)
    assert loaded.private_numbers().p in {numbers.p, numbers.q}
    assert loaded.public_key().public_numbers() == numbers.public_numbers


# --- certificates, secrets, opaque objects ------------------------------------------------------


CERTIFICATE = ssl.PEM_cert_to_DER_cert(certificate(RSA, names=("example.com",)).decode())


def test_certificate_tells_its_attributes(alice):
    key = registered(alice, "Certificate", held_certificate(CERTIFICATE))
    loaded = x509.load_der_x509_certificate(CERTIFICATE)
    found = alice.do("GetAttributes", uid(key))
    assert found["Attributes", "CertificateLength"] == len(CERTIFICATE)
    assert found["Attributes", "CryptographicAlgorithm"] == "RSA"
    assert found["Attributes", "CryptographicLength"] == 2048
    assert found["Attributes", "CertificateSubjectCN"] == "example.com"
    subject = found["Attributes", "X_509CertificateSubject"]
    assert bytes.fromhex(subject[0]["value"]) == loaded.subject.public_bytes()
    identifier = found["Attributes", "X_509CertificateIdentifier"]
    assert int.from_bytes(bytes.fromhex(identifier[1]["value"])[2:], "big") == loaded.serial_number
    value = got(alice, key)["ResponsePayload", "Certificate", "CertificateValue"]
    assert bytes.fromhex(value) == CERTIFICATE


def test_certificate_for_a_thousand_hosts_is_kept(alice):
    hosts = tuple(f"host-{number}.departments.example.com" for number in range(1000))
    octets_ = ssl.PEM_cert_to_DER_cert(certificate(EC, names=hosts).decode())
    key = registered(alice, "Certificate", held_certificate(octets_))
    value = got(alice, key)["ResponsePayload", "Certificate", "CertificateValue"]
    assert bytes.fromhex(value) == octets_


@each_row("at", range(4, len(CERTIFICATE), 37))
def test_certificate_with_odd_content_is_kept_or_refused_and_never_a_fault(alice, at):
    odd = bytearray(CERTIFICATE)
    odd[at] ^= 0x55
    answer = alice.send(
        structure(
            "Import", uid(""), name("ObjectType", "Certificate"), structure("Attributes"),
            structure("Object", *held_certificate(bytes(odd))["value"]),
        )
    )  # fmt: skip
    assert answer.status in {200, 422}


@each_row(
    ("encoding", "key_format"),
    [
        pytest.param(DER, s.PrivateFormat.PKCS8, id="PKCS#8 in DER"),
        pytest.param(s.Encoding.PEM, s.PrivateFormat.PKCS8, id="PKCS#8 in PEM"),
        pytest.param(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, id="with a DEK-Info"),
    ],
)
@each_row("stated", ["PKCS_8", "PKCS_1", "PKCS_12"])
def test_encrypted_key_is_refused_with_the_command_that_decrypts_it(
    alice, kms, encoding, key_format, stated
):
    """With its password as well, which is then in no answer and no log."""
    encrypted = RSA.private_bytes(encoding, key_format, s.BestAvailableEncryption(b"hunter2-4711"))
    link = structure("Link", name("LinkType", "PKCS_12PasswordLink"),
                     text("LinkedObjectIdentifier", "hunter2-4711"))  # fmt: skip
    held = structure("PrivateKey", key_block(stated, octets("KeyMaterial", encrypted)))
    reason, message = refused(alice, "PrivateKey", held, link)
    assert reason == "InvalidField"
    assert "decrypt it first, as no request carries its password: `openssl pkey -in KEY" in message
    assert "hunter2-4711" not in message + kms.log


@pytest.mark.parametrize("kind", ["Password", "Seed"])
def test_secret_data_comes_back_with_its_type(alice, kind):
    held = structure(
        "SecretData",
        name("SecretDataType", kind),
        key_block("Raw", octets("KeyMaterial", b"correct horse")),
    )
    key = registered(alice, "SecretData", held)
    assert got(alice, key)["ResponsePayload", "SecretData"] == held["value"]
    found = alice.do("GetAttributes", uid(key))
    assert found.get("Attributes", "Digest") is None, "it would be a way to guess a password"
    assert alice.do("Get", uid(key))["ObjectType"] == "SecretData"


def test_opaque_object_comes_back_as_it_was(alice):
    held = structure(
        "OpaqueObject", name("OpaqueDataType", "0x80123456"), octets("OpaqueDataValue", b"anything")
    )
    key = registered(alice, "OpaqueObject", held)
    assert got(alice, key)["ResponsePayload", "OpaqueObject"] == held["value"]
    line = alice.refused("Encrypt", uid(key), octets("Data", b"x"))
    assert line.startswith("Invalid_Field: ")


def test_sensitive_object_of_any_type_stays(alice):
    held = structure(
        "OpaqueObject", name("OpaqueDataType", "0x80123456"), octets("OpaqueDataValue", b"anything")
    )
    key = registered(alice, "OpaqueObject", held, flag("Sensitive", True))
    assert alice.refused("Get", uid(key)).startswith("Sensitive: ")


# --- what does not come in ----------------------------------------------------------------------

PRIVATE = RSA.private_bytes(DER, s.PrivateFormat.PKCS8, PLAIN)
PUBLIC = EC.public_key().public_bytes(DER, SPKI)


@each_row(
    ("object_type", "key_format", "material", "reason"),
    [
        pytest.param("PrivateKey", "PKCS_8", PRIVATE + b"\0", "InvalidField", id="octets behind"),
        pytest.param("PrivateKey", "PKCS_8", PRIVATE[:-1], "InvalidField", id="cut short"),
        pytest.param("PrivateKey", "PKCS_8", PUBLIC, "InvalidField", id="a public key"),
        pytest.param("PrivateKey", "PKCS_1", PRIVATE, "InvalidField", id="another format"),
        pytest.param("PrivateKey", "ECPrivateKey", PRIVATE, "InvalidField", id="of another kind"),
        pytest.param("PublicKey", "X_509", PRIVATE, "InvalidField", id="a private key"),
        pytest.param(
            "PublicKey", "X_509", PUBLIC[:-1] + bytes((PUBLIC[-1] ^ 1,)), "InvalidField", id="no point"
        ),
        pytest.param(
            "PrivateKey", "PKCS_8",
            RSA.private_bytes(DER, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"x")),
            "InvalidField", id="encrypted",
        ),
        pytest.param(
            "PublicKey", "X_509",
            EC.public_key().public_bytes(DER, SPKI).replace(b"\xce\x3d\x03\x01\x07", b"\xce\x3d\x03\x01\x06"),
            "UnsupportedCryptographicParameters", id="another curve",
        ),
        pytest.param("PrivateKey", "PKCS_12", PRIVATE, "InvalidField", id="PKCS12"),
        pytest.param("PrivateKey", "Raw", PRIVATE, "KeyFormatTypeNotSupported", id="Raw"),
        pytest.param("PrivateKey", "PKCS_8", b"\x30\x84\xff\xff\xff\xff", "InvalidField", id="lies"),
        pytest.param("PrivateKey", "PKCS_8", b"\x30" * 5000, "InvalidField", id="deep"),
        pytest.param("PrivateKey", "PKCS_8", bytes(1 << 20), "InvalidField", id="huge"),
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_said_nothing_about(
    alice, object_type, key_format, material, reason
):
    held = structure(object_type, key_block(key_format, octets("KeyMaterial", material)))
    found, said = refused(alice, object_type, held)
    assert found == reason
    assert material[30:50].hex() not in said.lower() or not any(material[30:50])


@pytest.mark.parametrize(
    "numbers",
    [
        [big("Modulus", 1 << 20000), big("PublicExponent", 65537)],
        [{"tag": "Modulus", "type": "BigInteger", "value": "0xFFFFFFFFFFFFFFFF"},
         big("PublicExponent", 65537)],
    ],
    ids=["20,000 bits", "negative"],
)  # fmt: skip
def test_absurd_numbers_are_refused(alice, numbers):
    held = structure("PublicKey", key_block("TransparentRSAPublicKey", *numbers))
    assert refused(alice, "PublicKey", held)[0] in {"InvalidField", "InvalidMessage"}


def test_stated_algorithm_that_is_not_the_key_s_is_refused(alice):
    held = structure(
        "PrivateKey", key_block("PKCS_8", octets("KeyMaterial", PRIVATE), algorithm="EC")
    )
    assert refused(alice, "PrivateKey", held)[0] == "InvalidField"


def test_rsa_numbers_that_are_no_key_are_kept_and_fail_cleanly_at_their_first_use(alice):
    """As profile case BL-M-9 has them: checked when they are used, not when they come."""
    numbers = RSA.private_numbers()
    held = structure(
        "PrivateKey",
        key_block(
            "TransparentRSAPrivateKey",
            big("Modulus", numbers.public_numbers.n), big("PrivateExponent", numbers.d),
            big("PublicExponent", numbers.public_numbers.e),
            big("P", numbers.p - 2), big("Q", numbers.q),
            big("PrimeExponentP", numbers.dmp1), big("PrimeExponentQ", numbers.dmq1),
            big("CRTCoefficient", numbers.iqmp),
        ),
    )  # fmt: skip
    past = {"tag": "ActivationDate", "type": "DateTime", "value": "2020-01-01T00:00:00Z"}
    key = registered(alice, "PrivateKey", held, past)
    for operation, data in (("Sign", b"x"), ("Decrypt", bytes(256))):
        line = alice.refused(operation, uid(key), octets("Data", data))
        assert line.startswith("Cryptographic_Failure: ")
        assert str(numbers.d) not in line


@pytest.mark.parametrize("key_format", ["PKCS8", "X509"])
def test_published_clients_get_raw_octets_whatever_the_format(alice, key_format):
    material = PRIVATE if key_format == "PKCS8" else PUBLIC
    object_type = "PrivateKey" if key_format == "PKCS8" else "PublicKey"
    key = import_object(alice, object_type, key_format, material, text("Comment", "x"))
    (held,) = alice.do("Get", uid(key))["Object", "KeyBlock", "KeyValue", "KeyMaterial"]
    assert (held["tag"], bytes.fromhex(held["value"])) == ("ByteString", material)
