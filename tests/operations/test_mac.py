"""MAC, MACVerify, Hash, RNGRetrieve and RNGSeed (KMIP 2.1 §6.1)."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from ..kmip_items import name, number, octets, structure, uid
from ..rows import each_row

DATA = b"pay 12 EUR"
#: An AES key makes MACs where its mask names them.
MACS = 0x180


def parameters(**items):
    tags = {
        "algorithm": "CryptographicAlgorithm", "hash": "HashingAlgorithm", "mode": "BlockCipherMode",
    }  # fmt: skip
    return structure("CryptographicParameters", *(name(tags[k], v) for k, v in items.items()))


def mac(user, key, data=DATA, *more):
    return user.do("MAC", uid(key), octets("Data", data), *more).octets("MACData")


def verdict(user, key, value, data=DATA, *more):
    found = user.do("MACVerify", uid(key), octets("Data", data), octets("MACData", value), *more)
    return found["ValidityIndicator"]


@each_row("data", [b"", b"x", DATA, bytes(300_000)], ids=len)
@each_row(
    ("algorithm", "hash_name"),
    [("HMACSHA1", "sha1"), ("HMACSHA224", "sha224"), ("HMACSHA256", "sha256"), ("HMACSHA512", "sha512")],
)  # fmt: skip
def test_hmac_key_makes_its_hmac(alice, algorithm, hash_name, data):
    key = alice.create(algorithm=algorithm)
    right = hmac.digest(alice.key_of(key), data, hash_name)
    assert mac(alice, key, data) == right
    assert verdict(alice, key, right, data) == "Valid"


def test_aes_key_makes_a_cmac_or_the_hmac_that_is_named(alice):
    key = alice.create(mask=MACS)
    cmac = CMAC(AES(alice.key_of(key)))
    cmac.update(DATA)
    assert mac(alice, key) == cmac.finalize()
    named = parameters(algorithm="HMACSHA256")
    right = hmac.digest(alice.key_of(key), DATA, "sha256")
    assert mac(alice, key, DATA, named) == right
    assert verdict(alice, key, right, DATA, named) == "Valid"
    assert verdict(alice, key, right) == "Invalid"


def test_parameters_of_the_key_count_and_the_request_changes_none_of_them(alice):
    key = alice.create(parameters(algorithm="HMACSHA512"), mask=MACS)
    for more in ([], [parameters(algorithm="HMACSHA512")], [parameters(hash="SHA512")]):
        assert mac(alice, key, DATA, *more) == hmac.digest(alice.key_of(key), DATA, "sha512")
    items = [octets("Data", DATA), parameters(algorithm="HMACSHA256")]
    assert alice.refused("MAC", uid(key), *items).startswith("Bad_Cryptographic_Parameters: ")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda value: b"", id="empty"),
        pytest.param(lambda value: value[:1], id="one byte"),
        pytest.param(lambda value: value[:-1], id="cut"),
        pytest.param(lambda value: value + b"\0", id="longer"),
        pytest.param(lambda value: bytes(len(value)), id="zeros"),
        pytest.param(lambda value: bytes([value[0] ^ 1]) + value[1:], id="altered"),
    ],
)
def test_another_mac_is_invalid(alice, change):
    key = alice.create(algorithm="HMACSHA256")
    value = mac(alice, key)
    assert verdict(alice, key, change(value)) == "Invalid"
    assert verdict(alice, key, value, DATA + b"\0") == "Invalid"
    assert verdict(alice, alice.create(algorithm="HMACSHA256"), value) == "Invalid"


@pytest.mark.parametrize(
    ("mask", "operation", "is_allowed"),
    [
        (0x80, "MAC", True), (0x80, "MACVerify", False), (0x100, "MAC", False),
        (0x100, "MACVerify", True), (0xC, "MAC", False), (0xC, "MACVerify", False),
    ],
)  # fmt: skip
def test_masks_of_macs(alice, mask, operation, is_allowed):
    key = alice.create(algorithm="HMACSHA256", mask=mask)
    items = [octets("Data", DATA), octets("MACData", bytes(32))]
    answer = alice.send(structure(operation, uid(key), *items[: 1 if operation == "MAC" else 2]))
    if is_allowed:
        assert answer.status == 200
    else:
        assert answer.text.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_revoked_key_verifies_and_makes_no_mac(alice):
    key = alice.create(algorithm="HMACSHA256")
    value = mac(alice, key)
    alice.revoke(key)
    assert verdict(alice, key, value) == "Valid"
    line = alice.refused("MAC", uid(key), octets("Data", DATA))
    assert line.startswith("Wrong_Key_Lifecycle_State: ")


def test_what_is_missing_is_named(alice):
    key = alice.create(algorithm="HMACSHA256")
    assert alice.refused("MAC", uid(key)) == "Missing_Data: Data is missing"
    line = alice.refused("MACVerify", uid(key), octets("Data", DATA))
    assert line == "Missing_Data: MACData is missing"
    line = alice.refused("Hash", structure("CryptographicParameters"), octets("Data", DATA))
    assert line == "Missing_Data: HashingAlgorithm is missing in CryptographicParameters"


# --- hashes and random numbers ------------------------------------------------------------------


@each_row("data", [b"", DATA, bytes(300_000)], ids=len)
@each_row(
    ("algorithm", "hash_name"),
    [("SHA_1", "sha1"), ("SHA_256", "sha256"), ("SHA512", "sha512"), ("SHA3_256", "sha3_256")],
)
def test_hash_of_data(alice, algorithm, hash_name, data):
    found = alice.do("Hash", parameters(hash=algorithm), octets("Data", data))
    assert found.octets("Data") == hashlib.new(hash_name, data).digest()


@pytest.mark.parametrize("algorithm", ["MD5", "RIPEMD160", "Tiger"])
def test_other_hashes_are_refused(alice, algorithm):
    line = alice.refused("Hash", parameters(hash=algorithm), octets("Data", b""))
    assert line.startswith("Unsupported_Cryptographic_Parameters: ")


def test_random_data_has_its_length_and_differs(alice):
    found = [alice.do("RNGRetrieve", number("DataLength", 32)).octets("Data") for _ in range(20)]
    assert {len(each) for each in found} == {32}
    assert len(set(found)) == 20


@pytest.mark.parametrize("length", [-1, 0, 65_537, 2**31 - 1])
def test_length_of_random_data_is_bounded(alice, length):
    line = alice.refused("RNGRetrieve", number("DataLength", length))
    assert line == "Invalid_Field: DataLength is 1 to 65536 bytes"


def test_seed_is_taken_and_none_of_it_used(alice):
    assert alice.do("RNGSeed", octets("Data", b"seed"))["DataLength"] == 0
    assert alice.refused("RNGSeed", octets("Data", bytes(65_537))).startswith("Invalid_Field: ")
