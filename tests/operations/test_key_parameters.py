"""A key's CryptographicParameters bind every operation that uses it, whoever asks (permissive policy)."""

from __future__ import annotations

import pytest

from ..kmip_items import flag, name, number, octets, structure, uid
from .new_objects import pair
from .objects.wrapping import KEK, come_back, under

DATA = bytes(32)
ENCRYPT, DECRYPT, WRAP, UNWRAP, DERIVE, MAC = 4, 8, 0x10, 0x20, 0x200, 0x80
REFUSED = "Bad_Cryptographic_Parameters: the key's CryptographicParameters set "


def parameters(**fields):
    """``parameters(BlockCipherMode="GCM", TagLength=16)``."""
    makers = {str: name, int: number, bool: flag}
    return structure(
        "CryptographicParameters",
        *(makers[type(value)](tag, value) for tag, value in fields.items()),
    )


def mode(value):
    return parameters(BlockCipherMode=value)


@pytest.fixture
def dave(permissive):
    user = permissive.user()
    yield user
    user.close()


@pytest.fixture
def key(carol):
    """It says GCM, and its mask allows everything."""
    return carol.create(mode("GCM"), mask=ENCRYPT | DECRYPT | WRAP | UNWRAP | DERIVE | MAC)


# --- the attack -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
@pytest.mark.parametrize("other", ["ECB", "CBC", "CTR"])
def test_gcm_key_works_in_no_other_mode_for_owner_and_grantee(carol, dave, key, operation, other):
    """In ECB and CTR, who may only encrypt would get the key stream of any message in GCM."""
    carol.grant(key, dave, "encrypt", "decrypt")
    iv = [] if other == "ECB" else [octets("IvCounterNonce", bytes(16))]
    for user in (carol, dave):
        line = user.refused(operation, uid(key), octets("Data", DATA), mode(other), *iv)
        assert line.startswith(f"{REFUSED}BlockCipherMode to GCM")


def test_gcm_key_works_in_gcm_named_or_not(carol, dave, key):
    carol.grant(key, dave, "encrypt", "decrypt")
    for more in ([], [mode("GCM")], [mode("AEAD")], [parameters(TagLength=16)]):
        assert carol.decrypt(key, dave.encrypt(key, DATA, *more)) == DATA


def test_first_part_of_a_stream_is_bound(carol, key):
    items = [octets("Data", DATA), flag("InitIndicator", True), mode("ECB")]
    assert carol.refused("Encrypt", uid(key), *items).startswith(REFUSED)


def test_gcm_key_derives_by_no_encryption(carol, key):
    def items(*more):
        return [
            name("ObjectType", "SymmetricKey"), uid(key), name("DerivationMethod", "ENCRYPT"),
            structure("DerivationParameters", octets("DerivationData", DATA), *more),
            structure("Attributes", name("CryptographicAlgorithm", "AES"),
                      number("CryptographicLength", 256)),
        ]  # fmt: skip

    assert carol.refused("DeriveKey", *items(mode("ECB"))).startswith(REFUSED)
    assert carol.refused("DeriveKey", *items()).startswith("Invalid_Field: ")


def test_gcm_key_makes_no_mac(carol, key):
    for more in (
        [],
        [parameters(CryptographicAlgorithm="HMACSHA256")],
        [parameters(BlockCipherMode="CMAC")],
    ):
        assert "_Cryptographic_Parameters: " in carol.refused(
            "MAC", uid(key), octets("Data", DATA), *more
        )


# --- fields besides the mode ----------------------------------------------------------------------

#: What the key sets, what the request says, and how the refusal begins.
CONFLICTS = {
    "a shorter tag": ({"TagLength": 16}, {"TagLength": 12}, f"{REFUSED}TagLength to 16"),
    "a mode without the tag": (
        {"TagLength": 16},
        {"BlockCipherMode": "ECB"},
        "Bad_Cryptographic_Parameters: TagLength goes with an authenticated mode",
    ),
    "no padding": (
        {"BlockCipherMode": "CBC", "PaddingMethod": "PKCS5"},
        {"PaddingMethod": "None"},
        f"{REFUSED}PaddingMethod to PKCS5",
    ),
    "an algorithm": (
        {"CryptographicAlgorithm": "AES"},
        {"CryptographicAlgorithm": "ChaCha20"},
        f"{REFUSED}CryptographicAlgorithm to AES",
    ),
    "the caller's nonce, by name": (
        {"RandomIv": True},
        {"RandomIv": False},
        f"{REFUSED}RandomIV to True",
    ),
    "another length of the IV": ({"IvLength": 12}, {"IvLength": 16}, f"{REFUSED}IVLength to 12"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_field_that_the_key_sets_is_not_changed(carol, case):
    own, requested, start = CONFLICTS[case]
    key = carol.create(parameters(**own))
    line = carol.refused("Encrypt", uid(key), octets("Data", DATA), parameters(**requested))
    assert line.startswith(start)
    repeated = carol.do("Encrypt", uid(key), octets("Data", DATA), parameters(**own))
    assert repeated.uid == key


def test_key_for_random_ivs_takes_none_from_a_caller(carol):
    key = carol.create(parameters(RandomIv=True))
    iv = octets("IvCounterNonce", bytes(12))
    line = carol.refused("Encrypt", uid(key), octets("Data", DATA), iv)
    assert line.startswith(
        "Bad_Cryptographic_Parameters: the key's CryptographicParameters set RandomIV"
    )
    assert carol.decrypt(key, carol.encrypt(key, DATA)) == DATA


def test_iv_has_the_length_that_the_key_sets(carol):
    key = carol.create(parameters(IvLength=12))
    line = carol.refused(
        "Encrypt", uid(key), octets("Data", DATA), octets("IvCounterNonce", bytes(16))
    )
    assert line == "Bad_Cryptographic_Parameters: by IVLength the IV has 12 bytes"
    assert carol.encrypt(key, DATA, octets("IvCounterNonce", bytes(12))).uid == key


def test_key_for_chacha20_poly1305_is_never_the_bare_stream_cipher(carol):
    """With its counter and its nonce the stream cipher gives the key stream of any message."""
    key = carol.create(parameters(CryptographicAlgorithm="ChaCha20Poly1305"), algorithm="ChaCha20")
    line = carol.refused(
        "Encrypt", uid(key), octets("Data", DATA), octets("IvCounterNonce", bytes(8))
    )
    assert line.startswith("Invalid_Field: the IV has 12 bytes")
    assert carol.decrypt(key, carol.encrypt(key, DATA)) == DATA


# --- wrapping -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "requested"),
    [
        ("GCM", "AESKeyWrapPadding"),
        ("GCM", "NISTKeyWrap"),
        ("AESKeyWrapPadding", "GCM"),
        ("NISTKeyWrap", "GCM"),
    ],
)
def test_wrapping_key_wraps_and_unwraps_in_its_own_mode_alone(carol, own, requested):
    plain = carol.create()
    kek = carol.import_key("", KEK, mode(own), number("CryptographicUsageMask", WRAP | UNWRAP))
    assert carol.refused("Get", uid(plain), under(kek, requested)).startswith(REFUSED)
    for named in (None, own):
        wrapped = carol.do("Get", uid(plain), under(kek, named))
        assert carol.key_of(come_back(carol, wrapped)) == carol.key_of(plain)
    free = carol.import_key("", KEK, number("CryptographicUsageMask", WRAP | UNWRAP))
    assert carol.do("Get", uid(plain), under(free, requested)).uid == plain


@pytest.mark.parametrize("own", ["CBC", "ECB", "CTR"])
def test_key_for_a_mode_that_wraps_nothing_wraps_nothing(carol, own):
    kek = carol.import_key("", KEK, mode(own))
    plain = carol.create()
    for named in (None, "AESKeyWrapPadding"):
        line = carol.refused("Get", uid(plain), under(kek, named))
        assert "_Cryptographic_Parameters: " in line


# --- RSA and signatures ---------------------------------------------------------------------------


def rsa(user, **own):
    return pair(user, "RSA", number("CryptographicLength", 2048), parameters(**own))


def test_signature_is_made_as_the_key_has_it_and_no_other_one_is_valid(carol):
    private, public = rsa(carol, PaddingMethod="PSS", HashingAlgorithm="SHA256")
    weaker = parameters(PaddingMethod="PSS", HashingAlgorithm="SHA1")
    data = octets("Data", DATA)
    assert carol.refused("Sign", uid(private), data, weaker).startswith(
        f"{REFUSED}HashingAlgorithm to SHA_256"
    )
    signature = octets(
        "SignatureData", carol.do("Sign", uid(private), data).octets("SignatureData")
    )
    for more, verdict in (([], "Valid"), ([weaker], "Invalid")):
        found = carol.do("SignatureVerify", uid(public), data, signature, *more)
        assert found["ValidityIndicator"] == verdict
    line = carol.refused("SignatureVerify", uid(public), data, flag("InitIndicator", True), weaker)
    assert line.startswith(REFUSED)


def test_signature_algorithm_of_the_key_implies_padding_and_hash(carol):
    private, public = rsa(carol, DigitalSignatureAlgorithm="SHA256WithRSAEncryption")
    data = octets("Data", DATA)
    for other in ({"PaddingMethod": "PSS"}, {"HashingAlgorithm": "SHA1"}):
        assert "_Cryptographic_Parameters: " in carol.refused(
            "Sign", uid(private), data, parameters(**other)
        )
    assert carol.do("Sign", uid(private), data).uid == private
    for operation, key in (("Encrypt", public), ("Decrypt", private)):
        line = carol.refused(operation, uid(key), data, parameters(PaddingMethod="OAEP"))
        assert line.startswith("Bad_Cryptographic_Parameters: DigitalSignatureAlgorithm")


def test_rsa_key_for_oaep_decrypts_by_oaep_alone(carol):
    private, public = rsa(carol, PaddingMethod="OAEP", HashingAlgorithm="SHA256")
    pkcs1 = parameters(PaddingMethod="PKCS1v15")
    for operation, key in (("Encrypt", public), ("Decrypt", private)):
        line = carol.refused(operation, uid(key), octets("Data", DATA), pkcs1)
        assert line.startswith(f"{REFUSED}PaddingMethod to OAEP")
    sealed = carol.do("Encrypt", uid(public), octets("Data", DATA)).octets("Data")
    assert carol.do("Decrypt", uid(private), octets("Data", sealed)).octets("Data") == DATA


def test_mac_is_the_one_that_the_key_names(carol):
    key = carol.create(parameters(CryptographicAlgorithm="HMACSHA256"), algorithm="HMACSHA256")
    other = parameters(CryptographicAlgorithm="HMACSHA512")
    assert carol.refused("MAC", uid(key), octets("Data", DATA), other).startswith(REFUSED)
    assert len(carol.do("MAC", uid(key), octets("Data", DATA)).octets("MACData")) == 32
