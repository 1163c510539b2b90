"""Signatures: published vectors, the choice of a scheme, and keys that must not sign."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import ED25519, P256, P384, P521, X25519
from kms_tornado.crypto.keys.generation import generate_ec
from kms_tornado.crypto.keys.loading import derive_public_key
from kms_tornado.crypto.keys.numbers import ECPublic, RSAPrivate, RSAPublic
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.policy import Technique
from kms_tornado.crypto.signing.schemes import SignatureAlgorithm
from kms_tornado.crypto.signing.signatures import Signer, Verifier
from kms_tornado.errors import CryptographicFailure, InvalidField
from kms_tornado.errors import UnsupportedCryptographicParameters as Unsupported
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import HashingAlgorithm as H
from kms_tornado.kmip.enums import PaddingMethod as Pad
from kms_tornado.kmip.structures import CryptographicParameters as P

from ... import keys
from ...rows import each_row
from .. import vectors

HASH_NAMES = {
    "SHA1": H.SHA_1, "SHA224": H.SHA_224, "SHA256": H.SHA_256, "SHA384": H.SHA_384,
    "SHA512": H.SHA_512, "SHA-1": H.SHA_1, "SHA-224": H.SHA_224, "SHA-256": H.SHA_256,
    "SHA-384": H.SHA_384, "SHA-512": H.SHA_512, "SHA512224": H.SHA_512_224,
    "SHA512256": H.SHA_512_256,
}  # fmt: skip
CURVES = {"P-256": P256, "P-384": P384, "P-521": P521}
MESSAGE = b"pay 12 EUR"


def rsa_spki(n: int, e: int) -> bytes:
    return key_formats.encode_canonical(RSAPublic(n, e)).reveal()


def rsa_private(bits: int = 2048) -> KeyMaterial:
    return KeyMaterial(
        keys.rsa_key(bits).private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.parametrize(
    ("path", "padding"),
    [("SigVer15_186-3.rsp", Pad.PKCS1_V1_5), ("SigVerPSS_186-3.rsp", Pad.PSS)],
)
def test_rsa_verification_follows_nist(path, padding):
    results = {"P": 0, "F": 0}
    for case in vectors.nist(f"asymmetric/RSA/FIPS_186-2/{path}"):
        n, e = int(case["n"], 16), int(case["e"], 16)
        if n.bit_length() < 2048 or e < 65537:
            continue
        wanted = P(padding_method=padding, hashing_algorithm=HASH_NAMES[case["SHAAlg"]])
        verifier = Verifier(rsa_spki(n, e), wanted)
        message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"])
        assert verifier.is_valid(message, signature) is (case["Result"][0] == "P")
        results[case["Result"][0]] += 1
    assert min(results.values()) >= 5


def test_ecdsa_verification_follows_nist():
    results = {"P": 0, "F": 0}
    for case in vectors.nist("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"):
        curve_name, hash_name = case["section"].split(",")
        if curve_name not in CURVES:
            continue
        curve = CURVES[curve_name]
        point = b"\4" + b"".join(int(case[c], 16).to_bytes(curve.size, "big") for c in ("Qx", "Qy"))
        spki = key_formats.encode_canonical(ECPublic(curve, point)).reveal()
        signature = encode_dss_signature(int(case["R"], 16), int(case["S"], 16))
        verifier = Verifier(spki, P(hashing_algorithm=HASH_NAMES[hash_name]))
        is_valid = case["Result"][0] == "P"
        assert verifier.is_valid(bytes.fromhex(case["Msg"]), signature) is is_valid
        results[case["Result"][0]] += 1
    assert min(results.values()) >= 40


def test_ed25519_follows_the_vectors_of_its_authors():
    for line in vectors.text("asymmetric/Ed25519/sign.input").splitlines()[:200]:
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        pkcs8 = KeyMaterial(bytes.fromhex("302e020100300506032b657004220420") + secret[:32])
        spki = bytes.fromhex("302a300506032b6570032100") + public
        assert Signer(pkcs8, P()).sign(message) == signed[:64]
        assert Verifier(spki, P()).is_valid(message, signed[:64])
        assert not Verifier(spki, P()).is_valid(message + b"x", signed[:64])


@pytest.mark.parametrize(
    ("wanted", "kind", "hashing"),
    [
        pytest.param(P(), SignatureAlgorithm.PSS, H.SHA_256, id="nothing said"),
        pytest.param(
            P(padding_method=Pad.PKCS1_V1_5), SignatureAlgorithm.PKCS1, H.SHA_256, id="padding"
        ),
        pytest.param(
            P(digital_signature_algorithm=7), SignatureAlgorithm.PKCS1, H.SHA_512, id="by its name"
        ),
        pytest.param(
            P(digital_signature_algorithm=8, hashing_algorithm=H.SHA3_384),
            SignatureAlgorithm.PSS,
            H.SHA3_384,
            id="RSASSA-PSS with a hash",
        ),
        pytest.param(
            P(padding_method=Pad.PSS, hashing_algorithm=H.SHA_512, salt_length=0),
            SignatureAlgorithm.PSS,
            H.SHA_512,
            id="no salt",
        ),
    ],
)
def test_rsa_scheme_is_what_the_parameters_say(wanted, kind, hashing):
    private = rsa_private()
    signer = Signer(private, wanted)
    assert (signer.scheme.algorithm, signer.scheme.hashing) == (kind, hashing)
    verifier = Verifier(derive_public_key(private).reveal(), wanted)
    assert verifier.is_valid(MESSAGE, signer.sign(MESSAGE))
    assert not verifier.is_valid(MESSAGE + b"!", signer.sign(MESSAGE))


@pytest.mark.parametrize(
    ("curve", "hashing"), [(P256, H.SHA_256), (P384, H.SHA_384), (P521, H.SHA_512), (ED25519, None)]
)
def test_curve_chooses_a_hash_as_strong_as_itself(curve, hashing):
    pair = generate_ec(curve)
    signer = Signer(pair.private, P())
    assert signer.scheme.hashing is hashing
    assert Verifier(pair.public.reveal(), P()).is_valid(MESSAGE, signer.sign(MESSAGE))


@pytest.mark.parametrize(
    "make", [rsa_private, lambda: generate_ec(P256).private], ids=["RSA", "EC"]
)
def test_signature_over_a_digest_is_the_one_over_the_data(make):
    private = make()
    signature = Signer(private, P()).sign(sha256(MESSAGE).digest(), is_digest=True)
    verifier = Verifier(derive_public_key(private).reveal(), P())
    assert verifier.is_valid(MESSAGE, signature)
    assert verifier.is_valid(sha256(MESSAGE).digest(), signature, is_digest=True)
    with pytest.raises(InvalidField):
        Signer(private, P()).sign(MESSAGE, is_digest=True)


def test_ed25519_signs_no_digest():
    with pytest.raises(InvalidField):
        Signer(generate_ec(ED25519).private, P()).sign(b"\0" * 64, is_digest=True)


@each_row(
    "wanted",
    [
        P(cryptographic_algorithm=A.ECDSA),
        P(padding_method=Pad.OAEP),
        P(digital_signature_algorithm=14),
        P(digital_signature_algorithm=1),
        P(digital_signature_algorithm=99),
        P(digital_signature_algorithm=8, padding_method=Pad.PKCS1_V1_5),
        P(digital_signature_algorithm=5, hashing_algorithm=H.SHA_512),
        P(hashing_algorithm=H.MD5),
        P(mask_generator_hashing_algorithm=H.MD5),
        P(salt_length=-1),
        P(salt_length=10**9),
        P(trailer_field=2),
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_an_rsa_key_are_refused(wanted):
    with pytest.raises(Unsupported):
        Signer(rsa_private(), wanted)


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [
        (P256, P(cryptographic_algorithm=A.RSA)),
        (P256, P(padding_method=Pad.PSS)),
        (P256, P(digital_signature_algorithm=8)),
        (ED25519, P(hashing_algorithm=H.SHA_256)),
        (ED25519, P(digital_signature_algorithm=14)),
        (ED25519, P(cryptographic_algorithm=A.ECDSA)),
        (X25519, P()),
    ],
)
def test_parameters_that_do_not_fit_a_key_on_a_curve_are_refused(curve, wanted):
    with pytest.raises(Unsupported):
        Signer(generate_ec(curve).private, wanted)


def test_salt_that_has_no_room_in_the_modulus_is_refused():
    with pytest.raises(CryptographicFailure):
        Signer(rsa_private(), P(salt_length=300)).sign(MESSAGE)


@each_row("signature", [b"", b"\0", b"\xff" * 256, b"\x30\x00", b"\0" * 64], ids=len)
@each_row("curve", [P256, ED25519, None], ids=["P-256", "Ed25519", "RSA"])
def test_anything_else_is_no_valid_signature(curve, signature):
    private = rsa_private() if curve is None else generate_ec(curve).private
    assert not Verifier(derive_public_key(private).reveal(), P()).is_valid(MESSAGE, signature)


def test_technique_says_what_the_policy_has_to_allow():
    assert Signer(rsa_private(), P()).scheme.techniques == (Technique.RSA_PSS,)
    with_sha_1 = Signer(rsa_private(), P(hashing_algorithm=H.SHA_1)).scheme
    assert Technique.SHA_1_SIGNATURE in with_sha_1.techniques


@each_row(
    "change",
    [
        pytest.param({"e": 1}, id="exponent 1"),
        pytest.param({"e": 3}, id="exponent 3"),
        pytest.param({"e": 65538}, id="even exponent"),
        pytest.param({"e": 1 << 300 | 1}, id="exponent too long"),
        pytest.param({"n": 1}, id="modulus 1"),
        pytest.param({"n": 0}, id="modulus 0"),
        pytest.param({"n": (1 << 2048) - 2}, id="even modulus"),
        pytest.param({"n": (1 << 4096) + 1}, id="modulus of 4097 bits"),
        pytest.param({"d": 5}, id="another exponent"),
        pytest.param({"d": 0}, id="exponent 0"),
        pytest.param({"p": 0}, id="p = 0"),
        pytest.param({"p": 1}, id="p = 1"),
        pytest.param({"p": 2}, id="p = 2"),
        pytest.param({"q": 15}, id="another q"),
        pytest.param({"dp": 1}, id="another dp"),
        pytest.param({"dq": 1}, id="another dq"),
        pytest.param({"qi": 1}, id="another qi"),
    ],
)
def test_rsa_key_that_is_none_does_not_sign(change):
    key = dataclasses.replace(key_formats.read_private(rsa_private()), **change)
    with pytest.raises((CryptographicFailure, Unsupported)):
        Signer(key_formats.encode_canonical(key), P())


def test_rsa_key_of_a_factor_that_is_no_prime_signs_nothing():
    """All its numbers fit together: only a test of primes, or of the signature, tells."""
    p = (2**521 - 1) * (2**607 - 1)
    q = key_formats.read_private(rsa_private()).q
    d = pow(65537, -1, (p - 1) * (q - 1))
    key = RSAPrivate(p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    with pytest.raises(CryptographicFailure):
        Signer(key_formats.encode_canonical(key), P()).sign(MESSAGE)
