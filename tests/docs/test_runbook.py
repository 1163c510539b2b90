"""docs/runbook.md is followed from its first line to its last, on one host; between its lines, things go wrong.

What would change this machine is replaced: the places of the host stand below a directory, `systemctl` starts and
stops one server, which `journalctl` shows, and `runuser` stays who we are.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ..deploy.proxies import write_certificate
from ..issuer import Issuer
from ..server import ROOT, free_port, warm_servers
from ..terminal import path_with_kmsctl
from ..warm import WarmProcess
from .blocks import Block, block, blocks
from .session import run_session

PAGE = "docs/runbook.md"
BLOCKS = blocks(PAGE)

#: What the lines may name; each stands below the directory instead.
PLACES = (
    *("/opt/kms-tornado", "/etc/kms-tornado", "/etc/systemd/system", "/var/lib/kms-tornado"),
    *("/var/backups/kms-tornado", "/mnt/vault", "/srv"),
)

#: Text of a block of the page → what happens on the host before it is typed.
DISASTERS = {
    'echo "$LEAKED" | kms': (
        "KMS_TOKEN=$BOB kmsctl create bobs\nKMS_TOKEN=$BOB kmsctl sym keys export bobs stolen.key"
    ),
    "wrong.key": "head -c 32 /dev/urandom | base64 > /var/lib/kms-tornado/master.key",
    "cat /mnt/vault/audit.key.pub >>": (
        "systemctl stop kms-tornado; rm /var/lib/kms-tornado/audit.key*; systemctl start kms-tornado"
    ),
    "rm -rf /var/lib/kms-tornado/issuer-keys": "issuer rotate",
    "wrote its row": (
        "sqlite3 /var/lib/kms-tornado/kms.db"
        " \"UPDATE objects SET owner = 'mallory' WHERE serial = (SELECT max(serial) FROM objects)\"\n"
        "kms audit verify --key /etc/kms-tornado/old-audit-keys.pem || true"
    ),
    "older than this server's anchor: the anchor": (
        "systemctl stop kms-tornado\n"
        "cp /var/lib/kms-tornado/kms.db /srv/old.db\n"
        "systemctl start kms-tornado\n"
        "systemctl stop kms-tornado\n"
        "cp /srv/old.db /var/lib/kms-tornado/kms.db\n"
        "systemctl start kms-tornado || journalctl -u kms-tornado -n 1"
    ),
}

#: When the line of the crontab is run.
CRONTAB = "30 2 * * * "

#: Hands its own name and arguments to `Host`, and ends as that says.
_PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as host:
    host.connect({address!r})
    host.sendall(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd()]).encode() + b"\\n")
    code, out, err = json.loads(host.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
_RUNUSER = """#!/bin/bash
[ "$1 $2 $3" = "-u kms-tornado --" ] && shift 3 && exec "$@"
"""
#: `explain` reads its stdin, so that it is not forked from another process.
_EXPLAIN = """#!/bin/bash
[ "$1" = explain ] || exec {programs}/command "$@"
PYTHONPATH={root} exec {python} -m kms_tornado "$@"
"""

Outcome = tuple[int, str, str]


class Host:
    """``with`` answers the programs. root: stands for its root. port: of the server."""

    def __init__(self, directory: Path, issuer: Issuer) -> None:
        self.directory = directory
        self.root = directory / "host"
        self.port, self.metrics_port = free_port(), free_port()
        self._issuer = issuer
        self._variables: dict[str, str] = {}
        self._server: WarmProcess | None = None
        self._log = directory / "log"
        self._log.touch()
        self._socket = socket.socket(socket.AF_UNIX)
        self.address = str(directory / "programs.socket")
        for place in (*PLACES, "/opt/kms-tornado/venv/bin"):
            self.place(place).mkdir(parents=True, exist_ok=True)
        self.place("/var/lib/kms-tornado").chmod(0o700)
        self._write_programs()

    def place(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def text(self, written: str) -> str:
        """The same text, about this host."""
        places = rf"(?<!\w)(?:{'|'.join(PLACES)})\b"
        written = re.sub(places, lambda found: str(self.place(found[0])), written)
        written = written.replace("-o kms-tornado -g kms-tornado ", "").replace(
            "-g kms-tornado ", ""
        )
        written = written.replace("kms.example.com:9998", f"localhost:{self.port}")
        return written.replace("127.0.0.1:9100", f"127.0.0.1:{self.metrics_port}")

    def _write_programs(self) -> None:
        bin_, programs = self.place("/opt/kms-tornado/venv/bin"), self.directory / "programs"
        programs.mkdir()
        values = {"python": sys.executable, "address": self.address, "root": ROOT}
        own = _PROGRAM.format(**values)
        for path, text in (
            (bin_ / "kms-tornado", _EXPLAIN.format(programs=programs, **values)),
            (bin_ / "pip", "#!/bin/sh\n"),
            (programs / "runuser", _RUNUSER),
            *((programs / name, own) for name in ("systemctl", "journalctl", "command", "issuer")),
        ):
            path.write_text(text)
            path.chmod(0o755)
        self.programs = programs

    # --- the programs ---------------------------------------------------------------------------

    def __enter__(self) -> Host:
        self._socket.bind(self.address)
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
        programs: Mapping[str, Callable[[list[str], Path], Outcome]] = {
            "command": self._run_command,
            "systemctl": self._run_systemctl,
            "journalctl": self._run_journalctl,
            "issuer": self._run_issuer,
        }
        with connection, connection.makefile("rw") as file:
            name, arguments, directory = json.loads(file.readline())
            try:
                outcome = programs[name](arguments, Path(directory))
            except Exception as exc:
                outcome = (99, "", repr(exc))
            file.write(json.dumps(outcome) + "\n")

    def _run_command(self, arguments: list[str], directory: Path) -> Outcome:
        done = warm_servers().run(arguments, directory, 60)
        return done.returncode, done.stdout, done.stderr

    def _run_journalctl(self, arguments: list[str], directory: Path) -> Outcome:
        lines = self._log.read_text().splitlines(keepends=True)
        count = int(arguments[arguments.index("-n") + 1]) if "-n" in arguments else len(lines)
        return 0, "".join(lines[-count:]), ""

    def _run_issuer(self, arguments: list[str], directory: Path) -> Outcome:
        self._issuer.rotate(keep_old=False)
        return 0, "", ""

    def _run_systemctl(self, arguments: list[str], directory: Path) -> Outcome:
        match arguments:
            case ["daemon-reload"] | ["enable", "--now", "kms-tornado-backup.timer"]:
                return 0, "", ""
            case ["set-environment", variable]:
                name, _, value = variable.partition("=")
                self._variables[name] = value
                return 0, "", ""
            case ["unset-environment", name]:
                del self._variables[name]
                return 0, "", ""
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
        return 98, "", f"no such call of systemctl: {arguments}\n"

    def _start_backup(self) -> Outcome:
        unit = self.place("/etc/systemd/system/kms-tornado-backup.service").read_text()
        for line in re.findall("^ExecStart=(.*)", self.text(unit), re.MULTILINE):
            done = subprocess.run(shlex.split(line), capture_output=True, text=True)
            if done.returncode != 0:
                return done.returncode, done.stdout, done.stderr
        return 0, "", ""

    def _start(self) -> Outcome:
        assert self._server is None
        config = str(self.place("/etc/kms-tornado/kms.toml"))
        begin = self._log.stat().st_size
        with self._log.open("a") as log:
            self._server = warm_servers().start(
                ["-c", config], self.directory, log.fileno(), variables=self._variables
            )
        if self._wait_for("kms_tornado.server: listening on", begin):
            return 0, "", ""
        self._server = None
        return 1, "", "Job for kms-tornado.service failed\n"

    def _stop(self) -> Outcome:
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            assert self._server.wait(30) == 0
        self._server = None
        return 0, "", ""

    def _reload(self) -> Outcome:
        """Waits for what the operator would see a moment later."""
        assert self._server is not None
        begin = self._log.stat().st_size
        self._server.send_signal(signal.SIGHUP)
        done = all(
            self._wait_for(line, begin)
            for line in ("TLS files were read again", "master keys: ", "fetched again, as asked: ")
        )
        return 0 if done else 1, "", ""

    def _wait_for(self, text: str, begin: int) -> bool:
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


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer("ES256") as running:
        yield running


@pytest.fixture
def host(issuer: Issuer, tmp_path: Path) -> Iterator[Host]:
    """As docs/deploying.md leaves it, before the first start."""
    made = Host(tmp_path, issuer)
    configuration = block("docs/deploying.md", "toml", "jwt-issuer-uri").text
    configuration = configuration.replace("https://login.example.com/", issuer.uri)
    configuration = made.text(configuration.replace("0.0.0.0", "127.0.0.1"))
    made.place("/etc/kms-tornado/kms.toml").write_text(
        f"{configuration}port = {made.port}\njwks-cooldown = 0\n"
    )
    with made:
        yield made


def lines_of(host: Host) -> Iterator[Block]:
    """The page's blocks, and what happens between them, about this host."""
    left = dict(DISASTERS)
    for each in BLOCKS:
        for text in [text for text in left if text in each.text]:
            yield Block(PAGE, each.line, "sh", host.text(left.pop(text)))
        if each.text.startswith(CRONTAB):
            command = each.text.removeprefix(CRONTAB).replace("/var/backups/kms-tornado", "/srv")
            each = dataclasses.replace(each, language="sh", text=command)
        yield dataclasses.replace(each, text=host.text(each.text))
    assert left == {}


def test_runbook_is_followed_to_its_end(host: Host, issuer: Issuer, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write_certificate(work)
    for source, name in (("kms.crt", "tls.crt"), ("kms.key", "tls.key")):
        (work / source).rename(work / name)
        host.place(f"/etc/kms-tornado/{name}").write_bytes((work / name).read_bytes())
        host.place(f"/etc/kms-tornado/{name}").chmod(0o600)
    (work / "conf").symlink_to(ROOT / "conf")
    now = int(time.time())
    variables = {
        "KMS_URL": f"https://localhost:{host.port}",
        "KMS_TOKEN": issuer.token(sub="alice@example.com", aud="my-kms"),
        "LEAKED": issuer.token(sub="bob@example.com", aud="my-kms", iat=now - 900),
        "FORGED": issuer.token(sub="alice@example.com", aud="my-kms"),
        "BOB": issuer.token(sub="bob@example.com", aud="my-kms"),
        "PYTHONPATH": str(ROOT),
        "SSL_CERT_FILE": str(host.place("/etc/kms-tornado/tls.crt")),
        "CURL_CA_BUNDLE": str(host.place("/etc/kms-tornado/tls.crt")),
    }
    path = f"{host.programs}:{path_with_kmsctl(tmp_path)}"
    run_session(list(lines_of(host)), work, {**variables, "PATH": path}, timeout_s=120)
