"""Load on servers while a command runs: keys are created and read, and no request may fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..server import ServerProcess

ADMIN = "x"


class Load:
    """Creates keys on one server and reads them on both, until the end; no request may fail."""

    def __init__(self, servers: list[ServerProcess]) -> None:
        self.servers = servers
        self.uids: list[str] = []
        self.failed: list[object] = []
        self._end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(one,)) for one in self.servers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def _run(self, server: ServerProcess) -> None:
        while not self._end.is_set():
            try:
                uid = server.client.create(ADMIN)
                self.uids.append(uid)
                for other in self.servers:
                    self.read(other, uid)
                    self.read(other, self.uids[len(self.uids) // 2])
            except Exception as exc:
                self.failed.append(exc)
                return

    def read(self, server: ServerProcess, uid: str) -> bytes:
        answer = server.client.get_key(ADMIN, uid)
        if answer.status != 200:
            self.failed.append((uid, answer.status, answer.text))
        return answer.body
