"""docs/file-format.md: its commands, its vector, and its decoder against files of kmsctl."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from kms_tornado.client import Ciphertext, KMSClient
from kms_tornado.client.files.container import DataKey, Header, WrappedDataKey
from kms_tornado.client.files.encrypted_file import decrypt_stream, encrypt_stream

from ..client.cli.runner import Kmsctl
from ..issuer import Issuer
from ..server import ServerProcess, trusting
from .blocks import block, blocks

PAGE = "docs/file-format.md"
COMMANDS = block(PAGE, "sh", "kmsctl encrypt")
DECODER = block(PAGE, "python", "def decode")
BLOCKS = [COMMANDS, DECODER]

(VECTOR,) = blocks(PAGE, "text")
DATA_KEY = DataKey(bytes(range(32)))
HEADER = Header(
    salt=bytes(range(32, 64)),
    wrapped=WrappedDataKey(
        key_identifier="billing-1",
        ciphertext=bytes(range(64, 96)),
        nonce=bytes(range(96, 108)),
        tag=bytes(range(112, 128)),
    ),
    chunk_size_log2=12,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user of a server."""
    cwd = tmp_path_factory.mktemp("server")
    with Issuer() as issuer, ServerProcess(*trusting(issuer), cwd=cwd) as server:
        token = issuer.token(sub="alice", aud="kms")
        yield {"KMS_URL": server.url, "KMS_TOKEN": token}


def encrypted(plaintext: bytes) -> bytes:
    target = io.BytesIO()
    encrypt_stream(io.BytesIO(plaintext), target, HEADER, DATA_KEY, lambda done: None)
    return target.getvalue()


def decoder() -> dict[str, Any]:
    """The names of the page's program."""
    names: dict[str, Any] = {"__name__": "decoder"}
    exec(compile(DECODER.text, DECODER.place, "exec"), names)
    return names


def test_vector_is_what_is_written_and_read() -> None:
    vector = bytes.fromhex(VECTOR.text)
    assert encrypted(b"a small secret\n") == vector
    target = io.BytesIO()
    decrypt_stream(io.BytesIO(vector), target, lambda header: DATA_KEY, lambda done: None)
    assert target.getvalue() == b"a small secret\n"


def test_long_vector_is_what_is_written() -> None:
    text = (Path(__file__).parents[2] / PAGE).read_text()
    length, digest = re.findall(r"the file has ([\d,]+) bytes, and its SHA-256 is\n`(\w+)`", text)[
        0
    ]
    data = encrypted(bytes(10_000))
    assert len(data) == int(length.replace(",", ""))
    assert hashlib.sha256(data).hexdigest() == digest


def test_decoder_fits_on_a_page() -> None:
    assert len(DECODER.text.splitlines()) <= 60


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 8192, 10_000])
def test_decoder_reads_files_of_any_length(length: int) -> None:
    assert decoder()["decode"](encrypted(bytes(length)), DATA_KEY.value) == bytes(length)


def test_decoder_refuses_what_is_not_true() -> None:
    decode = decoder()["decode"]
    data = encrypted(bytes(5000))
    untrue = [data[:-1], data[: -len(data) % 4112], data + b"\x00", data[:-920], b"", data[:185]]
    untrue += [
        data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :] for offset in range(190)
    ]
    for each in untrue:
        with pytest.raises((ValueError, IndexError, InvalidTag)):
            decode(each, DATA_KEY.value)
    with pytest.raises(ValueError, match="another data key"):
        decode(data, bytes(32))


def test_commands_do_what_they_say_and_the_decoder_reads_their_file(
    server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = os.urandom(600_000)
    Path("report.pdf").write_bytes(data)
    kmsctl = Kmsctl(tmp_path, server)
    with KMSClient(server["KMS_URL"], server["KMS_TOKEN"]) as client:
        client.create_symmetric_key(name="billing")
        for line in COMMANDS.text.splitlines():
            program, *argv = shlex.split(line)
            assert program == "kmsctl"
            assert kmsctl(*argv).code == 0
        assert Path("copy.pdf").read_bytes() == data
        sealed = Path("report.pdf.kms").read_bytes()
        (key, wrapped, nonce, tag), _ = decoder()["read_fields"](sealed)
        data_key = client.decrypt(
            key.decode(),
            Ciphertext(key.decode(), wrapped, nonce, tag),
            additional_data=b"kms_tornado file v1 data key" + sealed[14:46],
        )
    Path("decode.py").write_text(DECODER.text)
    done = subprocess.run(
        [sys.executable, "decode.py", "report.pdf.kms"],
        input=data_key.hex().encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == data
