"""Encryption against published vectors, and everything it refuses."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.encryption import ciphers
from kms_tornado.crypto.encryption.suites import (
    SUITES,
    check_data_length,
    check_iv,
)
from kms_tornado.crypto.keys.symmetric import generate_key
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.policy import Technique
from kms_tornado.errors import (
    CryptographicFailure,
    InvalidField,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)

from ...rows import each_row
from ..suites import AES, CBC, CHACHA20, CHACHA20_POLY1305, CTR, ECB, PKCS5, THREE_DES, suite


def encrypt(algorithm, key, data, aad=b"", iv=None, **parameters):
    """As the operation does it."""
    chosen = suite(algorithm, iv, **parameters)
    if iv is not None:
        check_iv(chosen, iv)
    check_data_length(chosen, len(data))
    return ciphers.encrypt(
        chosen, key, data, aad, ciphers.generate_iv(chosen) if iv is None else iv
    )


def decrypt(algorithm, key, data, iv, tag, aad=b"", **parameters):
    return ciphers.decrypt(suite(algorithm, iv, **parameters), key, data, aad, iv, tag)


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
        id='billing-1: docs/dialects.md, "Operations of the published clients"',
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


@each_row(("algorithm", "key", "iv", "data", "aad", "ciphertext", "tag"), VECTORS)
def test_published_vectors(algorithm, key, iv, data, aad, ciphertext, tag):
    material = KeyMaterial(bytes.fromhex(key))
    iv, data, aad = bytes.fromhex(iv), bytes.fromhex(data), bytes.fromhex(aad)
    sealed = encrypt(algorithm, material, data, aad, iv)
    assert (sealed.iv, sealed.ciphertext.hex(), sealed.tag.hex()) == (iv, ciphertext, tag)
    assert decrypt(algorithm, material, sealed.ciphertext, iv, sealed.tag, aad) == data


BARE = [
    pytest.param(
        AES, {"mode": ECB}, "2b7e151628aed2a6abf7158809cf4f3c", "",
        "6bc1bee22e409f96e93d7e117393172a", "3ad77bb40d7a3660a89ecaf32466ef97",
        id="AES-ECB: SP 800-38A F.1.1",
    ),
    pytest.param(
        AES, {"mode": CBC}, "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
        "6bc1bee22e409f96e93d7e117393172a", "7649abac8119b246cee98e9b12e9197d",
        id="AES-CBC: SP 800-38A F.2.1",
    ),
    pytest.param(
        AES, {"mode": CBC, "padding": PKCS5}, "0123456789abcdef0123456789abcdef",
        "01020304050607080910111213141516",
        "010203040506070809101112131415160102030405060708091011121314151601",
        "79abc5c23868ad84d388ce61110a62742bda19d694bbcb757dd06617c0d80fb1"
        "df2e71864ad9633d7d797e30860df00d",
        id="AES-CBC with padding: OASIS CS-BC-M-10",
    ),
    pytest.param(
        AES, {"mode": CTR}, "2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "6bc1bee22e409f96e93d7e117393172aae2d", "874d6191b620e3261bef6864990db6ce9806",
        id="AES-CTR: SP 800-38A F.5.1",
    ),
    pytest.param(
        THREE_DES, {"mode": ECB},
        "0123456789abcdef23456789abcdef01456789abcdef0123", "",
        "6bc1bee22e409f96e93d7e117393172a", "714772f339841d34267fcc4bd2949cc3",
        id="3DES-ECB: SP 800-67 example",
    ),
    pytest.param(
        CHACHA20, {}, "00" * 32, "00" * 8,
        "00" * 64,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
        id="bare ChaCha20: OASIS CS-BC-M-CHACHA20-1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "how", "key", "iv", "data", "ciphertext"), BARE)
def test_published_vectors_of_what_does_not_authenticate(algorithm, how, key, iv, data, ciphertext):
    key = KeyMaterial(bytes.fromhex(key))
    iv, data = bytes.fromhex(iv) or None, bytes.fromhex(data)
    sealed = encrypt(algorithm, key, data, b"", iv, **how)
    assert (sealed.ciphertext.hex(), sealed.tag, sealed.iv) == (ciphertext, None, iv)
    assert decrypt(algorithm, key, sealed.ciphertext, iv, None, **how) == data


EVERY_KEY = [
    pytest.param(algorithm, length, id=f"{algorithm.name}-{length}")
    for algorithm, length in [
        (AES, 128), (AES, 192), (AES, 256), (CHACHA20, 256), (CHACHA20_POLY1305, 256),
    ]
]  # fmt: skip


@each_row(("algorithm", "length"), EVERY_KEY)
@each_row("size", [0, 1, 16, 4097])
def test_data_comes_back_in_its_length(algorithm, length, size):
    key = generate_key(algorithm, length)
    sealed = encrypt(algorithm, key, bytes(size))
    assert (len(sealed.iv), len(sealed.ciphertext), len(sealed.tag)) == (12, size, 16)
    assert decrypt(algorithm, key, sealed.ciphertext, sealed.iv, sealed.tag) == bytes(size)


EVERY_SUITE = [
    pytest.param(
        algorithm,
        mode,
        padding,
        id=f"{algorithm.name}-{mode and mode.name}-{padding and padding.name}",
    )
    for algorithm, mode in SUITES
    for padding in ((None, PKCS5) if mode in {CBC, ECB} else (None,))
]


def new_key(algorithm):
    return generate_key(algorithm, 192 if algorithm is THREE_DES else 256)


@each_row(("algorithm", "mode", "padding"), EVERY_SUITE)
@each_row("size", [0, 1, 15, 16, 17, 48, 1000])
def test_data_comes_back_in_one_part_and_in_many(algorithm, mode, padding, size):
    chosen = suite(algorithm, mode=mode, padding=padding)
    if size % chosen.block_bytes and padding is None:
        with pytest.raises(InvalidField, match="PKCS5"):
            check_data_length(chosen, size)
        return
    key, data, aad = new_key(algorithm), bytes(range(250)) * 4, b"a" * chosen.tag_bytes
    data, iv = data[:size], ciphers.generate_iv(chosen)
    sealed = ciphers.encrypt(chosen, key, data, aad, iv)
    assert ciphers.decrypt(chosen, key, sealed.ciphertext, aad, iv, sealed.tag) == data
    for step in (1, 7, 16, 17, 999):
        encryptor = ciphers.start_encryption(chosen, key, iv, aad)
        parts = [encryptor.update(data[n : n + step]) for n in range(0, size, step)]
        rest, tag = encryptor.finish()
        assert (b"".join(parts) + rest, tag) == (sealed.ciphertext, sealed.tag)
        decryptor = ciphers.start_decryption(chosen, key, iv, aad)
        ciphertext = sealed.ciphertext
        parts = [
            decryptor.update(ciphertext[n : n + step]) for n in range(0, len(ciphertext), step)
        ]
        if chosen.is_authenticated:
            assert b"".join(parts) == b"", "nothing is given before the tag was verified"
        assert b"".join(parts) + decryptor.finish(sealed.tag) == data


def test_an_iv_that_is_not_given_is_new_each_time():
    key = generate_key(AES, 256)
    assert len({encrypt(AES, key, b"").iv for _ in range(100)}) == 100


# --- refusals -----------------------------------------------------------------------------------

KEY = KeyMaterial(bytes(range(32)))
IV = bytes(range(12))
AAD = b"invoice 7"


@each_row("algorithm", [AES, CHACHA20])
@each_row(
    "change",
    [
        pytest.param({"key": KeyMaterial(bytes(32))}, id="another key"),
        pytest.param({"data": b"pay 99 EUR"}, id="other data"),
        pytest.param({"data": b""}, id="no data"),
        pytest.param({"iv": bytes(12)}, id="another IV"),
        pytest.param({"iv": b""}, id="an empty IV"),
        pytest.param({"iv": bytes(7)}, id="an IV of 7 bytes"),
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


@each_row("algorithm", [AES, CHACHA20])
@each_row("length", [*range(16), 17, 32])
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
        pytest.param(AES, 7, id="AES, 7 bytes"),
        pytest.param(AES, 65, id="AES, 65 bytes"),
        pytest.param(CHACHA20, 7, id="ChaCha20, 7 bytes"),
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


# --- short tags, counters, nonces ---------------------------------------------------------------


@each_row("algorithm", [AES, CHACHA20])
@each_row("length", [12, 13, 14, 15])
def test_shorter_tag_is_the_beginning_of_the_whole_one_and_asks_the_policy(algorithm, length):
    whole = encrypt(algorithm, KEY, b"pay 12 EUR", AAD, IV)
    short = encrypt(algorithm, KEY, b"pay 12 EUR", AAD, IV, tag_length=length)
    assert short == whole._replace(tag=whole.tag[:length])
    assert Technique.GCM_SHORT_TAG in suite(algorithm, tag_length=length).list_techniques(IV)
    opened = decrypt(algorithm, KEY, short.ciphertext, IV, short.tag, AAD, tag_length=length)
    assert opened == b"pay 12 EUR"
    for tag in (whole.tag, short.tag[:-1], bytes(length), short.tag[:-1] + b"x", None):
        with pytest.raises(CryptographicFailure):
            decrypt(algorithm, KEY, short.ciphertext, IV, tag, AAD, tag_length=length)
    with pytest.raises(CryptographicFailure):
        decrypt(algorithm, KEY, b"pay 99 EUR", IV, short.tag, AAD, tag_length=length)
    with pytest.raises(CryptographicFailure):
        decrypt(algorithm, KEY, short.ciphertext, IV, short.tag, b"", tag_length=length)


def test_counter_that_would_run_over_is_refused():
    """Beyond its 32 bits it goes on with the key stream of another nonce."""
    iv = bytes(12) + b"\xff\xff\xff\xff"
    assert len(encrypt(AES, KEY, bytes(16), b"", iv, mode=CTR).ciphertext) == 16
    with pytest.raises(InvalidField, match="longer than the counter"):
        encrypt(AES, KEY, bytes(17), b"", iv, mode=CTR)
    last = 2**32 - 1
    assert encrypt(CHACHA20, KEY, bytes(64), b"", bytes(8), counter=last)
    with pytest.raises(InvalidField, match="longer than the counter"):
        encrypt(CHACHA20, KEY, bytes(65), b"", bytes(8), counter=last)


def test_counter_of_bare_chacha20_skips_blocks():
    whole = encrypt(CHACHA20, KEY, bytes(192), b"", bytes(8)).ciphertext
    assert encrypt(CHACHA20, KEY, bytes(64), b"", bytes(8), counter=2).ciphertext == whole[128:]
    with pytest.raises(InvalidField):
        suite(CHACHA20, bytes(8), counter=-1)


def test_new_counter_block_starts_at_zero_behind_a_random_nonce():
    found = [ciphers.generate_iv(suite(AES, mode=CTR)) for _ in range(50)]
    assert {iv[12:] for iv in found} == {bytes(4)}
    assert len({iv[:12] for iv in found}) == 50


def test_ciphers_that_share_a_key_stream_share_the_nonce():
    """GCM's first data block has the counter 2 behind its nonce; CTR may be told to start there."""
    gcm = encrypt(AES, KEY, bytes(32), b"", IV).ciphertext
    ctr = encrypt(AES, KEY, bytes(32), b"", IV + b"\0\0\0\2", mode=CTR).ciphertext
    assert gcm == ctr
    assert ciphers.normalise_nonce(suite(AES), IV) == ciphers.normalise_nonce(
        suite(AES, mode=CTR), IV + b"\0\0\0\2"
    )
    # RFC 8439 begins its data with block 1; Bernstein's nonce has four zero bytes before it there.
    aead = encrypt(CHACHA20, KEY, bytes(32), b"", bytes(4) + b"8 bytes.").ciphertext
    bare = encrypt(CHACHA20, KEY, bytes(32), b"", b"8 bytes.", counter=1).ciphertext
    assert aead == bare
    assert ciphers.normalise_nonce(
        suite(CHACHA20), bytes(4) + b"8 bytes."
    ) == ciphers.normalise_nonce(suite(CHACHA20, b"8 bytes."), b"8 bytes.")


# --- blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "mode"), [(AES, CBC), (AES, ECB), (THREE_DES, CBC), (THREE_DES, ECB)]
)
def test_wrong_padding_and_a_wrong_length_are_the_same_error(algorithm, mode):
    key = new_key(algorithm)
    chosen = suite(algorithm, mode=mode, padding=PKCS5)
    iv = ciphers.generate_iv(chosen)
    unpadded = suite(algorithm, mode=mode)
    endings = (bytes(1), b"\x11", b"\x02\x03", b"\x00\x02", b"\xff", b"\x09" * 3)
    faults = [
        ciphers.encrypt(unpadded, key, end.rjust(chosen.block_bytes, b"x"), b"", iv).ciphertext
        for end in endings
    ]
    faults += [b"", b"x", bytes(chosen.block_bytes - 1), bytes(chosen.block_bytes + 1)]
    said = set()
    for fault in faults:
        with pytest.raises(CryptographicFailure) as failure:
            ciphers.decrypt(chosen, key, fault, b"", iv, None)
        said.add((str(failure.value), failure.value.__cause__))
    assert said == {("decryption failed", None)}


@pytest.mark.parametrize("mode", [CBC, CTR])
def test_bare_mode_needs_its_iv_too(mode):
    with pytest.raises(MissingInitializationVector):
        decrypt(AES, KEY, bytes(16), None, None, mode=mode)
    for length in (0, 12, 15, 17):
        with pytest.raises(InvalidField, match="16 bytes"):
            encrypt(AES, KEY, bytes(16), b"", bytes(length), mode=mode)
        with pytest.raises(CryptographicFailure):
            decrypt(AES, KEY, bytes(16), bytes(length), None, mode=mode)


def test_ecb_has_no_iv():
    assert encrypt(AES, KEY, bytes(16), mode=ECB).iv is None
    with pytest.raises(InvalidField, match="no IV"):
        encrypt(AES, KEY, bytes(16), b"", bytes(16), mode=ECB)


def test_two_key_3des_is_three_keys_the_first_of_them_twice():
    two = bytes.fromhex("0123456789abcdef23456789abcdef01")
    ciphertext = encrypt(THREE_DES, KeyMaterial(two), bytes(16), mode=ECB).ciphertext
    three = KeyMaterial(two + two[:8])
    assert encrypt(THREE_DES, three, bytes(16), mode=ECB).ciphertext == ciphertext


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
