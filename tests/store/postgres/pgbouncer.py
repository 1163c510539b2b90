"""PgBouncer in front of PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from ... import postgres


class PgBouncer:
    """As nobody, who runs the cluster, too: it refuses to run as root."""

    def __init__(self, database_url, configuration):
        """configuration: how it pools, at the end in the section [pgbouncer]."""
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            pytest.skip("no PgBouncer on this machine")
        cluster = postgres.cluster()
        self.directory = Path(tempfile.mkdtemp(prefix="kms-pgbouncer-"))
        self.database = postgres.name_of(database_url)
        (self.directory / "pgbouncer.ini").write_text(
            f"{configuration}\n"
            f"listen_addr =\nlisten_port = 5432\nunix_socket_dir = {self.directory}\n"
            f"auth_type = any\nlogfile = {self.directory}/log\n"
        )
        account = cluster._as_somebody
        if account:
            shutil.chown(self.directory, account["user"], account["group"])
        self._process = subprocess.Popen(
            [program, "--quiet", str(self.directory / "pgbouncer.ini")], cwd="/", **account
        )
        self._await()

    @property
    def url(self):
        host = quote(str(self.directory), safe="")
        return f"postgresql://{postgres.USER}@/{self.database}?host={host}"

    def stop(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _await(self):
        path = str(self.directory / ".s.PGSQL.5432")
        deadline = time.monotonic() + 30
        while True:
            with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
                probe.connect(path)
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.02)
