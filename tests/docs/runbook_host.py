"""A host on which docs/runbook.md is followed, with one server that starts, stops and logs as systemd has it.

What would change this machine is replaced: the places of the host stand below a directory, `systemctl` starts and
stops one server, which `journalctl` shows, and `runuser` stays who we are. `kms-tornado` is
forked from a process that has loaded it, and `kmsctl` runs within this one, as the page calls them some eighty times.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, Self

from ..client.cli.runner import Kmsctl
from ..issuer import Issuer
from ..server import free_port, warm_servers
from ..warm import WarmProcess
from .blocks import block

#: What the lines may name; each stands below the directory instead.
PLACES = (
    *("/opt/kms-tornado", "/etc/kms-tornado", "/etc/systemd/system", "/var/lib/kms-tornado"),
    *("/var/backups/kms-tornado", "/var/log/kms-tornado", "/mnt/vault", "/srv"),
)
#: Those that `Host` answers for.
ANSWERED = ("systemctl", "journalctl", "issuer", "kmsctl")

#: Hands its name, arguments, directory and variables to `Host`, and ends as that says.
_PROGRAM = """#!{python} -IS
import _socket, json, os, sys
host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
host.connect({address!r})
call = os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)
host.sendall(json.dumps(call).encode() + b"\\n")
with open(host.detach(), encoding="utf-8") as answer:
    code, out, err = json.loads(answer.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
_RUNUSER = """#!/bin/bash
[ "$1 $2 $3" = "-u kms-tornado --" ] && shift 3 && exec "$@"
"""


class Call(NamedTuple):
    program: str
    arguments: list[str]
    directory: str
    variables: dict[str, str]


class Outcome(NamedTuple):
    code: int = 0
    out: str = ""
    err: str = ""


class Host:
    """As docs/deploying.md leaves it, before the first start. ``with`` answers the programs.

    programs: the directory that comes first in PATH. port: of the server.
    """

    def __init__(self, directory: Path, issuer: Issuer) -> None:
        self.programs = directory / "programs"
        self.port, self._metrics_port = free_port(), free_port()
        self._directory = directory
        self._issuer = issuer
        self._variables: dict[str, str] = {}  # of the service manager
        self._server: WarmProcess | None = None
        self._log = directory / "log"
        self._log.touch()
        self._of_kmsctl: queue.SimpleQueue[tuple[Call, Future[Outcome]]] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX)
        self._address = f"\0kms-runbook-{os.getpid()}"  # has no file, whose path might be too long
        for place in PLACES:
            self.place(place).mkdir(parents=True)
        self.place("/var/lib/kms-tornado").chmod(0o700)
        self._write_configuration()
        self._write_programs()

    def place(self, path: str) -> Path:
        """Where the path of the host is."""
        return self._directory / "host" / path.removeprefix("/")

    def text(self, written: str) -> str:
        """The same text, about this host."""
        places = rf"(?<!\w)(?:{'|'.join(PLACES)})\b"
        written = re.sub(places, lambda found: str(self.place(found[0])), written)
        written = re.sub("(-o kms-tornado )?-g kms-tornado ", "", written)
        written = written.replace("kms.example.com:9998", f"localhost:{self.port}")
        return written.replace("127.0.0.1:9100", f"127.0.0.1:{self._metrics_port}")

    def _write_configuration(self) -> None:
        written = block("docs/deploying.md", "toml", "jwt-issuer-uri").text
        written = written.replace("https://login.example.com/", self._issuer.uri)
        written = self.text(written.replace("0.0.0.0", "127.0.0.1"))
        self.place("/etc/kms-tornado/kms.toml").write_text(
            f"{written}port = {self.port}\njwks-cooldown = 0\n"
        )

    def _write_programs(self) -> None:
        installed = self.place("/opt/kms-tornado/venv/bin")
        installed.mkdir(parents=True)
        self.programs.mkdir()
        own = _PROGRAM.format(python=sys.executable, address=self._address)
        warm_servers().write_program(installed / "kms-tornado")
        for path, text in (
            (installed / "pip", "#!/bin/sh\n"),
            (self.programs / "runuser", _RUNUSER),
            *((self.programs / name, own) for name in ANSWERED),
        ):
            path.write_text(text)
            path.chmod(0o755)

    # --- the programs ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._socket.bind(self._address)
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._server is not None:
            self._server.kill()

    def _accept(self) -> None:
        """A thread for each program, as one may run another."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw") as file:
            call = Call(*json.loads(file.readline()))
            try:
                outcome = getattr(self, f"_run_{call.program}")(call)
            except Exception as exc:
                outcome = Outcome(99, "", f"{call}: {exc!r}\n")
            file.write(json.dumps(outcome) + "\n")

    def _run_kmsctl(self, call: Call) -> Outcome:
        outcome: Future[Outcome] = Future()
        self._of_kmsctl.put((call, outcome))
        return outcome.result()

    def run_kmsctl(self, until: Future[str]) -> None:
        """Run the calls of kmsctl until the other is done: it takes signals, so it wants the main thread."""
        while not until.done():
            with contextlib.suppress(queue.Empty):
                call, outcome = self._of_kmsctl.get(timeout=0.05)
                with contextlib.chdir(call.directory):
                    done = Kmsctl(self._directory, call.variables)(*call.arguments)
                outcome.set_result(Outcome(done.code, done.stdout, done.stderr))

    def _run_journalctl(self, call: Call) -> Outcome:
        lines = self._log.read_text().splitlines(keepends=True)
        count = int(call.arguments[call.arguments.index("-n") + 1]) if "-n" in call.arguments else 0
        return Outcome(out="".join(lines[-count:]))

    def _run_issuer(self, call: Call) -> Outcome:
        """Of a disaster: the issuer takes its key back, and makes a new one."""
        self._issuer.rotate(keep_old=False)
        return Outcome()

    # --- the service manager --------------------------------------------------------------------

    def _run_systemctl(self, call: Call) -> Outcome:
        match call.arguments:
            case ["daemon-reload"] | ["enable", "--now", "kms-tornado-backup.timer"]:
                return Outcome()
            case ["set-environment", variable]:
                name, _, value = variable.partition("=")
                self._variables[name] = value
                return Outcome()
            case ["unset-environment", name]:
                del self._variables[name]
                return Outcome()
            case ["start", "kms-tornado-backup.service"]:
                return self._start_backup()
            case ["enable", "--now", "kms-tornado"] | ["start", "kms-tornado"]:
                return self._start()
            case ["stop", "kms-tornado"]:
                return self._stop()
            case ["restart", "kms-tornado"]:
                self._stop()
                return self._start()
            case ["reload", "kms-tornado"]:
                return self._reload()
        return Outcome(98, "", f"no such call of systemctl: {call.arguments}\n")

    def _start_backup(self) -> Outcome:
        unit = self.place("/etc/systemd/system/kms-tornado-backup.service").read_text()
        for line in re.findall("^ExecStart=(.*)", self.text(unit), re.MULTILINE):
            done = subprocess.run(shlex.split(line), capture_output=True, text=True)
            if done.returncode != 0:
                return Outcome(done.returncode, done.stdout, done.stderr)
        return Outcome()

    def _start(self) -> Outcome:
        assert self._server is None
        begin = self._log.stat().st_size
        command = ["-c", str(self.place("/etc/kms-tornado/kms.toml"))]
        with self._log.open("a") as log:
            self._server = warm_servers().start(
                command, self._directory, log.fileno(), variables=self._variables
            )
        if self._is_logged("kms_tornado.server: listening on", begin):
            return Outcome()
        self._server = None
        return Outcome(1, "", "Job for kms-tornado.service failed\n")

    def _stop(self) -> Outcome:
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            assert self._server.wait(60) == 0
        self._server = None
        return Outcome()

    def _reload(self) -> Outcome:
        """Waits for what the operator would see a moment later."""
        assert self._server is not None
        begin = self._log.stat().st_size
        self._server.send_signal(signal.SIGHUP)
        lines = ("TLS files were read again", "master keys: ", "fetched again, as asked: ")
        missing = [line for line in lines if not self._is_logged(line, begin)]
        return Outcome(
            1 if missing else 0, "", "".join(f"not logged: {line}\n" for line in missing)
        )

    def _is_logged(self, text: str, begin: int) -> bool:
        """Whether the log says so behind a position, before the server ends or a minute is over."""
        assert self._server is not None
        for _ in range(1200):
            has_ended = self._server.poll() is not None
            if text.encode() in self._log.read_bytes()[begin:]:
                return True
            if has_ended:
                return False
            time.sleep(0.05)
        return False
