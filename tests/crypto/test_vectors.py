"""Every algorithm of ours against the vectors that `cryptography` itself is tested with."""

from __future__ import annotations

import re

import pytest

from kms_tornado.crypto import hashes, key_derivation
from kms_tornado.crypto.encryption import ciphers, key_wrapping
from kms_tornado.crypto.encryption.suites import choose_suite
from kms_tornado.crypto.hashes import BLOCK_BYTES
from kms_tornado.crypto.mac import MACSuite, compute_mac
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import CryptographicFailure
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm
from kms_tornado.kmip.structures import CryptographicParameters

from ..rows import each_row
from ..vectors import root, sample, stanzas

AES, THREE_DES = CryptographicAlgorithm.AES, CryptographicAlgorithm.THREE_DES
CHACHA20, CHACHA20_POLY1305 = (
    CryptographicAlgorithm.CHACHA20,
    CryptographicAlgorithm.CHACHA20_POLY1305,
)


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def key(text: str) -> KeyMaterial:
    return KeyMaterial(bytes.fromhex(text))


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("file", ["gcmEncryptExtIV", "gcmDecrypt"])
def test_aes_gcm(file, bits):
    used = 0
    for v in stanzas(root() / f"ciphers/AES/GCM/{file}{bits}.rsp"):
        tag, iv = octets(v["TAG"]), octets(v["IV"])
        if int(v["COUNT"]) > 1 or len(tag) < 12 or not 8 <= len(iv) <= 64:
            continue  # of each combination of lengths the first two; tags and IVs of no legal length
        used += 1
        suite = choose_suite(AES, CryptographicParameters(tag_length=len(tag)), iv)
        aad, ciphertext = octets(v["AAD"]), octets(v["CT"])
        if "FAIL" in v:
            with pytest.raises(CryptographicFailure):
                ciphers.decrypt(suite, key(v["KEY"]), ciphertext, aad, iv, tag)
            continue
        plaintext = octets(v["PT"])
        sealed = ciphers.encrypt(suite, key(v["KEY"]), plaintext, aad, iv)
        assert (sealed.ciphertext, sealed.tag) == (ciphertext, tag)
        assert ciphers.decrypt(suite, key(v["KEY"]), ciphertext, aad, iv, tag) == plaintext
    assert used > 100


def test_chacha20_poly1305():
    for v in stanzas(root() / "ciphers/ChaCha20Poly1305/openssl.txt"):
        if len(iv := octets(v["IV"])) != 12 or "PLAINTEXT" not in v:
            continue
        tag = octets(v["TAG"])
        suite = choose_suite(CHACHA20_POLY1305, CryptographicParameters(tag_length=len(tag)), iv)
        aad, data, ciphertext = octets(v["AAD"]), octets(v["PLAINTEXT"]), octets(v["CIPHERTEXT"])
        if "RESULT" in v:  # as openssl.txt says that it must fail
            with pytest.raises(CryptographicFailure):
                ciphers.decrypt(suite, key(v["KEY"]), ciphertext, aad, iv, tag)
            continue
        sealed = ciphers.encrypt(suite, key(v["KEY"]), data, aad, iv)
        assert (sealed.ciphertext, sealed.tag) == (ciphertext, tag)
        encryptor = ciphers.start_encryption(suite, key(v["KEY"]), iv, aad)
        assert encryptor.update(data) == ciphertext
        assert encryptor.finish() == (b"", tag)
        assert ciphers.decrypt(suite, key(v["KEY"]), ciphertext, aad, iv, tag) == data


def test_chacha20():
    """Those vectors of RFC 7539 whose nonce is one of Bernstein's, with four zero bytes before it."""
    used = 0
    for v in stanzas(root() / "ciphers/ChaCha20/rfc7539.txt"):
        nonce = octets(v["NONCE"])
        if nonce[:4] != bytes(4):
            continue
        used += 1
        counter = CryptographicParameters(initial_counter_value=int(v["INITIAL_BLOCK_COUNTER"]))
        suite = choose_suite(CHACHA20, counter, nonce[4:])
        sealed = ciphers.encrypt(suite, key(v["KEY"]), octets(v["PLAINTEXT"]), b"", nonce[4:])
        assert sealed.ciphertext == octets(v["CIPHERTEXT"])
    assert used >= 3


AES_FILES = [
    *(f"CBC/CBC{kind}{bits}" for kind in ("MMT", "GFSbox", "VarTxt") for bits in (128, 192, 256)),
    *(f"ECB/ECB{kind}{bits}" for kind in ("MMT", "KeySbox", "VarKey") for bits in (128, 192, 256)),
    *(f"CTR/aes-{bits}-ctr" for bits in (128, 192, 256)),
]


def check_blocks(algorithm, mode, path):
    for v in sample(path):
        iv = octets(v["IV"]) if mode is not BlockCipherMode.ECB else None
        suite = choose_suite(algorithm, CryptographicParameters(block_cipher_mode=mode), iv)
        named = key("".join(v[f"KEY{n}"] for n in (1, 2, 3)) if "KEY1" in v else v["KEY"])
        data, ciphertext = octets(v["PLAINTEXT"]), octets(v["CIPHERTEXT"])
        assert ciphers.encrypt(suite, named, data, b"", iv).ciphertext == ciphertext
        assert ciphers.decrypt(suite, named, ciphertext, b"", iv, None) == data


@each_row("file", AES_FILES)
def test_aes_without_authentication(file):
    found = list((root() / "ciphers/AES").glob(f"{file}.*")) or [
        root() / "ciphers/AES" / f"{file}.txt"
    ]
    check_blocks(AES, BlockCipherMode[file[:3]], found[0])


@pytest.mark.parametrize("mode", [BlockCipherMode.CBC, BlockCipherMode.ECB])
@pytest.mark.parametrize("kind", ["MMT2", "MMT3"])
def test_3des(mode, kind):
    check_blocks(THREE_DES, mode, root() / f"ciphers/3DES/{mode.name}/T{mode.name}{kind}.rsp")


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("way", ["KW", "KWP"])
def test_key_wrap(way, bits):
    wrap, unwrap = {
        "KW": (key_wrapping.wrap_kw, key_wrapping.unwrap_kw),
        "KWP": (key_wrapping.wrap_kwp, key_wrapping.unwrap_kwp),
    }[way]
    folder = root() / "keywrap/kwtestvectors"
    for v in sample(folder / f"{way}_AE_{bits}.txt"):
        assert wrap(key(v["K"]), octets(v["P"])) == octets(v["C"])
    refused = 0
    for v in sample(folder / f"{way}_AD_{bits}.txt"):
        if "FAIL" in v:
            refused += 1
            with pytest.raises(CryptographicFailure):
                unwrap(key(v["K"]), octets(v["C"]))
        else:
            assert unwrap(key(v["K"]), octets(v["C"])) == octets(v["P"])
    assert refused


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_aes_cmac(bits):
    for v in stanzas(root() / f"CMAC/nist-800-38b-aes{bits}.txt"):
        assert compute_mac(MACSuite(None), key(v["KEY"]), octets(v["MESSAGE"])) == octets(
            v["OUTPUT"]
        )


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        ("rfc-2202-sha1", HashingAlgorithm.SHA_1),
        ("rfc-4231-sha224", HashingAlgorithm.SHA_224),
        ("rfc-4231-sha256", HashingAlgorithm.SHA_256),
        ("rfc-4231-sha384", HashingAlgorithm.SHA_384),
        ("rfc-4231-sha512", HashingAlgorithm.SHA_512),
    ],
)
def test_hmac(file, algorithm):
    for v in stanzas(root() / f"HMAC/{file}.txt"):
        if len(octets(v["KEY"])) > BLOCK_BYTES[algorithm]:  # see test_mac
            continue
        found = compute_mac(MACSuite(algorithm), key(v["KEY"]), octets(v["MSG"]))
        assert found == octets(v["MD"])


@each_row(
    ("file", "algorithm"),
    [
        ("SHA1/SHA1", HashingAlgorithm.SHA_1),
        ("SHA2/SHA224", HashingAlgorithm.SHA_224),
        ("SHA2/SHA256", HashingAlgorithm.SHA_256),
        ("SHA2/SHA384", HashingAlgorithm.SHA_384),
        ("SHA2/SHA512", HashingAlgorithm.SHA_512),
        ("SHA2/SHA512_224", HashingAlgorithm.SHA_512_224),
        ("SHA2/SHA512_256", HashingAlgorithm.SHA_512_256),
        ("SHA3/SHA3_224", HashingAlgorithm.SHA3_224),
        ("SHA3/SHA3_256", HashingAlgorithm.SHA3_256),
        ("SHA3/SHA3_384", HashingAlgorithm.SHA3_384),
        ("SHA3/SHA3_512", HashingAlgorithm.SHA3_512),
    ],
)
def test_hashes(file, algorithm):
    for v in sample(root() / f"hashes/{file}ShortMsg.rsp"):
        message = octets(v["MSG"])[: int(v["LEN"]) // 8]
        assert hashes.compute_digest(algorithm, message) == octets(v["MD"])


@pytest.mark.parametrize("name", ["SHA1", "SHA256"])
def test_hkdf(name):
    algorithm = HashingAlgorithm[name.replace("SHA", "SHA_")]
    for v in stanzas(root() / f"KDF/rfc-5869-HKDF-{name}.txt"):
        inputs = key_derivation.DerivationInputs(
            int(v["L"]), algorithm, octets(v["INFO"]), octets(v["SALT"])
        )
        assert key_derivation.derive_by_hkdf(key(v["IKM"]), inputs).reveal() == octets(v["OKM"])


def test_pbkdf2():
    used = 0
    for v in stanzas(root() / "KDF/rfc-6070-PBKDF2-SHA1.txt"):
        if int(v["ITERATIONS"]) > key_derivation.MAX_PBKDF2_ROUNDS:
            continue  # 16 million take seconds
        used += 1
        salt, password = (v[name].replace("\\0", "\0").encode() for name in ("SALT", "PASSWORD"))
        inputs = key_derivation.DerivationInputs(
            int(v["LENGTH"]), HashingAlgorithm.SHA_1, salt=salt
        )
        found = key_derivation.derive_by_pbkdf2(KeyMaterial(password), inputs, int(v["ITERATIONS"]))
        assert found.reveal() == octets(v["DERIVED_KEY"])
    assert used >= 4


def test_nist_800_108_in_counter_mode():
    used = 0
    for v in stanzas(root() / "KDF/nist-800-108-KBKDF-CTR.txt"):
        found = re.fullmatch(r"HMAC_SHA(\d+)", v["PRF"])
        if not found or (v["CTRLOCATION"], v["RLEN"]) != ("BEFORE_FIXED", "32_BITS"):
            continue
        used += 1
        algorithm = HashingAlgorithm[f"SHA_{found[1]}"]
        inputs = key_derivation.DerivationInputs(
            int(v["L"]) // 8, algorithm, octets(v["FIXEDINPUTDATA"])
        )
        assert key_derivation.derive_by_nist_800_108(key(v["KI"]), inputs).reveal() == octets(
            v["KO"]
        )
    assert used >= 100
