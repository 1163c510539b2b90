"""What a key looks like that is not in the format that was stated."""

from __future__ import annotations

import base64
import ssl

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import pkcs12

from kms_tornado.crypto.keys.recognition import recognise_key
from kms_tornado.kmip.enums import KeyFormatType as F

from ... import keys
from ...rows import each_row
from .library_keys import DER, EC_KEYS, LIBRARY_KEYS, PLAIN, pkcs8, spki, traditional

RSA = LIBRARY_KEYS["RSA"]
NIST = next(iter(EC_KEYS.values()))
ENCRYPTION = s.BestAvailableEncryption(b"password")
SSH = (s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)

LOOKS = {
    **{
        f"PKCS#8, {name}": (
            pkcs8(key),
            F.PKCS1,
            "a private key in PKCS#8: state KeyFormatType PKCS_8",
        )
        for name, key in LIBRARY_KEYS.items()
    },
    **{
        f"SPKI, {name}": (spki(key), F.PKCS1, "SubjectPublicKeyInfo: state KeyFormatType X_509")
        for name, key in LIBRARY_KEYS.items()
    },
    "PKCS#1, private": (
        traditional(RSA),
        F.PKCS8,
        "a private key in PKCS#1: state KeyFormatType PKCS_1",
    ),
    "PKCS#1, public": (
        RSA.public_key().public_bytes(DER, s.PublicFormat.PKCS1),
        F.X509,
        "a public key in PKCS#1: state KeyFormatType PKCS_1",
    ),
    "SEC1": (traditional(NIST), F.PKCS8, "SEC1: state KeyFormatType ECPrivateKey"),
    "DSA of an old openssl": (traditional(dsa.generate_private_key(1024)), F.PKCS8, "DSA"),
    **{
        f"encrypted, sent as {stated.name}": (
            RSA.private_bytes(DER, s.PrivateFormat.PKCS8, ENCRYPTION),
            stated,
            "decrypt it first, as no request carries its password: `openssl pkey",
        )
        for stated in (F.PKCS1, F.PKCS8, F.EC_PRIVATE_KEY)
    },
    **{
        f"encrypted PEM, {name}": (
            key.private_bytes(s.Encoding.PEM, key_format, ENCRYPTION),
            F.PKCS8,
            "PEM of an encrypted private key: decrypt it first",
        )
        for name, key, key_format in (
            ("PKCS#8", RSA, s.PrivateFormat.PKCS8),
            ("PKCS#1", RSA, s.PrivateFormat.TraditionalOpenSSL),
            ("SEC1", NIST, s.PrivateFormat.TraditionalOpenSSL),
        )
    },
    "OpenSSH in PEM": (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n",
        F.PKCS8,
        "ssh-keygen -p",
    ),
    "PEM behind text": (
        b"Bag Attributes\n    friendlyName: x\n-----BEGIN PRIVATE KEY-----\n",
        F.PKCS8,
        "PEM",
    ),
    "PEM of Windows": (b"-----BEGIN PRIVATE KEY-----\r\nMA==\r\n", F.PKCS8, "PEM"),
    "PEM in UTF-16": ("\ufeff-----BEGIN PRIVATE KEY-----".encode("utf-16-le"), F.PKCS8, "UTF-16"),
    "OpenPGP": (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", F.PKCS8, "OpaqueObject"),
    "PKCS#7 in PEM": (b"-----BEGIN PKCS7-----\n", F.X509, "register each of its certificates"),
    "PKCS#7": (bytes.fromhex("300f06092a864886f70d010702a0023000"), F.X509, "PKCS#7"),
    "SSH2, public": (b"---- BEGIN SSH2 PUBLIC KEY ----\n", F.X509, "ssh-keygen -i"),
    "PuTTY": (b"PuTTY-User-Key-File-3: ssh-ed25519\n", F.PKCS8, "puttygen"),
    "JKS": (bytes.fromhex("feedfeed00000002"), F.PKCS8, "keytool -importkeystore"),
    "JCEKS": (bytes.fromhex("cececece00000002"), F.PKCS8, "keytool -importkeystore"),
    "PKCS#12": (
        pkcs12.serialize_key_and_certificates(b"n", RSA, None, None, ENCRYPTION),
        F.PKCS8,
        "PKCS#12",
    ),
    "certificate": (
        ssl.PEM_cert_to_DER_cert(keys.certificate(RSA).decode()),
        F.X509,
        "register a Certificate",
    ),
    "PEM": (RSA.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, PLAIN), F.PKCS8, "PEM"),
    "PEM behind a byte order mark": (b"\xef\xbb\xbf\n-----BEGIN PUBLIC KEY-----\n", F.X509, "PEM"),
    "Base64": (base64.encodebytes(pkcs8(RSA)), F.PKCS8, "Base64"),
    "Base64 of a small key": (base64.b64encode(spki(NIST)), F.X509, "Base64"),
    "hexadecimal": (pkcs8(NIST).hex().encode(), F.PKCS8, "hexadecimal"),
    "OpenSSH, private": (
        base64.b64decode(
            b"".join(
                NIST.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, PLAIN).splitlines()[
                    1:-1
                ]
            )
        ),
        F.PKCS8,
        "ssh-keygen",
    ),
    **{
        f"OpenSSH, {name}": (
            LIBRARY_KEYS[name].public_key().public_bytes(*SSH),
            F.X509,
            "ssh-keygen",
        )
        for name in ("RSA", "P-256", "Ed25519")
        if name in LIBRARY_KEYS
    },
    "JWK": (b'{"kty":"EC"}', F.PKCS8, "JSON Web Key"),
}


@each_row(("octets", "stated", "wording"), LOOKS.values(), ids=LOOKS)
def test_key_in_another_format_is_recognised(octets, stated, wording):
    assert wording in (recognise_key(octets, stated) or "")


@each_row(
    ("octets", "stated"),
    [
        pytest.param(b"", F.PKCS8, id="nothing"),
        pytest.param(bytes(32), F.PKCS8, id="zeros"),
        pytest.param(b"\x30\x03\x02\x01\x00", F.PKCS8, id="one number"),
        pytest.param(pkcs8(RSA)[:-1], F.PKCS1, id="cut off"),
        pytest.param(pkcs8(RSA), F.PKCS8, id="the stated format itself"),
        pytest.param(traditional(RSA), F.PKCS1, id="PKCS#1 itself"),
        pytest.param(traditional(NIST), F.EC_PRIVATE_KEY, id="SEC1 itself"),
        pytest.param(spki(RSA), F.X509, id="SPKI itself"),
        pytest.param(b"{" * 2**20, F.PKCS8, id="longer than any key"),
    ],
)
def test_of_nothing_known_nothing_is_said(octets, stated):
    assert recognise_key(octets, stated) is None
