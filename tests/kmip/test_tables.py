"""Spellings: what is understood, and what each dialect is given."""

from __future__ import annotations

from collections import Counter

import pytest

from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    Operation,
    PaddingMethod,
    RevocationReasonCode,
    State,
    WrappingMethod,
)
from kms_tornado.kmip.tables import (
    ENUMERATIONS,
    OPERATION_TAGS,
    TAG_NAMES,
    TAG_NUMBERS,
    TAG_SPELLINGS,
    find_tag,
    loosen,
    normalise,
)

from ..rows import each_row


@each_row(
    ("specified", "normalised"),
    [
        ("IV/Counter/Nonce", "IVCounterNonce"),
        ("SHA-256", "SHA_256"),
        ("SHA-512/224", "SHA_512_224"),
        ("PKCS#8", "PKCS_8"),
        ("X.509", "X_509"),
        ("3DES", "DES3"),
        ("Re-key", "ReKey"),
        ("MAC/sign then encrypt", "MACSignThenEncrypt"),
        ("Cessation of Operation", "CessationOfOperation"),
        ("On-line storage", "OnLineStorage"),
        ("PKCS1 v1.5", "PKCS1V1_5"),
        ("Polynomial Sharing GF (216)", "PolynomialSharingGF216"),
        ("D", "D"),
    ],
)
def test_name_is_normalised_as_the_profile_says(specified, normalised):
    assert normalise(specified) == normalised


@each_row(
    ("tag", "spelling", "member"),
    [
        ("HashingAlgorithm", "SHA_256", HashingAlgorithm.SHA_256),
        ("HashingAlgorithm", "SHA256", HashingAlgorithm.SHA_256),
        ("HashingAlgorithm", "SHA-256", HashingAlgorithm.SHA_256),
        ("MaskGeneratorHashingAlgorithm", "sha256", HashingAlgorithm.SHA_256),
        ("KeyFormatType", "PKCS_8", KeyFormatType.PKCS8),
        ("KeyFormatType", "PKCS8", KeyFormatType.PKCS8),
        ("KeyFormatType", "X_509", KeyFormatType.X509),
        ("KeyFormatType", "CoverCryptSecretKey", KeyFormatType.COVER_CRYPT_SECRET_KEY),
        ("PaddingMethod", "PKCS1_v1_5", PaddingMethod.PKCS1_V1_5),
        ("PaddingMethod", "PKCS1v15", PaddingMethod.PKCS1_V1_5),
        ("PaddingMethod", "PKCS1V1_5", PaddingMethod.PKCS1_V1_5),
        ("BlockCipherMode", "CBC_MAC", BlockCipherMode.CBC_MAC),
        ("BlockCipherMode", "NISTKeyWrap", BlockCipherMode.NIST_KEY_WRAP),
        ("BlockCipherMode", "GCMSIV", BlockCipherMode.GCM_SIV),
        ("State", "Destroyed_Compromised", State.DESTROYED_COMPROMISED),
        ("CryptographicAlgorithm", "3DES", CryptographicAlgorithm.THREE_DES),
        ("CryptographicAlgorithm", "THREE_DES", CryptographicAlgorithm.THREE_DES),
        ("CryptographicAlgorithm", "DES3", CryptographicAlgorithm.THREE_DES),
        ("CryptographicAlgorithm", "TripleDES", CryptographicAlgorithm.THREE_DES),
        ("CryptographicAlgorithm", "CoverCrypt", CryptographicAlgorithm.COVER_CRYPT),
        ("CryptographicAlgorithm", "Page166Of230McEliece", CryptographicAlgorithm.MCELIECE),
        ("ObjectType", "OpaqueObject", ObjectType.OPAQUE_OBJECT),
        ("ObjectType", "OpaqueData", ObjectType.OPAQUE_OBJECT),
        ("CryptographicUsageMask", "Wrap Key", CryptographicUsageMask.WRAP_KEY),
        ("CryptographicAlgorithm", "AES-256", None),
        ("CryptographicAlgorithm", "", None),
        ("CryptographicAlgorithm", "(Reserved)", None),
        ("ObjectType", "Reserved", None),
    ],
)
def test_loose_spelling_finds_the_number(tag, spelling, member):
    assert ENUMERATIONS[tag].number(spelling) == member


def test_loose_rule_merges_no_two_values():
    for tag, table in ENUMERATIONS.items():
        names = Counter(loosen(name) for name in table.oasis.values())
        assert [name for name, times in names.items() if times > 1] == [], tag


def test_what_is_emitted_is_understood():
    for tag, table in ENUMERATIONS.items():
        for names in (table.oasis, table.cosmian):
            understood = {number: table.number(name) for number, name in names.items()}
            assert understood == {number: number for number in names}, tag


@each_row(
    ("tag", "member", "spelling"),
    [
        ("ObjectType", ObjectType.SYMMETRIC_KEY, "SymmetricKey"),
        ("ObjectType", ObjectType.OPAQUE_OBJECT, "OpaqueObject"),
        ("ObjectType", ObjectType.PGP_KEY, "PGPKey"),
        ("CryptographicAlgorithm", CryptographicAlgorithm.THREE_DES, "THREE_DES"),
        ("CryptographicAlgorithm", CryptographicAlgorithm.HMAC_SHA256, "HMACSHA256"),
        ("CryptographicAlgorithm", CryptographicAlgorithm.CHACHA20_POLY1305, "ChaCha20Poly1305"),
        ("CryptographicAlgorithm", CryptographicAlgorithm.ED25519, "Ed25519"),
        ("CryptographicAlgorithm", CryptographicAlgorithm.COVER_CRYPT, "CoverCrypt"),
        ("KeyFormatType", KeyFormatType.PKCS8, "PKCS8"),
        ("KeyFormatType", KeyFormatType.X509, "X509"),
        ("KeyFormatType", KeyFormatType.EC_PRIVATE_KEY, "ECPrivateKey"),
        ("KeyFormatType", KeyFormatType.TRANSPARENT_SYMMETRIC_KEY, "TransparentSymmetricKey"),
        ("BlockCipherMode", BlockCipherMode.AEAD, "AEAD"),
        ("PaddingMethod", PaddingMethod.NONE, "None"),
        ("PaddingMethod", PaddingMethod.PKCS1_V1_5, "PKCS1v15"),
        ("WrappingMethod", WrappingMethod.ENCRYPT, "Encrypt"),
        ("KeyWrapType", KeyWrapType.AS_REGISTERED, "AsRegistered"),
        ("State", State.PRE_ACTIVE, "PreActive"),
        ("State", State.DESTROYED_COMPROMISED, "Destroyed_Compromised"),
        ("RevocationReasonCode", RevocationReasonCode.CA_COMPROMISE, "CACompromise"),
        ("LinkType", LinkType.PKCS12_CERTIFICATE_LINK, "PKCS12CertificateLink"),
        ("LinkType", LinkType.WRAPPING_KEY_LINK, "WrappingKeyLink"),
        ("CertificateType", CertificateType.X509, "X509"),
    ],
)
def test_cosmian_clients_are_given_their_spelling(tag, member, spelling):
    assert ENUMERATIONS[tag].cosmian[member] == spelling


@each_row(
    ("spelling", "tag"),
    [
        pytest.param("UniqueIdentifier", "UniqueIdentifier", id="name"),
        pytest.param("IvCounterNonce", "IVCounterNonce", id="the clients' IV"),
        pytest.param("IVCounterNonce", "IVCounterNonce", id="KMIP's IV"),
        pytest.param("VendorAttributes", "Attribute", id="vendor attribute"),
        pytest.param("Remove", "Remove", id="Cosmian's extension"),
        pytest.param("EncryptResponse", "EncryptResponse", id="response"),
        pytest.param("0x420094", "UniqueIdentifier", id="number"),
        pytest.param("0x4200c2", "Data", id="number in lower case"),
        pytest.param("uniqueidentifier", None, id="lower case"),
        pytest.param("Unique Identifier", None, id="not normalised"),
        pytest.param("0x42013F", None, id="reserved number"),
        pytest.param("0x94", None, id="short number"),
        pytest.param("420094", None, id="number without 0x"),
        pytest.param("0x42009４", None, id="digit of another script"),
        pytest.param("", None, id="empty"),
    ],
)
def test_tag_is_found_by_name_or_number(spelling, tag):
    assert find_tag(spelling) == tag


def test_tag_names_and_numbers_are_inverse():
    assert {number: name for name, number in TAG_NUMBERS.items()} == dict(TAG_NAMES)


def test_every_alias_leads_to_a_known_tag():
    assert set(TAG_SPELLINGS.values()) <= set(TAG_SPELLINGS) | {"Attribute"}


@pytest.mark.parametrize(
    ("operation", "tag"),
    [
        (Operation.GET_ATTRIBUTES, "GetAttributes"),
        (Operation.RE_KEY_KEY_PAIR, "ReKeyKeyPair"),
        (Operation.MAC_VERIFY, "MACVerify"),
        (Operation.RE_CERTIFY, "ReCertify"),
    ],
)
def test_operation_has_the_tag_that_clients_send(operation, tag):
    assert OPERATION_TAGS[operation] == tag
