"""docs/kmip-port.md: its commands make certificates that its configuration accepts, and revoke them; its program runs."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from ..issuer import Issuer
from ..kmip_server.authority import Authority
from ..kmip_server.client import QUERY, Connection, find_port
from ..server import ServerProcess, environment, trusting
from .blocks import block

PAGE = "docs/kmip-port.md"
START = block(PAGE, "sh", "--dev")
PROGRAM = block(PAGE, "python", "ProxyKmipClient")
AUTHORITY = block(PAGE, "sh", "req -x509")
CLIENT = block(PAGE, "sh", "/CN=backup")
CONFIGURATION = block(PAGE, "toml", "kmip-port")
REVOKE = block(PAGE, "sh", "-gencrl")
BLOCKS = [START, PROGRAM, AUTHORITY, CLIENT, CONFIGURATION, REVOKE]


def run(script: str, directory: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    finished = subprocess.run(
        ["bash", "-euc", script],
        cwd=directory,
        env=environment(PATH=path),
        check=True,
        timeout=120,
        stdout=subprocess.PIPE,
        text=True,
    )
    return finished.stdout


def client_context(directory: Path, server_ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server_ca)
    context.load_cert_chain(directory / "backup.pem", directory / "backup.key")
    return context


def test_commands_make_a_client_and_revoke_it(tmp_path: Path) -> None:
    public = Authority(tmp_path, "Public CA")
    public.issue("server", "localhost", hosts=("localhost",), usage=None)
    run(AUTHORITY.text + CLIENT.text, tmp_path)
    configuration = CONFIGURATION.text.replace("5696", "0").replace("0.0.0.0", "127.0.0.1")
    (tmp_path / "kms.toml").write_text(configuration)
    context = client_context(tmp_path, public.file)
    with Issuer("ES256") as issuer:
        options = trusting(issuer, "-c", "kms.toml")
        with ServerProcess(*options, cwd=tmp_path, tls=ssl.create_default_context()) as server:
            with Connection(find_port(server), context) as backup:
                assert backup.create()
            server.wait_for_line("user=cert:backup operation=Create")
            assert server.stop() == 0
        run(REVOKE.text, tmp_path)
        options = (*options, "--kmip-clients-crl-file", "kmip-crl.pem")
        with ServerProcess(*options, cwd=tmp_path, tls=ssl.create_default_context()) as server:
            with (
                pytest.raises((ssl.SSLError, ConnectionError)),
                Connection(find_port(server), context) as backup,
            ):
                backup.do(QUERY)
            server.wait_for_line("certificate revoked")
            assert server.stop() == 0


def test_program_works_with_what_dev_prints(tmp_path: Path) -> None:
    pytest.importorskip("kmip")
    (tmp_path / "program.py").write_text(PROGRAM.text)
    start = START.text.replace("--dev", "--dev --port 0")
    printed = run(
        f"{start}\ntrap 'kill $!' EXIT\npython -W ignore program.py\n"
        "echo $KMIP_HOST $KMIP_PORT $KMIP_CA $KMIP_CERT $KMIP_KEY $KMIP_BOB_CERT $KMIP_BOB_KEY",
        tmp_path,
    )
    host, port, *files = printed.split()
    assert host == "127.0.0.1"
    assert re.fullmatch(r"\d+", port)
    assert len(files) == 5
    assert all((tmp_path / file).is_file() for file in files)
