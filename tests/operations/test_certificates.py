"""Certificates of every kind are kept byte for byte, and told as far as they can be read."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import ssl
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from kms_tornado.errors import InvalidField
from kms_tornado.operations.objects.certificate_attributes import describe_certificate

from ..keys import rsa_key
from ..kmip_items import name, number, octets, structure, text, uid
from ..odd_certificates import (
    CORPUS,
    NULL,
    RSA,
    SHA256_RSA,
    bits,
    certificate,
    common_name,
    der,
    endless,
    integer,
    long_form,
    oid,
    sequence,
    utc,
)
from ..rows import each_row
from .new_objects import got, held_certificate, refused, registered

ALL = pytest.mark.parametrize("kind", CORPUS)


# --- kept ---------------------------------------------------------------------------------------


def certificate_of(result):
    return bytes.fromhex(result["ResponsePayload", "Certificate", "CertificateValue"])


@ALL
def test_certificate_comes_back_byte_for_byte_and_is_found(alice, kind):
    odd = CORPUS[kind]
    key = registered(alice, "Certificate", held_certificate(odd.octets))
    assert certificate_of(got(alice, key)) == odd.octets
    attributes = alice.do("GetAttributes", uid(key))["Attributes"]
    for tag, values in odd.told.items():
        assert [each["value"] for each in attributes if each["tag"] == tag] == values
        found = next((each for each in attributes if each["tag"] == tag), None)
        if found is not None:
            assert alice.locate(found) == (1, [key])
    assert alice.locate(number("CertificateLength", len(odd.octets))) == (1, [key])


@ALL
def test_certificate_is_imported_and_exported_byte_for_byte(alice, kind):
    odd = CORPUS[kind]
    held = structure("Object", *held_certificate(odd.octets)["value"])
    key = alice.do(
        "Import", uid(""), name("ObjectType", "Certificate"), structure("Attributes"), held
    ).uid
    exported = alice.do("Export", uid(key))["Object"]
    assert {"tag": "CertificateValue", **octets("CertificateValue", odd.octets)} in exported


_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:{}")
_RSA = ("-key", "{key}")


def on_curve(name):
    return tuple(each.format(name) for each in _CURVE)


def extended(extension):
    return (*_RSA, "-addext", extension)


#: Kind → arguments of `openssl req -x509`; "{key}" is a file with an RSA key.
MADE_BY_OPENSSL = {
    "RSA": _RSA,
    "RSA signed with PSS": (*_RSA, "-sigopt", "rsa_padding_mode:pss"),
    "RSA signed with SHA-1": (*_RSA, "-sha1"),
    "RSA signed with SHA3-512": (*_RSA, "-sha3-512"),
    "P-256": on_curve("P-256"),
    "P-521": on_curve("P-521"),
    "explicit curve": (*on_curve("P-256"), "-pkeyopt", "ec_param_enc:explicit"),
    "secp256k1": on_curve("secp256k1"),
    "brainpool": on_curve("brainpoolP256r1"),
    "Ed25519": ("-newkey", "ed25519"),
    "Ed448": ("-newkey", "ed448"),
    "serial 0": (*_RSA, "-set_serial", "0"),
    "negative serial": (*_RSA, "-set_serial", "-5"),
    "long serial": (*_RSA, "-set_serial", "0x" + "7f" * 30),
    "beyond 2050": (*_RSA, "-days", "20000"),
    "alternative names": extended(
        "subjectAltName=DNS:*.example.com,IP:::1,URI:urn:x,email:a@example.com,RID:1.2.3"
    ),
    "name constraints": extended("nameConstraints=critical,permitted;DNS:.example.com"),
    "must staple": extended("tlsfeature=status_request"),
    "policies": extended("certificatePolicies=1.2.3.4,2.5.29.32.0"),
    "key use": extended("keyUsage=critical,digitalSignature,keyAgreement"),
    "unknown critical extension": extended("1.2.3.4.5=critical,DER:0500"),
}


@pytest.mark.parametrize("kind", MADE_BY_OPENSSL)
def test_certificate_that_openssl_made_comes_back_byte_for_byte(alice, tmp_path, kind):
    key = tmp_path / "key.pem"
    key.write_bytes(rsa_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = tmp_path / "certificate.der"
    arguments = [each.replace("{key}", str(key)) for each in MADE_BY_OPENSSL[kind]]
    subject = ("-subj", "/CN=*.example.com/O=Müller & Söhne/emailAddress=a@example.com", "-utf8")
    files = ("-nodes", "-keyout", str(tmp_path / "made.pem"), "-outform", "DER", "-out", str(made))
    openssl("req", "-x509", *arguments, *subject, *files)
    held = made.read_bytes()
    stored = registered(alice, "Certificate", held_certificate(held))
    assert certificate_of(got(alice, stored)) == held
    attributes = alice.do("GetAttributes", uid(stored))["Attributes"]
    told = {each["tag"]: each["value"] for each in attributes}
    assert told["CertificateSubjectCN"] == "*.example.com"
    assert told["CertificateSubjectO"] == "Müller & Söhne"
    assert told["CertificateSubjectEmail"] == "a@example.com"


# --- told ---------------------------------------------------------------------------------------


@ALL
def test_what_is_left_out_is_named_in_one_warning(kind, caplog):
    odd = CORPUS[kind]
    with caplog.at_level(logging.WARNING):
        describe_certificate(odd.octets)
    if odd.left_out is None:
        assert caplog.text == ""
        return
    (record,) = caplog.records
    assert re.search(r"told without: .*" + re.escape(odd.left_out) + r" \([^()]+\)", caplog.text)
    assert record.levelname == "WARNING"
    assert "\n" not in record.message
    assert len(record.message) < 500


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    return run.stdout.decode()


def test_openssl_reads_it_where_the_table_says_so(tmp_path):
    """One run of the tool for all that it reads, one for each of the few that it does not."""
    path = tmp_path / "certificates"
    readable = [odd.octets for odd in CORPUS.values() if "o" in odd.readers]
    path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, readable)))
    shown = openssl("storeutl", "-noout", "-text", "-certs", path)
    assert len(re.findall(r"^ +Subject:", shown, re.MULTILINE)) == len(readable) > 70
    for kind, odd in CORPUS.items():
        if "o" not in odd.readers:
            path.write_bytes(odd.octets)
            assert openssl("x509", "-inform", "DER", "-in", path, "-noout", "-subject") == "", kind


@pytest.mark.parametrize(
    "kind",
    [
        "PrintableString with an asterisk",
        "T61String with Latin-1",
        "BMPString",
        "UniversalString",
        "UTF8String with emoji",
        "a string in parts",
        "two common names in one set",
        "a set out of order",
        "postalAddress as a SEQUENCE",
    ],
)
def test_names_are_told_as_openssl_shows_them(tmp_path, kind):
    path = tmp_path / "certificate"
    path.write_bytes(CORPUS[kind].octets)
    shown = openssl(
        "x509", "-inform", "DER", "-in", path, "-noout", "-subject",
        "-nameopt", "multiline,-esc_msb,utf8",
    )  # fmt: skip
    names = re.findall(r"commonName += (.*?)(?= \+ |$)", shown, re.MULTILINE)
    assert names == CORPUS[kind].told["CertificateSubjectCN"]


JAVA = """
import java.io.*;
import java.security.cert.*;

class Reads {
    public static void main(String[] arguments) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (File file : new File(arguments[0]).listFiles()) {
            try (InputStream stream = new FileInputStream(file)) {
                factory.generateCertificate(stream);
                System.out.println(file.getName());
            } catch (CertificateException refused) {
                continue;
            }
        }
    }
}
"""


def test_java_reads_it_where_the_table_says_so(tmp_path):
    """One virtual machine for all of them, which takes a second or two to start and to compile."""
    program, folder = tmp_path / "Reads.java", tmp_path / "certificates"
    program.write_text(JAVA)
    folder.mkdir()
    for index, odd in enumerate(CORPUS.values()):
        (folder / str(index)).write_bytes(odd.octets)
    try:
        run = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", program, folder],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("java is not installed")
    kinds = list(CORPUS)
    read = {kinds[int(line)] for line in run.stdout.split()}
    assert read == {kind for kind, odd in CORPUS.items() if "j" in odd.readers}


_NULLS = 900 * NULL
_ALTERNATIVE_NAMES = oid("2.5.29.17")
#: What a certificate may hold of → the octets. Up to 65,000 elements have room in one.
LONG_READS = {
    "a subject of 100 kB": CORPUS["a subject of 100 kB"].octets,
    "alternative names of 100 kB": CORPUS["alternative names of 100 kB"].octets,
    "fourteen thousand extensions": certificate(
        extensions=(sequence(oid("1.2.3"), der(4)),) * 14_000
    ),
    "ends that are marked": 65_000 * b"\x30\x80",
    "extensions whose ends are marked": certificate(
        extensions=60 * (endless(0x30, oid("1.2.3"), _NULLS),)
    ),
    "types whose ends are marked": certificate(extensions=60 * (sequence(endless(0x26, _NULLS)),)),
    "alternative names in parts": certificate(
        extensions=60 * (sequence(_ALTERNATIVE_NAMES, endless(0x24, 900 * der(4))),)
    ),
    "a modulus in parts": certificate(
        key=sequence(
            sequence(oid("1.2.840.113549.1.1.1"), NULL), endless(0x23, 40_000 * der(3, b"\0"))
        )
    ),
}


@each_row("kind", LONG_READS)
def test_no_certificate_takes_long_on_the_loop(kind):
    taken = []
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(InvalidField):
            describe_certificate(LONG_READS[kind])
        taken.append(time.process_time() - began)
    assert min(taken) < 0.02


# --- refused ------------------------------------------------------------------------------------

GOOD = certificate()
_PEM = ssl.DER_cert_to_PEM_cert(GOOD).encode()
_KEY = rsa_key(2048)
_NOT_X509 = "the certificate is not an X.509 certificate in DER"
_REQUEST = sequence(
    sequence(integer(0), common_name("host"), RSA, der(0xA0)), SHA256_RSA, bits(bytes(256))
)
_REVOKED = sequence(
    sequence(integer(1), SHA256_RSA, common_name("Issuer"), utc("250101000000Z")),
    SHA256_RSA,
    bits(bytes(256)),
)
_PKCS7 = sequence(oid("1.2.840.113549.1.7.2"), der(0xA0, sequence()))

GARBAGE = {
    "nothing": (b"", _NOT_X509),
    "a zero": (b"\0", _NOT_X509),
    "a number": (integer(5), _NOT_X509),
    "an empty SEQUENCE": (sequence(), _NOT_X509),
    "a SEQUENCE of a number": (sequence(integer(1)), _NOT_X509),
    "PEM": (_PEM, "looks like PEM: send the DER inside it"),
    "PEM after a byte order mark": (b"\xef\xbb\xbf" + _PEM, "looks like PEM"),
    "Base64": (b"".join(_PEM.splitlines()[1:-1]), "looks like Base64"),
    "hexadecimal digits": (GOOD.hex().encode(), "looks like hexadecimal"),
    "cut off": (GOOD[:-1], f"cut off: {len(GOOD) - 1} of {len(GOOD)} bytes"),
    "its body alone": (GOOD[4:], _NOT_X509),
    "a byte more": (GOOD + b"\n", "bytes follow the certificate, 1 of them"),
    "a chain": (GOOD * 2, f"bytes follow the certificate, {len(GOOD)} of them"),
    "a request": (_REQUEST, "looks like a certificate request"),
    "a list of revoked ones": (_REVOKED, "looks like a list of revoked certificates"),
    "PKCS#7": (_PKCS7, "looks like PKCS#7"),
    "PKCS#12": (
        pkcs12.serialize_key_and_certificates(b"n", _KEY, None, None, NoEncryption()),
        "looks like PKCS#12",
    ),
    "a public key": (RSA, "looks like a public key: register a PublicKey"),
    "a private key": (
        _KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "looks like a private key",
    ),
    "an encrypted private key": (
        _KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"p")),
        "looks like an encrypted private key",
    ),
    "a length beyond the end": (long_form(0x30, GOOD[4:])[:40], _NOT_X509),
    "an end that is not marked": (b"\x30\x80" + GOOD[4:], _NOT_X509),
    "nesting": (b"\x30\x80" * 40_000, _NOT_X509),
    "no signature": (sequence(GOOD[4:-260], SHA256_RSA), _NOT_X509),
    "an algorithm without an OID": (certificate(algorithm=sequence(integer(1))), _NOT_X509),
    "a key that is a number": (certificate(key=sequence(integer(1), bits(b""))), _NOT_X509),
    "times that are numbers": (certificate(times=(integer(1), integer(2))), _NOT_X509),
    "no serial number": (certificate(serial=NULL), _NOT_X509),
    "something after the extensions": (
        certificate(unique_identifiers=der(0xA5, b"x")), _NOT_X509,
    ),
}  # fmt: skip


@each_row("kind", GARBAGE)
def test_what_is_no_certificate_is_refused_in_words(kind):
    read, said = GARBAGE[kind]
    with pytest.raises(InvalidField) as caught:
        describe_certificate(read)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusal_reaches_the_client(alice):
    assert refused(alice, "Certificate", held_certificate(_PEM)) == (
        "InvalidField",
        f"{_NOT_X509}; it looks like PEM: send the DER inside it, as `-outform DER` of openssl writes it",
    )


def test_each_octet_may_be_damaged_without_a_fault():
    for at, damage in itertools.product(range(4, len(GOOD), 11), (0x01, 0x80, 0xFF)):
        odd = bytearray(GOOD)
        odd[at] ^= damage
        with contextlib.suppress(InvalidField):
            describe_certificate(bytes(odd))


def test_key_in_an_odd_certificate_verifies(alice):
    """The public key is read from certificates that `cryptography` refuses."""
    odd = CORPUS["PrintableString with an asterisk"].octets
    key = alice.do(
        "Import",
        uid(""),
        name("ObjectType", "Certificate"),
        structure("Attributes", number("CryptographicUsageMask", 2)),
        structure("Object", *held_certificate(odd)["value"]),
    ).uid
    signature = _KEY.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    found = alice.do(
        "SignatureVerify",
        uid(key),
        structure(
            "CryptographicParameters",
            name("PaddingMethod", "PKCS1v15"),
            name("HashingAlgorithm", "SHA256"),
        ),
        octets("Data", b"data"),
        octets("SignatureData", signature),
    )
    assert found["ValidityIndicator"] == "Valid"


def test_certificate_is_found_by_a_name_with_an_asterisk(alice):
    odd = CORPUS["PrintableString with an asterisk"].octets
    key = registered(alice, "Certificate", held_certificate(odd))
    assert alice.locate(text("CertificateSubjectCN", "*.example.com")) == (1, [key])
