"""Sign, SignatureVerify, and RSA's Encrypt and Decrypt, as clients call them."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from ..keys import private_key, rsa_key
from ..kmip_items import flag, name, number, octets, structure, uid
from .new_objects import certificate_der, imported, pair

DATA = b"pay 12 EUR"


def parameters(**given):
    spelled = {"padding": "PaddingMethod", "hashing": "HashingAlgorithm"}
    return structure(
        "CryptographicParameters", *(name(spelled[key], value) for key, value in given.items())
    )


def signature(user, key, data=DATA, *more):
    return user.do("Sign", uid(key), *more, octets("Data", data)).octets("SignatureData")


def verdict(user, key, signed, data=DATA, *more):
    answer = user.do(
        "SignatureVerify", uid(key), *more, octets("Data", data), octets("SignatureData", signed)
    )
    return answer["ValidityIndicator"]


@pytest.mark.parametrize("algorithm", ["EC", "ECDSA", "Ed25519"])
def test_what_a_new_pair_signs_it_verifies(alice, algorithm):
    private, public = pair(alice, algorithm)
    signed = signature(alice, private)
    assert verdict(alice, public, signed) == "Valid"
    assert verdict(alice, public, signed, DATA + b"!") == "Invalid"
    assert verdict(alice, public, signed[:-1]) == "Invalid"


@pytest.mark.parametrize("how", ["PSS", "PKCS1v15"])
def test_rsa_signature_is_one_that_others_verify(alice, how):
    private, public = imported(alice)
    signed = signature(alice, private, DATA, parameters(padding=how, hashing="SHA384"))
    scheme = padding.PKCS1v15()
    if how == "PSS":
        scheme = padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.DIGEST_LENGTH)
    rsa_key(2048).public_key().verify(signed, DATA, scheme, hashes.SHA384())
    assert (
        verdict(alice, public, signed, DATA, parameters(padding=how, hashing="SHA384")) == "Valid"
    )
    assert verdict(alice, public, signed) == "Invalid"  # another hash


def test_parameters_of_the_key_hold_where_the_request_has_none(alice):
    private, _ = imported(alice, None, parameters(padding="PKCS1v15", hashing="SHA512"))
    rsa_key(2048).public_key().verify(
        signature(alice, private), DATA, padding.PKCS1v15(), hashes.SHA512()
    )


def test_digest_is_signed_as_the_data_would_be(alice):
    private, public = pair(alice)
    digested = octets("DigestedData", sha256(DATA).digest())
    signed = alice.do("Sign", uid(private), digested).octets("SignatureData")
    assert verdict(alice, public, signed) == "Valid"
    answer = alice.do("SignatureVerify", uid(public), digested, octets("SignatureData", signed))
    assert answer["ValidityIndicator"] == "Valid"
    both = alice.refused("Sign", uid(private), digested, octets("Data", DATA))
    assert both.startswith("Invalid_Field: ")
    short = alice.refused("Sign", uid(private), octets("DigestedData", b"short"))
    assert short.startswith("Invalid_Field: ")


def in_parts(user, operation, key, parts, *last):
    """The answer to the last part."""
    begin = [flag("InitIndicator", True)]
    for part in parts[:-1]:
        answer = user.do(operation, uid(key), octets("Data", part), *begin)
        begin = [octets("CorrelationValue", answer.octets("CorrelationValue"))]
        assert answer.get("SignatureData") is answer.get("ValidityIndicator") is None
    return user.do(
        operation, uid(key), octets("Data", parts[-1]), *begin, flag("FinalIndicator", True), *last
    )


@pytest.mark.parametrize("make", [pair, imported], ids=["EC", "RSA"])
def test_data_in_parts_is_signed_and_verified_as_a_whole(alice, make):
    private, public = make(alice)
    parts = [b"pay ", b"", b"12", b" EUR"]
    signed = in_parts(alice, "Sign", private, parts).octets("SignatureData")
    assert verdict(alice, public, signed) == "Valid"
    last = octets("SignatureData", signed)
    for data, expected in ((parts, "Valid"), ([b"pay ", b"13 EUR"], "Invalid")):
        answer = in_parts(alice, "SignatureVerify", public, data, last)
        assert answer["ValidityIndicator"] == expected


def test_ed25519_takes_its_data_whole(alice):
    private, _ = pair(alice, "Ed25519")
    line = alice.refused("Sign", uid(private), octets("Data", b"x"), flag("InitIndicator", True))
    assert line.startswith("Feature_Not_Supported: ")


def test_certificate_verifies_with_the_key_in_it(alice):
    held = alice.do(
        "Import",
        uid(""),
        name("ObjectType", "Certificate"),
        structure("Attributes"),
        structure(
            "Object",
            name("CertificateType", "X509"),
            octets("CertificateValue", certificate_der(private_key("ES256"))),
        ),
    ).uid
    signed = private_key("ES256").sign(DATA, ec.ECDSA(hashes.SHA256()))
    assert verdict(alice, held, signed) == "Valid"
    assert verdict(alice, held, signed, b"other") == "Invalid"
    assert alice.refused("Sign", uid(held), octets("Data", DATA)).startswith("Invalid_Field")


@pytest.mark.parametrize(
    ("half", "mask", "operation", "more"),
    [
        (0, 2, "Sign", []),
        (1, 1, "SignatureVerify", [octets("SignatureData", b"x")]),
    ],
)
def test_usage_mask_is_kept(alice, half, mask, operation, more):
    key = pair(alice, "EC", number("CryptographicUsageMask", mask))[half]
    line = alice.refused(operation, uid(key), octets("Data", DATA), *more)
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_revoked_key_signs_no_more_and_its_signatures_still_verify(alice):
    private, public = pair(alice)
    signed = signature(alice, private)
    alice.revoke(private)
    alice.revoke(public)
    line = alice.refused("Sign", uid(private), octets("Data", DATA))
    assert line.startswith("Wrong_Key_Lifecycle_State: ")
    assert verdict(alice, public, signed) == "Valid"


def test_sha_1_takes_the_permissive_policy(alice):
    private, public = imported(alice)
    for operation, key, more in (
        ("Sign", private, []),
        ("SignatureVerify", public, [octets("SignatureData", bytes(256))]),
    ):
        line = alice.refused(
            operation, uid(key), parameters(hashing="SHA1"), octets("Data", DATA), *more
        )
        assert line.startswith("Unsupported_Cryptographic_Parameters: ")
        assert "SHA-1" in line


@pytest.mark.parametrize("kind", ["symmetric", "public", "X25519"])
def test_key_that_cannot_sign_is_refused(alice, kind):
    signing = number("CryptographicUsageMask", 1)
    if kind == "symmetric":
        key = alice.create(signing)
    elif kind == "public":
        key = pair(alice)[1]
    else:
        curve = structure("CryptographicDomainParameters", name("RecommendedCurve", "CURVE25519"))
        key = pair(alice, "ECDH", signing, curve)[0]
    line = alice.refused("Sign", uid(key), octets("Data", DATA))
    assert line.startswith(("Invalid_Field: ", "Unsupported_Cryptographic_Parameters: "))


def test_signature_is_asked_for(alice):
    line = alice.refused("SignatureVerify", uid(pair(alice)[1]), octets("Data", DATA))
    assert line.startswith("Missing_Data: ")


def test_usage_limit_counts_signatures(alice):
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000000002"},
        name("UsageLimitsUnit", "Object"),
    )
    made = alice.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "EC")),
        structure("PrivateKeyAttributes", limits),
    )
    private, public = made["PrivateKeyUniqueIdentifier"], made["PublicKeyUniqueIdentifier"]
    signed = [signature(alice, private) for _ in range(2)]
    assert alice.refused("Sign", uid(private), octets("Data", DATA)).startswith("Permission_Denied")
    assert {verdict(alice, public, each) for each in signed} == {"Valid"}


# --- RSA encryption -----------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], [parameters(padding="OAEP", hashing="SHA1")]], ids=len)
def test_what_a_public_key_encrypts_the_private_key_decrypts(alice, more):
    private, public = imported(alice)
    sealed = alice.do("Encrypt", uid(public), *more, octets("Data", DATA))
    assert sealed.get("IvCounterNonce") is sealed.get("AuthenticatedEncryptionTag") is None
    answer = alice.do("Decrypt", uid(private), *more, octets("Data", sealed.octets("Data")))
    assert answer.octets("Data") == DATA


def test_altered_ciphertext_is_one_cryptographic_failure(alice):
    private, _ = imported(alice)
    for bad in (bytes(256), b"x", b"\xff" * 256):
        line = alice.refused("Decrypt", uid(private), octets("Data", bad))
        assert line == "Cryptographic_Failure: decryption failed"


def test_pkcs1_v1_5_takes_the_permissive_policy(alice):
    private, public = imported(alice)
    for operation, key in (("Encrypt", public), ("Decrypt", private)):
        line = alice.refused(
            operation, uid(key), parameters(padding="PKCS1v15"), octets("Data", bytes(256)[:50])
        )
        assert line.startswith("Unsupported_Cryptographic_Parameters: ")
        assert "oracle" in line


def test_weak_rsa_keys_are_kept_and_not_used(alice):
    private, public = imported(alice, rsa_key(1024))
    assert alice.do("Get", uid(private))["ObjectType"] == "PrivateKey"
    for operation, key, item in (
        ("Sign", private, octets("Data", DATA)),
        ("Encrypt", public, octets("Data", DATA)),
        ("Decrypt", private, octets("Data", bytes(128))),
    ):
        line = alice.refused(operation, uid(key), item)
        assert line.startswith("Unsupported_Cryptographic_Parameters: ")
