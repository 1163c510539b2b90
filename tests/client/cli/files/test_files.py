"""encrypt and decrypt: what becomes of files, of keys that do not fit, and of files that are not true."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.client.files.container import (
    DataKey,
    Header,
    WrappedDataKey,
    derive_keys,
    render_header,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import BlockCipherMode
from kms_tornado.kmip.structures import CryptographicParameters

from ..conftest import BOB
from ..runner import Kmsctl, Outcome, check_refused

DATA = b"a small secret"


@pytest.fixture(scope="module")
def key(client: KMSClient) -> str:
    return client.create_symmetric_key(name="billing", tags=["invoices"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def sealed(alice: Kmsctl, key: str, file: Path) -> Path:
    """The file, encrypted; it itself is gone."""
    assert alice("encrypt", file, "--for", key).code == 0
    file.unlink()
    return file.with_name("report.pdf.kms")


def count_requests(outcome: Outcome) -> int:
    """Of a command that was called with --kmip-json."""
    assert outcome.code == 0, outcome
    return outcome.stderr.count("request:\n")


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("naming", ["identifier", "Name", "tag"])
def test_file_becomes_file_kms_and_back(alice: Kmsctl, key: str, file: Path, naming: str) -> None:
    named = {
        "identifier": ["--for", key],
        "Name": ["--for", "billing"],
        "tag": ["--tag", "invoices"],
    }
    assert alice("encrypt", file, *named[naming]) == Outcome(0, b"", "")
    sealed = file.with_name("report.pdf.kms")
    assert key.encode() in sealed.read_bytes()
    assert DATA not in sealed.read_bytes()
    file.unlink()
    assert alice("decrypt", sealed) == Outcome(0, b"", "")
    assert file.read_bytes() == DATA


def test_several_files_are_encrypted_each_with_a_data_key_of_its_own(
    alice: Kmsctl, key: str, file: Path
) -> None:
    other = file.with_name("other")
    other.write_bytes(DATA)
    assert alice("encrypt", file, other, "--for", key).code == 0
    first, second = (Path(f"{path}.kms").read_bytes() for path in (file, other))
    assert first != second
    outcome = alice("--json", "decrypt", f"{file}.kms", f"{other}.kms", "--force")
    assert json.loads(outcome.stdout) == [
        {"file": f"{path}.kms", "output": str(path)} for path in (file, other)
    ]


def test_terminal_is_told_what_was_written(alice: Kmsctl, key: str, file: Path) -> None:
    outcome = alice.terminal("encrypt", file, "--for", key)
    assert outcome.stdout == f"{file}.kms is written\n"


def test_streams_are_named_by_a_dash(alice: Kmsctl, key: str) -> None:
    sealed = alice("encrypt", "-", "--for", key, stdin=DATA)
    assert sealed.code == 0
    assert alice("decrypt", "-", stdin=sealed.output) == Outcome(0, DATA, "")


def test_process_reads_and_writes_pipes(alice: Kmsctl, key: str) -> None:
    data = os.urandom(1_000_000)
    sealed = alice.process("encrypt", "-", "--for", key, stdin=data)
    assert alice.process("decrypt", "-", stdin=sealed.output) == Outcome(0, data, "")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["encrypt"], ["FILE..."], id="no file"),
        pytest.param(["encrypt", "report.pdf"], ["no key is named"], id="no key"),
        pytest.param(
            ["encrypt", "a", "b", "-o", "c", "--for", "k"], ["-o names one output"], id="one output"
        ),
        pytest.param(["decrypt", "report.pdf"], ["does not end in .kms", "-o"], id="no suffix"),
        pytest.param(["decrypt", ".kms"], ["does not end in .kms"], id="nothing but the suffix"),
        pytest.param(["encrypt", ".", "--for", "k"], ["is it a directory?"], id="this directory"),
        pytest.param(["encrypt", "/", "--for", "k"], ["is it a directory?"], id="the root"),
        pytest.param(
            ["encrypt", "/", "-k", "k", "--ckms"], ["is it a directory?"], id="the root for ckms"
        ),
        pytest.param(["decrypt", "..kms"], ["is it a directory?"], id="a dot before the suffix"),
        pytest.param(
            ["--json", "encrypt", "-", "--for", "k"], ["--json", "-o"], id="JSON amid ciphertext"
        ),
        pytest.param(
            ["encrypt", "report.pdf", "-k", "k", "-d", "aes-gcm"], ["add --ckms"], id="algorithm"
        ),
        pytest.param(
            ["encrypt", "a", "-k", "k", "--ckms", "-n", "xyz"],
            ["--nonce", "hexadecimal"],
            id="nonce",
        ),
        pytest.param(
            ["decrypt", "a", "-k", "k", "--ckms", "-e", "aes-gcm", "-o", "-"],
            ["only the end of a file of ckms"],
            id="unauthentic plaintext on stdout",
        ),
    ],
)
def test_mistake_in_the_arguments_is_told(
    alice: Kmsctl, file: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(file.parent)
    check_refused(alice(*argv), *words, code=2)
    assert [file] == list(file.parent.iterdir())


def test_ciphertext_is_kept_from_the_terminal(alice: Kmsctl, key: str, file: Path) -> None:
    outcome = alice.terminal("encrypt", file, "--for", key, "-o", "-")
    assert outcome.code == 2
    assert "nothing for a terminal" in outcome.stdout


# --- requests -------------------------------------------------------------------------------------


def test_symmetric_key_costs_one_request_to_encrypt_and_one_to_decrypt(
    alice: Kmsctl, key: str, file: Path
) -> None:
    for named in (["--for", key], ["--tag", "invoices"]):
        assert count_requests(alice("--kmip-json", "encrypt", file, *named, "--force")) == 1
    decrypting = alice("--kmip-json", "decrypt", f"{file}.kms", "--force")
    assert count_requests(decrypting) == 1


def test_server_sees_no_byte_of_the_file(alice: Kmsctl, key: str, file: Path) -> None:
    outcome = alice("--kmip-json", "encrypt", file, "--for", key)
    assert DATA.hex().upper() not in outcome.stderr
    assert len(outcome.stderr) < 5_000


def test_public_key_encrypts_and_its_private_key_decrypts(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    pair = client.create_key_pair("RSA", 2048)
    encrypting = alice("--kmip-json", "encrypt", file, "--for", pair.public_key)
    assert count_requests(encrypting) == 2  # only the server knows that it is RSA
    sealed = f"{file}.kms"
    by_link = alice("--kmip-json", "decrypt", sealed, "--force")
    assert count_requests(by_link) == 2
    named = alice("--kmip-json", "decrypt", sealed, "--with", pair.private_key, "--force")
    assert count_requests(named) == 1
    assert file.read_bytes() == DATA


def test_chacha20_key_does_as_well(alice: Kmsctl, client: KMSClient, file: Path) -> None:
    key = client.create_symmetric_key("ChaCha20", 256)
    assert alice("encrypt", file, "--for", key).code == 0
    assert alice("decrypt", f"{file}.kms", "-o", "-") == Outcome(0, DATA, "")


def test_file_is_decrypted_after_its_key_was_replaced_and_revoked(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    assert alice("encrypt", file, "--for", key).code == 0
    client.rekey(key)
    client.revoke(key)
    assert alice("decrypt", f"{file}.kms", "-o", "-") == Outcome(0, DATA, "")


# --- keys that do not fit ------------------------------------------------------------------------


def test_key_that_is_not_there_is_told(alice: Kmsctl, file: Path) -> None:
    check_refused(alice("encrypt", file, "--for", "nobody's"), "Item_Not_Found", "nobody's")
    assert [file] == list(file.parent.iterdir())


def test_key_in_another_mode_is_refused_with_the_servers_reason(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    cbc = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC)
    key = client.create_symmetric_key(attributes=Attributes(cryptographic_parameters=cbc))
    check_refused(alice("encrypt", file, "--for", key), "Cryptographic_Parameters")
    assert [file] == list(file.parent.iterdir())


def test_key_whose_nonces_come_from_callers_is_refused_with_the_servers_reason(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    client.encrypt(key, b"data", iv=bytes(12))
    check_refused(alice("encrypt", file, "--for", key), "callers bring the nonces", "ReKey")


def test_revoked_key_is_refused_with_the_servers_reason(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    client.revoke(key)
    check_refused(alice("encrypt", file, "--for", key), "Wrong_Key_Lifecycle_State")


def test_key_for_signatures_is_refused_with_the_servers_reason(
    alice: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_key_pair("EC").public_key
    check_refused(alice("encrypt", file, "--for", key), ": ")
    assert [file] == list(file.parent.iterdir())


def test_who_may_not_use_the_key_is_told_whom_to_ask(
    alice: Kmsctl, bob: Kmsctl, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    assert alice("encrypt", file, "--for", key).code == 0
    file.unlink()
    sealed = Path(f"{file}.kms")
    check_refused(bob("decrypt", sealed), key, "kmsctl share")
    assert [sealed] == list(file.parent.iterdir())
    assert alice("share", key, BOB, "decrypt").code == 0
    assert bob("decrypt", sealed).code == 0
    assert file.read_bytes() == DATA


def test_another_key_does_not_open_the_file(alice: Kmsctl, client: KMSClient, sealed: Path) -> None:
    other = client.create_symmetric_key()
    check_refused(alice("decrypt", sealed, "--with", other), str(sealed), other, "another key")
    assert [sealed] == list(sealed.parent.iterdir())


# --- files that are not true ---------------------------------------------------------------------


def test_edited_truncated_and_extended_files_leave_no_output(alice: Kmsctl, sealed: Path) -> None:
    data = sealed.read_bytes()
    salt, last = data[14] ^ 1, data[-1] ^ 1
    for untrue in (
        data[:-1],
        data[:-16],
        data[:100],
        data[:5],
        data + b"\x00",
        data[:14] + bytes([salt]) + data[15:],
        data[:-1] + bytes([last]),
        data[:8] + b"\x02" + data[9:],
    ):
        sealed.write_bytes(untrue)
        check_refused(alice("decrypt", sealed), str(sealed))
        assert [sealed] == list(sealed.parent.iterdir())


def test_version_2_asks_for_a_later_kmsctl(alice: Kmsctl, sealed: Path) -> None:
    data = sealed.read_bytes()
    sealed.write_bytes(data[:8] + b"\x02" + data[9:])
    check_refused(alice("decrypt", sealed), "version 2", "later kmsctl")


def test_other_files_are_told_from_ckmss(alice: Kmsctl, file: Path) -> None:
    check_refused(alice("decrypt", file, "-o", "-"), "no file that kmsctl encrypted", "--ckms")


def test_stdout_gets_authentic_chunks_alone_and_exit_code_1_where_the_end_is_untrue(
    alice: Kmsctl, key: str
) -> None:
    data = os.urandom(600_000)  # three chunks
    sealed = alice("encrypt", "-", "--for", key, stdin=data).output
    outcome = alice("decrypt", "-", stdin=sealed[:-1])
    assert outcome.code == 1
    assert outcome.output == data[: 2 * 262_144]
    assert "cut off" in outcome.stderr


# --- outputs and inputs --------------------------------------------------------------------------


def test_existing_output_is_replaced_by_force_alone(alice: Kmsctl, key: str, file: Path) -> None:
    sealed = Path(f"{file}.kms")
    sealed.write_bytes(b"before")
    check_refused(alice("encrypt", file, "--for", key), "exists", "--force", code=1)
    assert sealed.read_bytes() == b"before"
    for flag in ("--force", "--yes"):
        sealed.write_bytes(b"before")
        assert alice("encrypt", file, "--for", key, flag).code == 0
        assert sealed.read_bytes() != b"before"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_person_is_asked_before_an_output_is_replaced(
    alice: Kmsctl, key: str, file: Path, answer: str, code: int
) -> None:
    sealed = Path(f"{file}.kms")
    sealed.write_bytes(b"before")
    outcome = alice.terminal("encrypt", file, "--for", key, answer=answer)
    assert outcome.code == code
    assert f"{sealed} exists. Replace it?" in outcome.stdout
    assert (sealed.read_bytes() == b"before") == (answer == "n")


@pytest.mark.parametrize("name", ["report.pdf", "link", "../{folder}/report.pdf"])
def test_file_is_not_replaced_by_itself(alice: Kmsctl, key: str, file: Path, name: str) -> None:
    (file.parent / "link").symlink_to(file)
    output = file.parent / name.format(folder=file.parent.name)
    outcome = alice("encrypt", file, "--for", key, "-o", output, "--force")
    check_refused(outcome, "is the file that is read", code=2)
    assert file.read_bytes() == DATA


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        pytest.param("missing", "out", ["missing cannot be read: No such file"], id="no source"),
        pytest.param(".", "out", ["cannot be read: Is a directory"], id="a directory"),
        pytest.param("report.pdf", "no/out", ["no/out cannot be written: No such"], id="no folder"),
        pytest.param("report.pdf", ".", ["cannot be written: Is a directory"], id="to a folder"),
        pytest.param("report.pdf", "/proc/out", ["/proc/out cannot be written"], id="unwritable"),
        pytest.param("report.pdf", "/dev/full", ["No space left on device"], id="a full disk"),
    ],
)
def test_what_cannot_be_read_or_written_is_told(
    alice: Kmsctl,
    key: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    output: str,
    words: list[str],
) -> None:
    monkeypatch.chdir(file.parent)
    check_refused(alice("encrypt", source, "--for", key, "-o", output), *words)
    assert [file] == list(file.parent.iterdir())


def test_key_that_a_file_names_at_length_is_cut_in_the_error(alice: Kmsctl, tmp_path: Path) -> None:
    wrapped = WrappedDataKey(
        key_identifier="k" * 4000, ciphertext=bytes(32), nonce=bytes(12), tag=bytes(16)
    )
    header, data_key = Header(salt=bytes(32), wrapped=wrapped), DataKey(bytes(32))
    (tmp_path / "f.kms").write_bytes(render_header(header, derive_keys(data_key, header.salt)))
    outcome = alice("decrypt", tmp_path / "f.kms")
    assert outcome.code == 1
    assert "kkk…, which this server does not have" in outcome.stderr
    assert len(outcome.stderr) < 500


def test_empty_file_comes_back_empty(alice: Kmsctl, key: str, file: Path) -> None:
    file.write_bytes(b"")
    assert alice("encrypt", file, "--for", key).code == 0
    assert alice("decrypt", f"{file}.kms", "--force").code == 0
    assert file.read_bytes() == b""
