"""Files in ckms's format: the flags of `ckms sym encrypt` and `decrypt`, and every byte of the files."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from kms_tornado.client import Ciphertext, KMSClient

from ..runner import Kmsctl, Outcome, check_refused

DATA = b"a small secret"
AEADS = {"aes-gcm": AESGCM, "chacha20-poly1305": ChaCha20Poly1305}


@pytest.fixture(scope="module")
def keys(client: KMSClient) -> dict[str, str]:
    """Algorithm → a key for it."""
    return {
        "aes-gcm": client.create_symmetric_key(tags=["ckms"]),
        "chacha20-poly1305": client.create_symmetric_key("ChaCha20", 256),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("algorithm", list(AEADS))
def test_server_side_file_is_nonce_ciphertext_and_tag(
    alice: Kmsctl, client: KMSClient, keys: dict[str, str], file: Path, algorithm: str
) -> None:
    key = keys[algorithm]
    flags = ["-k", key, "--ckms", "-d", algorithm, "-a", "abcd"]
    assert alice("sym", "encrypt", file, *flags) == Outcome(0, b"", "")
    sealed = file.with_suffix(".enc")  # ckms replaces the suffix
    data = sealed.read_bytes()
    assert len(data) == 12 + len(DATA) + 16
    ciphertext = Ciphertext(key, data[12:-16], data[:12], data[-16:])
    assert client.decrypt(key, ciphertext, additional_data=b"\xab\xcd") == DATA
    assert alice("sym", "decrypt", sealed, *flags) == Outcome(0, b"", "")
    assert file.with_suffix(".plain").read_bytes() == DATA
    check_refused(
        alice("decrypt", sealed, *flags[:-1], "abce", "--force"), "other authentication data"
    )


@pytest.mark.parametrize("data_algorithm", list(AEADS))
@pytest.mark.parametrize("key_algorithm", list(AEADS))
def test_client_side_file_has_the_wrapped_data_key_before_the_message(
    alice: Kmsctl,
    client: KMSClient,
    keys: dict[str, str],
    file: Path,
    key_algorithm: str,
    data_algorithm: str,
) -> None:
    key = keys[key_algorithm]
    flags = ["--key-id", key, "--ckms", "-e", key_algorithm, "-d", data_algorithm]
    assert alice("sym", "encrypt", file, "-a", "abcd", "-n", "00" * 12, *flags).code == 0
    data = file.with_suffix(".enc").read_bytes()
    assert data[0] == 60  # 12 + 32 + 16, in LEB128
    wrapped, message = data[1:61], data[61:]
    ciphertext = Ciphertext(key, wrapped[12:-16], wrapped[:12], wrapped[-16:])
    data_key = client.decrypt(key, ciphertext)
    assert message[:12] == bytes(12)
    opened = AEADS[data_algorithm](data_key).decrypt(bytes(12), message[12:], b"\xab\xcd")
    assert opened == DATA
    output = file.with_name("out")
    encrypted = file.with_suffix(".enc")
    assert alice("sym", "decrypt", encrypted, "-a", "abcd", "-o", output, *flags).code == 0
    assert output.read_bytes() == DATA


def test_key_is_named_by_tag_as_well(alice: Kmsctl, keys: dict[str, str], file: Path) -> None:
    assert alice("sym", "encrypt", file, "--tag", "ckms", "--ckms", "-o", "-").code == 0


def test_untrue_client_side_file_leaves_no_output(
    alice: Kmsctl, keys: dict[str, str], file: Path
) -> None:
    flags = ["-k", keys["aes-gcm"], "--ckms", "-e", "aes-gcm"]
    assert alice("sym", "encrypt", file, *flags).code == 0
    sealed = file.with_suffix(".enc")
    data = sealed.read_bytes()
    for untrue in (data[:-1], data[:70], data[:30], data[:1], b"", data + b"\x00", b"\xff" * 80):
        sealed.write_bytes(untrue)
        check_refused(alice("sym", "decrypt", sealed, *flags), str(sealed))
        assert {*file.parent.iterdir()} == {file, sealed}


def test_key_wrap_that_the_server_does_not_offer_is_told(
    alice: Kmsctl, keys: dict[str, str], file: Path
) -> None:
    outcome = alice("sym", "encrypt", file, "-k", keys["aes-gcm"], "--ckms", "-e", "rfc5649")
    check_refused(outcome, "AESKeyWrapPadding is not offered")
    assert [file] == list(file.parent.iterdir())


def test_file_that_is_too_long_for_the_server_names_the_way_out(
    alice: Kmsctl, keys: dict[str, str], file: Path
) -> None:
    with file.open("r+b") as opened:
        opened.truncate(65 * 1024 * 1024)
    outcome = alice("sym", "encrypt", file, "-k", keys["aes-gcm"], "--ckms")
    check_refused(outcome, "--key-encryption-algorithm")


def test_without_ckms_the_file_is_kmsctls_own(
    alice: Kmsctl, keys: dict[str, str], file: Path
) -> None:
    assert alice("sym", "encrypt", file, "-k", keys["aes-gcm"], "-o", f"{file}.kms").code == 0
    assert alice("sym", "decrypt", f"{file}.kms", "-o", "-") == Outcome(0, DATA, "")
