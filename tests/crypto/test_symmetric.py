"""AES-GCM and ChaCha20-Poly1305 against published vectors, and everything they refuse."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.symmetric import (
    KEY_LENGTHS,
    SUPPORTED,
    check_key_length,
    cipher_for,
    decrypt,
    encrypt,
    generate,
)
from kms_tornado.errors import (
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidField,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm

AES = CryptographicAlgorithm.AES
CHACHA20 = CryptographicAlgorithm.CHACHA20
CHACHA20_POLY1305 = CryptographicAlgorithm.CHACHA20_POLY1305

GCM_KEY = "feffe9928665731c6d6a8f9467308308"
GCM_DATA = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
GCM_AAD = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
GCM_IV = "cafebabefacedbaddecaf888"

VECTORS = [
    pytest.param(
        AES,
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "101112131415161718191a1b",
        "70617920313220455552",
        "696e766f6963652037",
        "f71cc780d0693e6afc82",
        "995ba3203588121abf88daee23440e1e",
        id="billing-1, KMIP.md section 8",
    ),
    pytest.param(
        AES,
        "00" * 16,
        "00" * 12,
        "",
        "",
        "",
        "58e2fccefa7e3061367f1d57a4e7455a",
        id="GCM specification, test case 1: nothing to encrypt",
    ),
    pytest.param(
        AES,
        GCM_KEY,
        GCM_IV,
        GCM_DATA,
        GCM_AAD,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        "5bc94fbc3221a5db94fae95ae7121a47",
        id="GCM specification, test case 4: AES-128",
    ),
    pytest.param(
        AES,
        GCM_KEY,
        "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
        "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
        GCM_DATA,
        GCM_AAD,
        "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
        "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
        "619cc5aefffe0bfa462af43c1699d050",
        id="GCM specification, test case 6: IV of 60 bytes",
    ),
    pytest.param(
        AES,
        GCM_KEY + GCM_KEY[:16],
        GCM_IV,
        GCM_DATA,
        GCM_AAD,
        "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
        "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
        "2519498e80f1478f37ba55bd6d27618c",
        id="GCM specification, test case 10: AES-192",
    ),
    pytest.param(
        AES,
        GCM_KEY * 2,
        GCM_IV,
        GCM_DATA,
        GCM_AAD,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
        id="GCM specification, test case 16: AES-256",
    ),
    *(
        pytest.param(
            algorithm,
            bytes(range(0x80, 0xA0)).hex(),
            "070000004041424344454647",
            (
                b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
                b"for the future, sunscreen would be it."
            ).hex(),
            "50515253c0c1c2c3c4c5c6c7",
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b6116",
            "1ae10b594f09e26a7e902ecbd0600691",
            id=f"RFC 8439 section 2.8.2, {algorithm.name}",
        )
        for algorithm in (CHACHA20, CHACHA20_POLY1305)
    ),
]


@pytest.mark.parametrize(("algorithm", "key", "iv", "data", "aad", "ciphertext", "tag"), VECTORS)
def test_published_vectors(algorithm, key, iv, data, aad, ciphertext, tag):
    material = KeyMaterial(bytes.fromhex(key))
    iv, data, aad = bytes.fromhex(iv), bytes.fromhex(data), bytes.fromhex(aad)
    sealed = encrypt(algorithm, material, data, aad, iv)
    assert (sealed.iv, sealed.ciphertext.hex(), sealed.tag.hex()) == (iv, ciphertext, tag)
    assert decrypt(algorithm, material, sealed.ciphertext, iv, sealed.tag, aad) == data


EVERY_KEY = [
    pytest.param(algorithm, length, id=f"{algorithm.name}-{length}")
    for algorithm, lengths in KEY_LENGTHS.items()
    for length in lengths
]


@pytest.mark.parametrize(("algorithm", "length"), EVERY_KEY)
@pytest.mark.parametrize("size", [0, 1, 16, 4097])
def test_data_comes_back_in_its_length(algorithm, length, size):
    key = generate(algorithm, length)
    sealed = encrypt(algorithm, key, bytes(size))
    assert (len(sealed.iv), len(sealed.ciphertext), len(sealed.tag)) == (12, size, 16)
    assert decrypt(algorithm, key, sealed.ciphertext, sealed.iv, sealed.tag) == bytes(size)


@pytest.mark.parametrize(("algorithm", "mode"), SUPPORTED)
def test_every_mode_that_is_offered_works(algorithm, mode):
    key = generate(algorithm, 256)
    sealed = encrypt(algorithm, key, b"pay 12 EUR", b"invoice 7", mode=mode)
    opened = decrypt(
        algorithm, key, sealed.ciphertext, sealed.iv, sealed.tag, b"invoice 7", mode=mode
    )
    assert opened == b"pay 12 EUR"


@pytest.mark.parametrize(("algorithm", "length"), EVERY_KEY)
def test_generated_keys_have_their_length_and_differ(algorithm, length):
    one, two = generate(algorithm, length), generate(algorithm, length)
    assert one.bits == two.bits == length
    assert one != two


def test_an_iv_that_is_not_given_is_new_each_time():
    key = generate(AES, 256)
    assert len({encrypt(AES, key, b"").iv for _ in range(100)}) == 100


# --- refusals -----------------------------------------------------------------------------------

KEY = KeyMaterial(bytes(range(32)))
IV = bytes(range(12))
AAD = b"invoice 7"


@pytest.mark.parametrize("algorithm", [AES, CHACHA20])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"key": KeyMaterial(bytes(32))}, id="another key"),
        pytest.param({"data": b"pay 99 EUR"}, id="other data"),
        pytest.param({"data": b""}, id="no data"),
        pytest.param({"iv": bytes(12)}, id="another IV"),
        pytest.param({"iv": b""}, id="an empty IV"),
        pytest.param({"iv": bytes(8)}, id="an IV of 8 bytes"),
        pytest.param({"iv": bytes(65)}, id="an IV of 65 bytes"),
        pytest.param({"aad": b"invoice 8"}, id="other AAD"),
        pytest.param({"aad": b""}, id="no AAD"),
        pytest.param({"tag": bytes(16)}, id="another tag"),
        pytest.param({"tag": None}, id="no tag"),
        pytest.param({"tag": b""}, id="an empty tag"),
    ],
)
def test_every_fault_of_a_decryption_reads_alike(algorithm, change):
    sealed = encrypt(algorithm, KEY, b"pay 12 EUR", AAD, IV)
    good = {"key": KEY, "data": sealed.ciphertext, "iv": IV, "tag": sealed.tag, "aad": AAD}
    assert decrypt(algorithm, **good) == b"pay 12 EUR"
    with pytest.raises(CryptographicFailure, match=r"^decryption failed$") as caught:
        decrypt(algorithm, **{**good, **change})
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", [AES, CHACHA20])
@pytest.mark.parametrize("length", [*range(16), 17, 32])
def test_a_tag_of_another_length_is_never_accepted(algorithm, length):
    sealed = encrypt(algorithm, KEY, b"pay 12 EUR", AAD, IV)
    tag = (sealed.tag * 2)[:length]
    with pytest.raises(CryptographicFailure):
        decrypt(algorithm, KEY, sealed.ciphertext, IV, tag, AAD)


@pytest.mark.parametrize("algorithm", [AES, CHACHA20])
def test_the_border_of_data_and_tag_does_not_move(algorithm):
    sealed = encrypt(algorithm, KEY, b"pay 12 EUR", AAD, IV)
    both = sealed.ciphertext + sealed.tag
    with pytest.raises(CryptographicFailure):
        decrypt(algorithm, KEY, both[:-15], IV, both[-15:], AAD)


def test_a_missing_iv_has_an_error_of_its_own():
    with pytest.raises(MissingInitializationVector):
        decrypt(AES, KEY, b"", None, bytes(16))


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [
        pytest.param(AES, 0, id="AES, empty"),
        pytest.param(AES, 8, id="AES, 8 bytes, which the library takes"),
        pytest.param(AES, 11, id="AES, 11 bytes"),
        pytest.param(AES, 65, id="AES, 65 bytes"),
        pytest.param(CHACHA20, 8, id="ChaCha20, 8 bytes"),
        pytest.param(CHACHA20, 13, id="ChaCha20, 13 bytes"),
        pytest.param(CHACHA20, 16, id="ChaCha20, 16 bytes"),
    ],
)
def test_an_iv_of_no_legal_length_is_refused(algorithm, length):
    with pytest.raises(InvalidField, match="the IV has 12"):
        encrypt(algorithm, KEY, b"", b"", bytes(length))


@pytest.mark.parametrize("length", [12, 13, 16, 60, 64])
def test_aes_gcm_takes_longer_ivs(length):
    sealed = encrypt(AES, KEY, b"data", b"", bytes(length))
    assert decrypt(AES, KEY, sealed.ciphertext, bytes(length), sealed.tag) == b"data"


@pytest.mark.parametrize(
    ("algorithm", "mode"),
    [
        pytest.param(AES, BlockCipherMode.ECB, id="AES-ECB"),
        pytest.param(AES, BlockCipherMode.CBC, id="AES-CBC"),
        pytest.param(AES, BlockCipherMode.CTR, id="AES-CTR"),
        pytest.param(AES, BlockCipherMode.GCM_SIV, id="AES-GCM-SIV"),
        pytest.param(CHACHA20, BlockCipherMode.GCM, id="ChaCha20 in GCM"),
        pytest.param(CryptographicAlgorithm.THREE_DES, None, id="3DES"),
        pytest.param(CryptographicAlgorithm.RSA, None, id="RSA"),
    ],
)
def test_what_is_not_offered_is_refused(algorithm, mode):
    with pytest.raises(UnsupportedCryptographicParameters, match=f"{algorithm.name}.* not offered"):
        encrypt(algorithm, KEY, b"", mode=mode)
    with pytest.raises(UnsupportedCryptographicParameters):
        decrypt(algorithm, KEY, b"", IV, bytes(16), mode=mode)
    with pytest.raises(UnsupportedCryptographicParameters):
        cipher_for(algorithm, mode)


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [
        pytest.param(AES, 0, id="AES-0"),
        pytest.param(AES, 64, id="AES-64"),
        pytest.param(AES, 129, id="AES-129"),
        pytest.param(AES, 512, id="AES-512"),
        pytest.param(AES, -256, id="a negative length"),
        pytest.param(CHACHA20, 128, id="ChaCha20-128"),
        pytest.param(CHACHA20_POLY1305, 512, id="ChaCha20-Poly1305-512"),
    ],
)
def test_keys_of_no_legal_length_are_refused(algorithm, length):
    with pytest.raises(InvalidAttributeValue, match="bits"):
        generate(algorithm, length)
    with pytest.raises(InvalidAttributeValue):
        check_key_length(algorithm, length)


def test_keys_of_another_algorithm_are_not_generated():
    with pytest.raises(UnsupportedCryptographicParameters, match="THREE_DES"):
        generate(CryptographicAlgorithm.THREE_DES, 192)


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [
        pytest.param(AES, 0, id="AES, none"),
        pytest.param(AES, 15, id="AES, 15 bytes"),
        pytest.param(AES, 64, id="AES, 64 bytes"),
        pytest.param(CHACHA20, 16, id="ChaCha20, 16 bytes"),
    ],
)
def test_a_stored_key_that_does_not_fit_the_algorithm_is_refused(algorithm, length):
    with pytest.raises(UnsupportedCryptographicParameters):
        encrypt(algorithm, KeyMaterial(bytes(length)), b"")
    with pytest.raises(UnsupportedCryptographicParameters):
        decrypt(algorithm, KeyMaterial(bytes(length)), b"", IV, bytes(16))
