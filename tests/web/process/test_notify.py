"""The service manager is told when the server has started, and when it stops."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.web.process.notify import notify_manager

from ...server import NO_AUTH, serving


class Manager:
    """A service manager's socket, with a path that fits into an address."""

    def __init__(self, directory: str) -> None:
        self.address = f"{directory}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.bind(self.address)

    def told(self) -> str:
        return self.socket.recv(100).decode()


@pytest.fixture
def manager() -> Iterator[Manager]:
    with tempfile.TemporaryDirectory(prefix="kms-notify-", dir="/tmp") as directory:
        made = Manager(directory)
        with made.socket:
            yield made


@pytest.mark.parametrize("workers", ["1", "2"])
def test_manager_is_told_once_it_listens_and_once_it_stops(
    manager: Manager, tmp_path: Path, workers: str
) -> None:
    argv = (*NO_AUTH, "--workers", workers)
    with serving(*argv, cwd=tmp_path, env={"NOTIFY_SOCKET": manager.address}) as server:
        assert manager.told() == "READY=1"
        assert server.client.get("/ready").status == 200
        assert server.stop() == 0
        assert manager.told() == "STOPPING=1"


def test_abstract_socket_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"kms-tornado-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify_manager("READY=1")
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative"])
def test_nobody_is_told_where_nobody_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_manager("READY=1")
    assert caplog.messages == []


def test_manager_that_is_gone_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "absent"))
    with caplog.at_level(logging.WARNING):
        notify_manager("READY=1")
    assert len(caplog.messages) == 1
