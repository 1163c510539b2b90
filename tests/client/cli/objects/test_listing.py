"""ls and locate."""

from __future__ import annotations

import json
import re

import pytest

from kms_tornado.client import KMSClient

from ..conftest import BOB
from ..runner import Kmsctl


@pytest.fixture(scope="module")
def keys(client: KMSClient) -> dict[str, str]:
    """{what it is: identifier}"""
    pair = client.create_key_pair("EC", curve="P-256", name="signing", tags=["legal"])
    return {
        "aes": client.create_symmetric_key(name="invoices", tags=["finance", "2024"]),
        "chacha": client.create_symmetric_key("ChaCha20", 256, tags=["finance"]),
        "private": pair.private_key,
        "public": pair.public_key,
        "evil": client.create_symmetric_key(name="\x1b[31mred\ttab\u202e", length=128),
    }


def without_styles(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_ls_lists_mine_and_what_is_shared_with_me(
    alice: Kmsctl, bob: Kmsctl, client: KMSClient, keys: dict[str, str]
) -> None:
    client.grant(keys["aes"], BOB, ["get"])
    client.grant(keys["chacha"], BOB, ["decrypt"])
    assert f"{keys['aes']}\tinvoices\tSymmetricKey\tAES\t256\tActive\tmine" in alice("ls").lines
    assert sorted(bob("ls").lines) == sorted(
        [
            f"{keys['aes']}\tinvoices\tSymmetricKey\tAES\t256\tActive\talice@example.com",
            # decrypt alone does not let one look at the attributes
            f"{keys['chacha']}\t\t\t\t\tActive\talice@example.com",
        ]
    )
    document = json.loads(bob("ls", "--json").stdout)
    assert {row["unique_identifier"]: row["names"] for row in document} == {
        keys["aes"]: ["invoices"],
        keys["chacha"]: [],
    }


def test_ls_leaves_out_destroyed_objects_unless_asked(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key()
    client.revoke(key)
    client.destroy(key)
    assert key not in alice("ls").stdout
    assert key in alice("ls", "--all").stdout


def test_ls_in_a_terminal_is_a_table_with_headings(alice: Kmsctl, keys: dict[str, str]) -> None:
    shown = without_styles(alice.terminal("ls", COLUMNS="160").stdout)
    assert shown.splitlines()[0].split() == (
        ["Identifier", "Names", "Type", "Algorithm", "Length", "State", "Owner"]
    )
    assert keys["aes"] in shown


def test_identifier_stays_in_one_piece_in_a_narrow_terminal(
    alice: Kmsctl, keys: dict[str, str]
) -> None:
    shown = without_styles(alice.terminal("ls", COLUMNS="60").stdout)
    assert keys["aes"] in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_row_that_would_break_words_stands_on_two_lines(
    alice: Kmsctl, keys: dict[str, str]
) -> None:
    shown = without_styles(alice.terminal("ls", COLUMNS="80").stdout)
    lines = shown.splitlines()
    row = lines.index(keys["aes"])
    assert lines[row + 1] == "  invoices  SymmetricKey  AES  256  Active  mine"


def test_name_with_an_escape_sequence_does_not_reach_the_terminal(
    alice: Kmsctl, keys: dict[str, str]
) -> None:
    for shown in (
        alice("ls").stdout,
        alice("ls", "--json").stdout,
        alice.terminal("ls", NO_COLOR="1", TERM="dumb").stdout,
        alice.terminal("attributes", "get", keys["evil"], NO_COLOR="1", TERM="dumb").stdout,
    ):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "\\x1b[31mred\\ttab\\u202e" in alice("ls").stdout


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(["--tag", "finance"], {"aes", "chacha"}, id="tag"),
        pytest.param(["-t", "finance", "-t", "2024"], {"aes"}, id="all of the tags"),
        pytest.param(["--algorithm", "ChaCha20"], {"chacha"}, id="algorithm"),
        pytest.param(["-a", "aes", "-l", "128"], {"evil"}, id="length, in any spelling"),
        pytest.param(["-o", "PrivateKey"], {"private"}, id="type"),
        pytest.param(["--object-type", "public-key"], {"public"}, id="type, other spelling"),
        pytest.param(["--name", "invoices"], {"aes"}, id="name"),
        pytest.param(["-k", "PRIVATE"], {"public"}, id="linked to the private key"),
        pytest.param(["-p", "PUBLIC"], {"private"}, id="linked to the public key"),
        pytest.param(["-f", "Raw", "-t", "finance"], {"aes", "chacha"}, id="format"),
        pytest.param(["-s", "Compromised"], set(), id="state"),
        pytest.param(["-c", "no-such-certificate"], set(), id="linked to a certificate"),
    ],
)
def test_locate_prints_the_identifiers_that_fit(
    alice: Kmsctl, keys: dict[str, str], argv: list[str], expected: set[str]
) -> None:
    words = [{"PRIVATE": keys["private"], "PUBLIC": keys["public"]}.get(w, w) for w in argv]
    outcome = alice("locate", *words)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert set(outcome.lines) == {keys[name] for name in expected}
    assert set(json.loads(alice("locate", *words, "--json").stdout)) == set(outcome.lines)


def test_locate_answers_a_wrong_name_with_the_near_ones(alice: Kmsctl) -> None:
    outcome = alice("locate", "--algorithm", "ChaCa20")
    assert outcome.code == 2
    assert "did you mean ChaCha20" in outcome.stderr
    outcome = alice("locate", "--object-type", "WRONG")
    assert "the values are Certificate, SymmetricKey" in outcome.stderr
