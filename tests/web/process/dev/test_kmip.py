"""--dev is a KMIP server for anybody: PyKMIP reads what it wrote, and works."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ....server import ServerProcess, serving
from .browser import Printed

enums = pytest.importorskip("kmip.core.enums")
from kmip.pie.client import ProxyKmipClient  # noqa: E402 - only where it is installed
from kmip.pie.exceptions import KmipOperationFailure  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated")

HEADING = "KMIP over TLS, as cert:alice@example.com or cert:bob@example.com"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving("--dev", cwd=tmp_path_factory.mktemp("dev")) as server:
        server.wait_for_line("pykmip.conf", stream="stdout")
        yield server


@pytest.fixture(scope="module")
def variables(dev: ServerProcess) -> dict[str, str]:
    return dict(
        re.fullmatch(r"export (\w+)=(.*)", line).groups()  # type: ignore[union-attr]
        for line in Printed(dev).paragraphs[HEADING]
    )


@pytest.fixture(scope="module")
def configuration(dev: ServerProcess) -> Path:
    [path] = Printed(dev).paragraphs["the same for PyKMIP, in the sections client and bob"]
    return Path(path)


def connect(configuration: Path, section: str) -> Any:
    return ProxyKmipClient(
        config=section,
        config_file=str(configuration),
        kmip_version=enums.KMIPVersion.KMIP_2_0,
    )


def test_pykmip_makes_and_reads_a_key_as_alice_and_bob_does_not(configuration: Path) -> None:
    with connect(configuration, "client") as alice:
        key = alice.create(enums.CryptographicAlgorithm.AES, 256)
        alice.activate(key)
        assert len(alice.get(key).value) == 32
    with connect(configuration, "bob") as bob, pytest.raises(KmipOperationFailure):
        bob.get(key)


def test_files_are_there_and_keys_are_nobody_elses(variables: dict[str, str]) -> None:
    for name in ("KMIP_CA", "KMIP_CERT", "KMIP_KEY", "KMIP_BOB_CERT", "KMIP_BOB_KEY"):
        path = Path(variables[name])
        assert path.read_text().startswith("-----BEGIN ")
        if name.endswith("KEY"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_second_server_finds_a_port_where_the_first_has_taken_that_of_kmip(
    dev: ServerProcess, variables: dict[str, str], tmp_path: Path
) -> None:
    with serving("--dev", cwd=tmp_path) as other:
        other.wait_for_line("pykmip.conf", stream="stdout")
        lines = Printed(other).paragraphs[HEADING]
        [port] = [line.rpartition("=")[2] for line in lines if "KMIP_PORT" in line]
        assert port != variables["KMIP_PORT"]
        socket.create_connection((variables["KMIP_HOST"], int(port)), timeout=10).close()


def test_files_of_a_data_directory_stay_where_they_are(tmp_path: Path) -> None:
    for _ in range(2):
        with serving("--dev", "--data-dir", "data", cwd=tmp_path) as server:
            server.wait_for_line("pykmip.conf", stream="stdout")
            with connect(tmp_path / "data/dev-kmip/pykmip.conf", "client") as alice:
                assert alice.create(enums.CryptographicAlgorithm.AES, 256)
