"""Published vectors through the operations, from the request's octets to the answer's."""

from __future__ import annotations

import pytest

from ..kmip_items import attributes, name, number, octets, structure, uid
from ..vectors import root, stanzas

FEW = 6
DERIVE = 0x200


def some(file, where=lambda vector: True):
    found = [each for each in stanzas(root() / file) if where(each)]
    assert found
    return found[:: max(1, len(found) // FEW)][:FEW]


def hexed(tag, value):
    return octets(tag, bytes.fromhex(value))


def parameters(**items):
    tags = {
        "mode": "BlockCipherMode",
        "hash": "HashingAlgorithm",
        "named": "CryptographicAlgorithm",
    }
    held = [name(tags[key], value) for key, value in items.items() if key in tags]
    if "tag" in items:
        held.append(number("TagLength", items["tag"]))
    return structure("CryptographicParameters", *held)


def imported(user, key, algorithm="AES", mask=None):
    more = [] if mask is None else [number("CryptographicUsageMask", mask)]
    return user.import_key("", bytes.fromhex(key), *more, algorithm=algorithm)


def check(user, key, how, plaintext, ciphertext, *more, tag=None):
    sealed = user.do("Encrypt", uid(key), hexed("Data", plaintext), how, *more)
    assert sealed["Data"].lower() == ciphertext.lower()
    assert (sealed.get("AuthenticatedEncryptionTag") or "").lower() == (tag or "")
    tags = [hexed("AuthenticatedEncryptionTag", tag)] if tag else []
    opened = user.do("Decrypt", uid(key), hexed("Data", ciphertext), how, *more, *tags)
    assert opened["Data"].lower() == plaintext.lower()


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_aes_gcm(carol, bits):
    def is_legal(v):
        return len(v["TAG"]) >= 24 and 16 <= len(v["IV"]) <= 128

    for v in some(f"ciphers/AES/GCM/gcmEncryptExtIV{bits}.rsp", is_legal):
        items = [
            hexed("IvCounterNonce", v["IV"]),
            hexed("AuthenticatedEncryptionAdditionalData", v["AAD"]),
        ]
        how = parameters(mode="GCM", tag=len(v["TAG"]) // 2)
        check(carol, imported(carol, v["KEY"]), how, v["PT"], v["CT"], *items, tag=v["TAG"])


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        ("CBC/CBCMMT128.rsp", "CBC"), ("CBC/CBCMMT256.rsp", "CBC"), ("ECB/ECBMMT192.rsp", "ECB"),
        ("CTR/aes-128-ctr.txt", "CTR"), ("CTR/aes-256-ctr.txt", "CTR"),
    ],
)  # fmt: skip
def test_aes_without_authentication(carol, file, mode):
    for v in some(f"ciphers/AES/{file}"):
        items = [hexed("IvCounterNonce", v["IV"])] if mode != "ECB" else []
        key = imported(carol, v["KEY"])
        check(carol, key, parameters(mode=mode), v["PLAINTEXT"], v["CIPHERTEXT"], *items)


def test_3des(carol):
    for v in some("ciphers/3DES/CBC/TCBCMMT3.rsp"):
        key = imported(carol, v["KEY1"] + v["KEY2"] + v["KEY3"], "THREE_DES")
        iv = hexed("IvCounterNonce", v["IV"])
        check(carol, key, parameters(mode="CBC"), v["PLAINTEXT"], v["CIPHERTEXT"], iv)


def test_chacha20_poly1305(carol):
    def is_whole(v):
        return len(v["IV"]) == 24 and "RESULT" not in v

    for v in some("ciphers/ChaCha20Poly1305/openssl.txt", is_whole):
        items = [
            hexed("IvCounterNonce", v["IV"]),
            hexed("AuthenticatedEncryptionAdditionalData", v["AAD"]),
        ]
        key = imported(carol, v["KEY"], "ChaCha20")
        how = parameters(mode="AEAD")
        check(carol, key, how, v["PLAINTEXT"], v["CIPHERTEXT"], *items, tag=v["TAG"])


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_hmac(carol, bits):
    longest = 64 if bits <= 256 else 128
    for v in some(f"HMAC/rfc-4231-sha{bits}.txt"):
        if len(v["KEY"]) > 2 * longest:
            continue  # refused: test_separation
        key = imported(carol, v["KEY"], f"HMACSHA{bits}")
        found = carol.do("MAC", uid(key), hexed("Data", v["MSG"]))
        assert found["MACData"].lower() == v["MD"]
        mac = hexed("MACData", v["MD"])
        assert carol.do("MACVerify", uid(key), hexed("Data", v["MSG"]), mac)[
            "ValidityIndicator"
        ] == ("Valid")


def test_aes_cmac(carol):
    for v in some("CMAC/nist-800-38b-aes256.txt"):
        key = imported(carol, v["KEY"], mask=0x80)
        found = carol.do("MAC", uid(key), hexed("Data", v["MESSAGE"]))
        assert found["MACData"].lower() == v["OUTPUT"]


def test_hashes(carol):
    for algorithm, file in (("SHA_256", "SHA2/SHA256"), ("SHA3_512", "SHA3/SHA3_512")):
        for v in some(f"hashes/{file}ShortMsg.rsp"):
            data = v["MSG"][: int(v["LEN"]) // 4]
            found = carol.do("Hash", parameters(hash=algorithm), hexed("Data", data))
            assert found["Data"].lower() == v["MD"]


def derived(user, key, method, length, *items):
    return user.do(
        "DeriveKey",
        name("ObjectType", "SymmetricKey"),
        uid(key),
        name("DerivationMethod", method),
        structure("DerivationParameters", *items),
        attributes(algorithm="HMACSHA256", bits=8 * length),
    ).uid


def test_derivations(carol):
    for v in stanzas(root() / "KDF/rfc-5869-HKDF-SHA256.txt"):
        items = [
            parameters(hash="SHA_256"),
            hexed("DerivationData", v["INFO"]),
            hexed("Salt", v["SALT"]),
        ]
        key = imported(carol, v["IKM"], "HMACSHA256", DERIVE)
        made = derived(carol, key, "HKDF", int(v["L"]), *items)
        assert carol.key_of(made).hex() == v["OKM"]
    for v in some("KDF/nist-800-108-KBKDF-CTR.txt", is_ours):
        items = [parameters(hash="SHA_256"), hexed("DerivationData", v["FIXEDINPUTDATA"])]
        key = imported(carol, v["KI"], "HMACSHA256", DERIVE)
        made = derived(carol, key, "NIST800_108_C", int(v["L"]) // 8, *items)
        assert carol.key_of(made).hex() == v["KO"]


def is_ours(v):
    return (v["PRF"], v["CTRLOCATION"], v["RLEN"]) == ("HMAC_SHA256", "BEFORE_FIXED", "32_BITS")
