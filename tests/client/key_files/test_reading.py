"""Key files that are read: what is detected, what is refused, and that writing comes back the same."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from cryptography.hazmat.primitives import serialization as s
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.key_files.errors import KeyFileError, PasswordRequired, WrongPassword
from kms_tornado.client.key_files.kmip_objects import octets_of, summarise_object
from kms_tornado.client.key_files.reading import FORMATS, ReadingOptions, read_key_file
from kms_tornado.client.key_files.writing import FORMAT_NAMES, write_key_file
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType
from kms_tornado.kmip.objects import PrivateKey, SymmetricKey

from ...rows import each_row
from .samples import TYPES, certificate, native, sample

PLAIN = ReadingOptions()
SYMMETRIC = ReadingOptions(raw_type=ObjectType.SYMMETRIC_KEY)
SECRET = ReadingOptions(raw_type=ObjectType.SECRET_DATA)

PRIVATE = {kind for kind in TYPES if kind.endswith(" private")}
PUBLIC = {kind for kind in TYPES if kind.endswith(" public")}
ON_NIST_CURVES = {"p256", "p384", "p521", "secp256k1"}

#: Format → the types that have it. All others are refused.
WRITABLE = {
    "json-ttlv": set(TYPES),
    "raw": set(TYPES),
    "base64": set(TYPES),
    "pem": PRIVATE | PUBLIC | {"certificate"},
    "der": PRIVATE | PUBLIC | {"certificate"},
    "pkcs8-pem": PRIVATE,
    "pkcs8-der": PRIVATE,
    "spki-pem": PUBLIC,
    "spki-der": PUBLIC,
    "pkcs1-pem": {"rsa private", "rsa public"},
    "pkcs1-der": {"rsa private", "rsa public"},
    "sec1-pem": {f"{curve} private" for curve in ON_NIST_CURVES},
    "sec1-der": {f"{curve} private" for curve in ON_NIST_CURVES},
    "openssh": {
        f"{kind} {half}"
        for kind in ("rsa", "p256", "p384", "p521", "ed25519")
        for half in ("private", "public")
    },
    "jwk": (PRIVATE | PUBLIC | {"aes", "hmac"}) - {"dsa private", "dsa public"},
    "jwk-set": (PRIVATE | PUBLIC | {"aes", "hmac"}) - {"dsa private", "dsa public"},
}


def options_for(kind: str) -> ReadingOptions:
    if kind == "hmac":
        return ReadingOptions(
            raw_type=ObjectType.SYMMETRIC_KEY, algorithm=CryptographicAlgorithm.HMAC_SHA512
        )
    return {"aes": SYMMETRIC, "secret": SECRET}.get(kind, PLAIN)


def test_table_of_what_can_be_written_has_every_format() -> None:
    assert set(WRITABLE) == set(FORMAT_NAMES)


@each_row("kind", TYPES)
@each_row("file_format", FORMAT_NAMES)
def test_object_that_is_written_is_read_as_the_same(kind: str, file_format: str) -> None:
    managed = sample(kind)
    if kind not in WRITABLE[file_format]:
        with pytest.raises(KeyFileError):
            write_key_file(managed, file_format)
        return
    octets = write_key_file(managed, file_format)
    detected = (kind, file_format) != ("secret", "base64")  # a password may look like base64
    assert read_key_file(octets, options_for(kind), None if detected else "base64") == (managed,)
    named = {"jwk-set": "jwk"}.get(file_format, file_format)
    if file_format != "raw" or kind in {"aes", "hmac", "secret"}:
        assert read_key_file(octets, options_for(kind), named) == (managed,)


@given(st.binary(min_size=1, max_size=200))
def test_any_secret_comes_back_from_raw_and_base64(secret: bytes) -> None:
    (managed,) = read_key_file(secret, SECRET, "raw")
    assert octets_of(managed) == secret
    assert read_key_file(write_key_file(managed, "base64"), SECRET, "base64") == (managed,)


@given(st.binary(min_size=1, max_size=400), st.sampled_from([None, *FORMATS]))
def test_no_bytes_raise_anything_but_a_key_file_error(
    octets: bytes, file_format: str | None
) -> None:
    for options in (PLAIN, SYMMETRIC, SECRET):
        with contextlib.suppress(KeyFileError):
            assert read_key_file(octets, options, file_format)


@each_row(
    ("kind", "file_format"),
    [
        (kind, file_format)
        for kind in ("rsa private", "p256 public", "certificate", "aes")
        for file_format in ("der", "pem", "jwk", "json-ttlv")
        if kind in WRITABLE[file_format]
    ],
)
def test_damaged_file_is_refused_or_read_as_something_else(kind: str, file_format: str) -> None:
    managed = sample(kind)
    octets = write_key_file(managed, file_format)
    for cut in range(0, len(octets), 37):
        for damaged in (octets[:cut], octets[:cut] + b"\xff" + octets[cut + 1 :], octets[cut:]):
            try:
                objects = read_key_file(damaged, options_for(kind))
            except KeyFileError:
                continue
            assert objects


# --- passwords ----------------------------------------------------------------------------------

ENCRYPTED = {
    "PKCS#8 PEM": (s.Encoding.PEM, s.PrivateFormat.PKCS8, "rsa"),
    "PKCS#8 DER": (s.Encoding.DER, s.PrivateFormat.PKCS8, "ed25519"),
    "legacy PEM of PKCS#1": (s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, "rsa"),
    "legacy PEM of SEC1": (s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, "p256"),
}


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_key_is_read_with_its_password_only(name: str) -> None:
    encoding, key_format, kind = ENCRYPTED[name]
    octets = native(kind).private_bytes(encoding, key_format, s.BestAvailableEncryption(b"hunter2"))
    with pytest.raises(PasswordRequired):
        read_key_file(octets, PLAIN)
    with pytest.raises(WrongPassword):
        read_key_file(octets, ReadingOptions(password=b"hunter3"))
    assert read_key_file(octets, ReadingOptions(password=b"hunter2")) == (
        sample(f"{kind} private"),
    )


def make_pkcs12(password: bytes | None) -> bytes:
    encryption = s.BestAvailableEncryption(password) if password else s.NoEncryption()
    return s.pkcs12.serialize_key_and_certificates(
        b"me", native("p256"), certificate(), [certificate("rsa", "ca")], encryption
    )


def test_pkcs12_is_read_as_key_certificate_and_chain() -> None:
    octets = make_pkcs12(b"hunter2")
    with pytest.raises(PasswordRequired):
        read_key_file(octets, PLAIN)
    with pytest.raises(WrongPassword):
        read_key_file(octets, ReadingOptions(password=b"nope"), "pkcs12")
    objects = read_key_file(octets, ReadingOptions(password=b"hunter2"))
    assert [summarise_object(one).text for one in objects] == [
        "an elliptic-curve private key",
        "a certificate",
        "a certificate",
    ]
    assert objects[:2] == (sample("p256 private"), sample("certificate"))


def test_pkcs12_without_a_password_needs_none() -> None:
    assert len(read_key_file(make_pkcs12(None), PLAIN)) == 3


def test_password_is_not_shown_by_the_options() -> None:
    assert "hunter2" not in repr(ReadingOptions(password=b"hunter2"))


# --- several in one file ------------------------------------------------------------------------


def test_pem_bundle_is_read_in_its_order_with_text_between() -> None:
    parts = [write_key_file(sample(kind), "pem") for kind in ("certificate", "rsa private")]
    octets = b"Bag Attributes\r\n" + b"subject=CN = leaf\n".join(parts)
    assert read_key_file(octets, PLAIN) == (sample("certificate"), sample("rsa private"))


#: What programs and people do to PEM.
TREATMENTS = {
    "lines of Windows": lambda pem: pem.replace(b"\n", b"\r\n"),
    "lines of an old Mac": lambda pem: pem.replace(b"\n", b"\r"),
    "indented, as in YAML": lambda pem: b"key: |\n" + pem.replace(b"\n", b"\n    "),
    "spaces at the ends of lines": lambda pem: pem.replace(b"\n", b"  \t\n"),
    "byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "no line break at the end": lambda pem: pem.rstrip(b"\n"),
    "UTF-16 of PowerShell": lambda pem: pem.decode().encode("utf-16"),
    "UTF-16, the other way round": lambda pem: ("\ufeff" + pem.decode()).encode("utf-16-be"),
    "text around it": lambda pem: b"subject=CN = a\n\n" + pem + b"\nthe end\n",
}


@each_row("treatment", TREATMENTS.values(), ids=TREATMENTS)
@each_row("kind", ["rsa private", "p256 public", "certificate"])
@each_row("file_format", [None, "pem"])
def test_pem_is_read_whatever_was_done_to_it(kind: str, treatment, file_format) -> None:
    octets = treatment(write_key_file(sample(kind), "pem"))
    assert read_key_file(octets, PLAIN, file_format) == (sample(kind),)


@each_row("treatment", TREATMENTS.values(), ids=TREATMENTS)
def test_encrypted_pem_is_read_whatever_was_done_to_it(treatment) -> None:
    pem = native("rsa").private_bytes(
        s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.BestAvailableEncryption(b"hunter2")
    )
    assert read_key_file(treatment(pem), ReadingOptions(password=b"hunter2")) == (
        sample("rsa private"),
    )


def test_secret_that_looks_like_text_in_utf_16_stays_to_the_byte() -> None:
    octets = write_key_file(sample("certificate"), "pem").decode().encode("utf-16")
    (managed,) = read_key_file(octets, SECRET, "raw")
    assert octets_of(managed) == octets


def test_jwk_set_is_read_key_by_key() -> None:
    keys = [json.loads(write_key_file(sample(kind), "jwk")) for kind in ("aes", "ed25519 public")]
    assert read_key_file(json.dumps({"keys": keys}).encode(), PLAIN) == (
        sample("aes"),
        sample("ed25519 public"),
    )


@pytest.mark.parametrize(
    ("alg", "algorithm"),
    [
        ("A256GCM", CryptographicAlgorithm.AES),
        (None, CryptographicAlgorithm.AES),
        ("HS256", CryptographicAlgorithm.HMAC_SHA256),
        ("HS512", CryptographicAlgorithm.HMAC_SHA512),
    ],
)
def test_alg_of_a_jwk_says_what_a_symmetric_key_is_for(
    alg: str | None, algorithm: CryptographicAlgorithm
) -> None:
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(bytes(64)).decode().rstrip("=")}
    (managed,) = read_key_file(json.dumps(jwk | ({"alg": alg} if alg else {})).encode(), SYMMETRIC)
    assert isinstance(managed, SymmetricKey)
    assert managed.key_block.cryptographic_algorithm is algorithm


# --- what else is detected ----------------------------------------------------------------------


def test_raw_octets_are_a_symmetric_key_of_the_algorithm_that_is_named() -> None:
    options = ReadingOptions(
        raw_type=ObjectType.SYMMETRIC_KEY, algorithm=CryptographicAlgorithm.CHACHA20
    )
    for file_format in (None, "raw"):
        (managed,) = read_key_file(bytes(32), options, file_format)
        assert managed.key_block.cryptographic_algorithm is CryptographicAlgorithm.CHACHA20
    (managed,) = read_key_file(bytes(32), SYMMETRIC, "chacha20")
    assert managed.key_block.cryptographic_algorithm is CryptographicAlgorithm.CHACHA20


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_base64_of_a_key_is_detected_in_either_alphabet(encode) -> None:
    octets = bytes(range(200, 248))
    (managed,) = read_key_file(b" " + encode(octets) + b"\n", SYMMETRIC)
    assert octets_of(managed) == octets


def test_secret_data_is_what_the_file_holds_to_the_byte() -> None:
    for octets in (b"aGVsbG8=", b"hunter2\n", bytes(3), b"0" * 64, b"{not json"):
        (managed,) = read_key_file(octets, SECRET)
        assert octets_of(managed) == octets


REFUSED = {
    "empty file": (b"", SYMMETRIC, None, "empty"),
    "hexadecimal key": (b"00" * 32, SYMMETRIC, None, "hexadecimal"),
    "raw key of an odd length": (bytes(17), SYMMETRIC, None, "none of PEM, DER"),
    "raw octets where no raw key can be": (bytes(32), PLAIN, None, "none of PEM, DER"),
    "raw octets named so": (bytes(32), PLAIN, "raw", "only symmetric keys"),
    "text": (b"hello there, this is no key", PLAIN, None, "none of PEM, DER"),
    "no base64": (b"%%%", SYMMETRIC, "base64", "not base64"),
    "a request for a certificate": (
        b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
        PLAIN,
        None,
        "CERTIFICATE REQUEST",
    ),
    "PEM without an end": (b"-----BEGIN PRIVATE KEY-----\nMIIB\n", PLAIN, None, "no complete PEM"),
    "malformed PEM": (
        b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
        PLAIN,
        None,
        "PUBLIC KEY is malformed",
    ),
    "empty JWK set": (b'{"keys": []}', PLAIN, None, "empty"),
    "JWK of an unknown type": (b'{"kty": "AKP"}', PLAIN, None, "the JWK is malformed"),
    "JWK without its number": (b'{"kty": "RSA", "e": "AQAB"}', PLAIN, None, "malformed"),
    "JWK with a number for a text": (b'{"kty": "oct", "k": 5}', SYMMETRIC, None, "malformed"),
    "JWK off its curve": (
        b'{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}', PLAIN, None, "malformed",
    ),
    "JWK that is a list": (b'{"keys": [5]}', PLAIN, None, "malformed"),
    "JSON of something else": (b'{"hello": 1}', PLAIN, None, "none of PEM, DER"),
    "JSON TTLV of a message": (
        b'{"tag": "Get", "type": "Structure", "value": []}', PLAIN, None, "a key file has one of",
    ),
    "JSON TTLV without its parts": (
        b'{"tag": "SymmetricKey", "type": "Structure", "value": []}', PLAIN, None, "JSON TTLV",
    ),
    "keystore of Java": (b"\xfe\xed\xfe\xed\0\0\0\2", PLAIN, None, "keytool -importkeystore"),
    "older keystore of Java": (b"\xce\xce\xce\xce\0\0\0\2", PLAIN, None, "keytool -importkeystore"),
    "key of PuTTY": (b"PuTTY-User-Key-File-3: ssh-rsa\n", PLAIN, None, "puttygen"),
    "PKCS#7 of nothing": (bytes.fromhex("300b06092a864886f70d010702"), PLAIN, None, "no certificates"),
    "OpenSSH line that is cut": (b"ssh-ed25519 AAAAC3Nz", PLAIN, None, "OpenSSH"),
    "certificate named as a key": (
        write_key_file(sample("certificate"), "pem"), PLAIN, "pkcs8-pem", "a certificate, not",
    ),
    "public key named as a private one": (
        write_key_file(sample("rsa public"), "pem"), PLAIN, "pkcs1-priv", "RSA public key, not",
    ),
    "key in a chain": (
        write_key_file(sample("rsa private"), "pem"), PLAIN, "chain", "RSA private key, not",
    ),
    "RSA key where an AES key is expected": (bytes(32), PLAIN, "aes", "only a symmetric key"),
    "truncated DER": (write_key_file(sample("rsa private"), "der")[:-1], PLAIN, "der", "truncated"),
}  # fmt: skip


@each_row("name", REFUSED)
def test_file_is_refused_with_one_line_that_says_why(name: str) -> None:
    octets, options, file_format, words = REFUSED[name]
    with pytest.raises(KeyFileError, match=words) as caught:
        read_key_file(octets, options, file_format)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["rsa private", "aes", "secret"])
def test_nothing_of_a_key_is_in_the_error_of_a_damaged_json_ttlv_file(kind: str) -> None:
    octets = write_key_file(sample(kind), "json-ttlv")
    damaged = octets.replace(b'"ByteString"', b'"Integer"')
    with pytest.raises(KeyFileError) as caught:
        read_key_file(damaged, options_for(kind))
    assert octets_of(sample(kind)).hex().upper()[:16] not in str(caught.value).upper()


def test_private_key_is_checked_when_it_is_read() -> None:
    managed = sample("p256 private")
    assert isinstance(managed, PrivateKey)
    jwk = json.loads(write_key_file(managed, "jwk"))
    jwk["d"] = json.loads(write_key_file(sample("p256 private"), "jwk"))["x"]
    with pytest.raises(KeyFileError):
        read_key_file(json.dumps(jwk).encode(), PLAIN)
