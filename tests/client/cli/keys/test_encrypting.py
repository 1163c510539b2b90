"""The verbs encrypt and decrypt of RSA keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kms_tornado.client import KMSClient

from ..conftest import BOB
from ..runner import Kmsctl


@pytest.fixture(scope="module")
def pair(client: KMSClient) -> str:
    """The identifier of the private key; the public one has that with _pk."""
    client.create_key_pair(
        "RSA", 2048, name="exchange", tags=["x"], unique_identifier="pair", public_key_identifier="pair_pk"
    )  # fmt: skip
    return "pair"


def test_file_is_encrypted_beside_it_and_decrypted_again(
    alice: Kmsctl, pair: str, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_bytes(b"hello")
    assert alice("rsa", "encrypt", "-k", "pair_pk", tmp_path / "note.txt").code == 0
    assert alice("rsa", "decrypt", "--key-id", "exchange", tmp_path / "note.enc").code == 0
    assert (tmp_path / "note.plain").read_bytes() == b"hello"
    again = alice("rsa", "encrypt", "-k", "pair_pk", tmp_path / "note.txt")
    assert again.code == 1
    assert "note.enc exists" in again.stderr
    assert alice("rsa", "encrypt", "-k", "pair_pk", tmp_path / "note.txt", "--force").code == 0


@pytest.mark.parametrize(
    ("argv", "digest"),
    [
        ([], hashes.SHA256()),
        (["-e", "ckm-rsa-pkcs-oaep"], hashes.SHA256()),
        (["-e", "ckm-rsa-pkcs-oaep", "-s", "sha512"], hashes.SHA512()),
        (["-s", "sha384"], hashes.SHA384()),
    ],
)
def test_what_any_program_encrypts_with_oaep_is_decrypted(
    alice: Kmsctl, pair: str, argv: list[str], digest: hashes.HashAlgorithm
) -> None:
    spki = alice("rsa", "keys", "export", "pair_pk", "-", "-f", "spki-pem").output
    public = serialization.load_pem_public_key(spki)
    ciphertext = public.encrypt(b"hello", padding.OAEP(padding.MGF1(digest), digest, None))
    outcome = alice("rsa", "decrypt", "-k", pair, "-", *argv, stdin=ciphertext)
    assert (outcome.code, outcome.output) == (0, b"hello"), outcome.stderr


def test_terminal_is_shown_a_plaintext_that_is_text_and_nothing_else(
    alice: Kmsctl, pair: str, tmp_path: Path
) -> None:
    for plaintext, code in ((b"gr\xc3\xbc\xc3\x9fe\n", 0), (b"\x1b]0;owned\x07", 2)):
        (tmp_path / "note").write_bytes(plaintext)
        alice("rsa", "encrypt", "-k", "pair_pk", tmp_path / "note", "--force")
        outcome = alice.terminal("rsa", "decrypt", "-k", pair, tmp_path / "note.enc", "-o", "-")
        assert outcome.code == code
        assert (plaintext in outcome.output) is (code == 0)


def test_key_is_named_by_tags(alice: Kmsctl, pair: str) -> None:
    ciphertext = alice("rsa", "encrypt", "-t", "x", "-t", "_pk", "-", stdin=b"hello").output
    assert alice("rsa", "decrypt", "-t", "x", "-t", "_sk", "-", stdin=ciphertext).output == b"hello"


def test_grantee_decrypts_with_a_key_of_somebody_else(
    alice: Kmsctl, bob: Kmsctl, client: KMSClient, pair: str
) -> None:
    ciphertext = alice("rsa", "encrypt", "-k", "pair_pk", "-", stdin=b"hello").output
    assert bob("rsa", "decrypt", "-k", pair, "-", stdin=ciphertext).code == 1
    client.grant(pair, BOB, ["decrypt"])
    assert bob("rsa", "decrypt", "-k", pair, "-", stdin=ciphertext).output == b"hello"


REFUSED = [
    (["rsa", "encrypt", "-k", "pair_pk", "-"], bytes(1000), 1, "190"),
    (["rsa", "encrypt", "-"], b"x", 2, "no key is named"),
    (["rsa", "encrypt", "-k", "pair_pk", "-", "-e", "ckm-rsa-aes-key-wrap"], b"x", 2, "not one of"),
    (["rsa", "encrypt", "-k", "pair_pk", "-", "-e", "ckm-rsa-pkcs", "-s", "sha256"], b"x", 2, "no hash"),
    (["rsa", "decrypt", "-k", "pair", "-"], b"x" * 256, 1, "Cryptographic_Failure"),
    (["rsa", "decrypt", "-k", "pair", "-", "-e", "ckm-rsa-pkcs"], b"x" * 256, 1, "--crypto-policy permissive allows it"),
    (["rsa", "decrypt", "-k", "pair", "/nowhere"], b"", 1, "/nowhere: No such file"),
    (["certificates", "decrypt", "-c", "pair", "-"], b"x", 2, "No such option '-c'"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "octets", "code", "words"), REFUSED)
def test_refusal_is_one_line(
    alice: Kmsctl, pair: str, argv: list[str], octets: bytes, code: int, words: str
) -> None:
    outcome = alice(*argv, stdin=octets)
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
