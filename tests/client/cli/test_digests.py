"""hash and mac."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.client.cli.data import PART_BYTES

from .runner import Kmsctl

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def key(alice: Kmsctl) -> str:
    """An HMAC key whose bytes are known."""
    create = {
        "tag": "Register",
        "value": [
            {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
            {"tag": "Attributes", "value": [
                {"tag": "CryptographicUsageMask", "type": "Integer", "value": "MACGenerate|MACVerify"},
                {"tag": "Name", "value": [
                    {"tag": "NameValue", "type": "TextString", "value": "signer"},
                    {"tag": "NameType", "type": "Enumeration", "value": "UninterpretedTextString"},
                ]},
                {"tag": "ActivationDate", "type": "DateTime", "value": "2020-01-01T00:00:00Z"},
            ]},
            {"tag": "SymmetricKey", "value": [{"tag": "KeyBlock", "value": [
                {"tag": "KeyFormatType", "type": "Enumeration", "value": "Raw"},
                {"tag": "KeyValue", "value": [
                    {"tag": "KeyMaterial", "type": "ByteString", "value": KEY.hex()},
                ]},
                {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "HMAC-SHA256"},
                {"tag": "CryptographicLength", "type": "Integer", "value": 256},
            ]}]},
        ],
    }  # fmt: skip
    (row,) = alice("batch", "-", stdin=json.dumps(create).encode()).lines
    return row.split("\t")[3]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than two parts."""
    file = tmp_path_factory.mktemp("data") / "big"
    file.write_bytes(b"0123456789abcdef" * (2 * PART_BYTES // 16) + b"!")
    return file


SIZES = [
    pytest.param(0, id="nothing"),
    pytest.param(1, id="one byte"),
    pytest.param(PART_BYTES, id="one part"),
    pytest.param(PART_BYTES + 1, id="a byte more"),
    pytest.param(2 * PART_BYTES, id="two parts"),
]


@pytest.mark.parametrize("size", SIZES)
def test_hash_is_that_of_the_whole_file(alice: Kmsctl, tmp_path: Path, size: int) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * size)
    outcome = alice("hash", file)
    assert outcome.lines == [hashlib.sha256(b"x" * size).hexdigest()]
    assert outcome.stderr == ""


@pytest.mark.parametrize(
    ("algorithm", "ours"),
    [
        ("SHA-512", "sha512"),
        ("sha3-256", "sha3_256"),
        ("SHA3_384", "sha3_384"),
        ("sha224", "sha224"),
    ],
)
def test_hash_takes_ckms_s_flags(alice: Kmsctl, algorithm: str, ours: str) -> None:
    expected = hashlib.new(ours, b"\x00\xff").hexdigest()
    assert alice("hash", "--algorithm", algorithm, "--data", "00ff").lines == [expected]
    assert json.loads(alice("hash", "-a", algorithm, "-d", "00FF", "--json").stdout) == {
        "digest": expected
    }


def test_hash_reads_stdin(alice: Kmsctl) -> None:
    expected = [hashlib.sha256(b"piped").hexdigest()]
    assert alice("hash", stdin=b"piped").lines == expected
    assert alice("hash", "-", stdin=b"piped").lines == expected


def test_hash_can_be_continued_by_hand_as_with_ckms(alice: Kmsctl) -> None:
    (value,) = alice("hash", "-a", "sha256", "-d", "00", "--init-indicator").lines
    (value,) = alice("hash", "-a", "sha256", "-d", "01", "-c", value).lines
    outcome = alice("hash", "-a", "sha256", "-d", "02", "-c", value, "--final-indicator")
    assert outcome.lines == [hashlib.sha256(b"\0\1\2").hexdigest()]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["compute", "signer"], id="by name"),
        pytest.param(["signer"], id="without the verb, as in ckms 4"),
        pytest.param(["compute", "--mac-key-id", "KEY"], id="by ckms's flag"),
        pytest.param(["--mac-key-id", "KEY", "--algorithm", "sha256"], id="as in ckms 4"),
    ],
)
def test_mac_of_a_big_file(alice: Kmsctl, key: str, big: Path, words: list[str]) -> None:
    argv = [key if word == "KEY" else word for word in words]
    outcome = alice("mac", *argv, big)
    assert outcome.lines == [hmac.new(KEY, big.read_bytes(), "sha256").hexdigest()]


def test_mac_takes_hexadecimal_data_and_another_hash(alice: Kmsctl, key: str) -> None:
    outcome = alice("mac", "compute", "-k", key, "-a", "sha256", "-d", "00ff")
    assert outcome.lines == [hmac.new(KEY, b"\x00\xff", "sha256").hexdigest()]
    outcome = alice("mac", "compute", key, stdin=b"piped")
    assert outcome.lines == [hmac.new(KEY, b"piped", "sha256").hexdigest()]


def test_mac_verify_says_whether_and_exits_with_it(alice: Kmsctl, key: str, big: Path) -> None:
    code = hmac.new(KEY, big.read_bytes(), "sha256").hexdigest()
    assert alice("mac", "verify", key, big, "--mac", code).lines == ["Valid"]
    outcome = alice("mac", "verify", "--mac-key-id", "signer", big, "-m", code[:-2] + "00")
    assert (outcome.code, outcome.lines) == (1, ["Invalid"])
    assert outcome.stderr == "kmsctl: the code is not that of these data by this key\n"
    outcome = alice("mac", "verify", "-k", key, "-a", "sha256", "-d", "00", "-m", code, "--json")
    assert json.loads(outcome.stdout) == {"validity": "Invalid"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["hash", "-d", "0"], "hexadecimal", id="half a byte"),
        pytest.param(["hash", "-a", "md6"], "did you mean", id="no such algorithm"),
        pytest.param(["hash", "/dev/null", "-d", "00"], "twice", id="data twice"),
        pytest.param(["mac", "compute"], "no key is named", id="no key"),
        pytest.param(["mac", "compute", "k", "/dev/null", "b"], "too much", id="two files"),
        pytest.param(["mac", "verify", "k", "/dev/null"], "--mac", id="nothing to verify"),
    ],
)
def test_mistakes_are_told_in_one_line(alice: Kmsctl, argv: list[str], words: str) -> None:
    outcome = alice(*argv)
    assert (outcome.code, outcome.stdout) == (2, "")
    (line,) = outcome.stderr.splitlines()
    assert words in line


def test_mac_by_somebody_who_may_do_nothing_else_with_the_key(
    alice: Kmsctl, bob: Kmsctl, client: KMSClient, key: str
) -> None:
    assert "Item_Not_Found" in bob("mac", key, "-d", "00").stderr
    client.grant(key, "bob@example.com", ["mac"])
    assert bob("mac", key, "-d", "00").lines == [hmac.new(KEY, b"\0", "sha256").hexdigest()]
