"""Ceph with one monitor, one object store in memory and one gateway, as Debian's packages have them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import uuid
from pathlib import Path
from typing import Any, Self

from ..deploy.proxies import program
from ..server import eventually, free_port

_PROGRAMS = (
    "ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin",
)  # fmt: skip
#: Of the only user, who stores objects.
_ACCESS_KEY, _SECRET_KEY = "tests", "tests of a key server"

_CONFIGURATION = """
[global]
fsid = {cluster}
mon host = 127.0.0.1:{monitor_port}
keyring = {directory}/keyring
run dir = {directory}
log file = {directory}/$name.log
admin socket = {directory}/$name.asok
mon data = {directory}/mon
mon allow pool size one = true
mon data avail crit = 1
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = 268435456
osd class load list = *
osd class default list = *
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0

[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{gateway_port}
rgw data = {directory}/rgw
rgw crypt require ssl = false
{gateway_options}
"""


class Ceph:
    """``with`` runs it; a test is skipped where a program of it is not installed.

    gateway_options: lines of ceph.conf for the gateway.
    """

    def __init__(self, directory: Path, gateway_options: str) -> None:
        self._programs = {name: program(name) for name in _PROGRAMS}
        self._directory = directory
        self._cluster = str(uuid.uuid4())
        self._monitor_port, self._gateway_port = free_port(), free_port()
        self._file = directory / "ceph.conf"
        self._file.write_text(
            _CONFIGURATION.format(
                cluster=self._cluster,
                directory=directory,
                monitor_port=self._monitor_port,
                gateway_port=self._gateway_port,
                gateway_options=gateway_options,
            )
        )
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            self._start(started)
            self._running = started.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._running.close()

    def connect(self) -> Any:
        """A client of S3."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._gateway_port}",
            aws_access_key_id=_ACCESS_KEY,
            aws_secret_access_key=_SECRET_KEY,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, read_timeout=30),
        )

    def _start(self, started: contextlib.ExitStack) -> None:
        for name in ("mon", "osd", "rgw"):
            (self._directory / name).mkdir()
        keyring, map_file = self._directory / "keyring", self._directory / "monmap"
        self._run("ceph-authtool", "--create-keyring", keyring)
        everything = [word for kind in ("mon", "osd", "mgr") for word in ("--cap", kind, "allow *")]
        for name in ("mon.", "client.admin", "osd.0", "client.rgw"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)
        place = f"127.0.0.1:{self._monitor_port}"
        self._run("monmaptool", "--create", "--add", "a", place, "--fsid", self._cluster, map_file)
        monitor = ("-i", "a", "--keyring", keyring)
        self._run("ceph-mon", *self._configured, "--mkfs", "--monmap", map_file, *monitor)
        self._spawn(started, "ceph-mon", *monitor)
        store = str(uuid.uuid4())
        self._run("ceph", *self._configured, "auth", "import", "-i", keyring)
        self._run("ceph", *self._configured, "osd", "create", store, "0")
        self._run("ceph-osd", *self._configured, "-i", "0", "--mkfs", "--osd-uuid", store)
        self._spawn(started, "ceph-osd", "-i", "0")
        self._spawn(started, "radosgw", "-n", "client.rgw")
        eventually(self._answers, timeout_s=60)
        self._run(
            "radosgw-admin", *self._configured, "user", "create", "--uid", "tests", "--display-name", "tests",
            "--access-key", _ACCESS_KEY, "--secret-key", _SECRET_KEY,
        )  # fmt: skip

    @property
    def _configured(self) -> tuple[str, str]:
        return "-c", str(self._file)

    def _run(self, name: str, *words: object) -> None:
        command = [self._programs[name], *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (command, done.stderr)

    def _spawn(self, started: contextlib.ExitStack, name: str, *words: object) -> None:
        output = started.enter_context((self._directory / f"{name}.out").open("wb"))
        command = [self._programs[name], *self._configured, "-f", *map(str, words)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        started.callback(process.wait, 20)
        started.callback(process.kill)  # nothing of it is needed again

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._gateway_port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True
