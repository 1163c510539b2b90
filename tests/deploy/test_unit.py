"""conf/kms-tornado.service: what it forbids, the server never needs; what it names, there is."""

from __future__ import annotations

import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from kms_tornado.options.table import BY_NAME

from .. import postgres
from ..issuer import Issuer
from ..server import Client, ServerProcess, eventually, trusting
from .installation import UNIT
from .proxies import replace, write_certificate
from .unit_file import SERVICE, settings_of, systemd_analyze

BACKUP = UNIT.with_name("kms-tornado-backup.service")
TIMER = UNIT.with_name("kms-tornado-backup.timer")


@pytest.mark.parametrize("unit", [UNIT, BACKUP], ids=lambda path: path.name)
def test_unit_exposes_little(unit: Path) -> None:
    text = systemd_analyze("security", "--offline=true", "--no-pager", str(unit))
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", text)
    assert level, text
    assert float(level[1]) < 2.0


@pytest.mark.parametrize("unit", [UNIT, BACKUP], ids=lambda path: path.name)
def test_unit_is_one_that_systemd_takes(unit: Path, tmp_path: Path) -> None:
    text = replace(unit.read_text(), {"/opt/kms-tornado/venv/bin/kms-tornado": "/bin/true"})
    (tmp_path / unit.name).write_text(text)
    assert systemd_analyze("verify", str(tmp_path / unit.name)) == ""


def test_timer_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """Beside the unit that it starts."""
    for file in (TIMER, BACKUP):
        text = file.read_text().replace("/opt/kms-tornado/venv/bin/kms-tornado", "/bin/true")
        (tmp_path / file.name).write_text(text)
    assert systemd_analyze("verify", str(tmp_path / TIMER.name)) == ""


def test_backup_is_denied_what_the_server_is_denied() -> None:
    denied = {
        name: values
        for name, values in SERVICE.items()
        if re.match("Protect|Private|Restrict|SystemCall|No|Lock|Memory|Capab", name)
    }
    backup = settings_of("Service", BACKUP)
    assert len(denied) > 15
    assert {name: backup[name] for name in denied} == denied


def test_unit_starts_after_the_network_and_the_database() -> None:
    unit = settings_of("Unit")
    assert unit["After"] == ["network-online.target postgresql.service"]
    assert unit["Wants"] == ["network-online.target"]


def test_unit_starts_again_what_time_may_mend_and_nothing_else() -> None:
    assert SERVICE["Restart"] == ["on-failure"]
    assert SERVICE["RestartPreventExitStatus"] == ["2"]
    assert int(SERVICE["RestartSec"][0]) * 5 > 10  # else systemd gives up: 5 starts in 10 s


def test_stop_has_the_time_that_the_server_takes() -> None:
    for_writes_s = 3
    shutdown_timeout_s = BY_NAME["shutdown-timeout"].default
    assert int(SERVICE["TimeoutStopSec"][0]) > shutdown_timeout_s + for_writes_s + 5


# --- system calls -------------------------------------------------------------------------------


def groups() -> dict[str, set[str]]:
    """{"@group": its system calls}, as this systemd has them."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in systemd_analyze("syscall-filter").splitlines():
        if line.startswith("@"):
            name = line
            found[name] = set()
        elif name and not line.strip().startswith("#") and line.strip():
            found[name].add(line.strip())
    return found


def members(names: Iterable[str], known: dict[str, set[str]]) -> set[str]:
    calls: set[str] = set()
    for name in names:
        calls |= members(known[name], known) if name.startswith("@") else {name}
    return calls


def allowed() -> set[str]:
    """What the lines SystemCallFilter= leave; systemd itself adds @default."""
    known = groups()
    calls = members(["@default"], known)
    for line in SERVICE["SystemCallFilter"]:
        named = members(line.lstrip("~").split(), known)
        calls = calls - named if line.startswith("~") else calls | named
    return calls


CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The system calls of a server with workers, TLS, metrics and PostgreSQL: it starts, serves, reloads and stops.

    Slow, as strace stops the server at every call.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    directory = tmp_path_factory.mktemp("trace")
    write_certificate(directory)
    database = postgres.cluster().new_database()
    tls = ("--tls-cert-file", "kms.crt", "--tls-key-file", "kms.key")
    with (
        Issuer("ES256") as issuer,
        ServerProcess(
            *trusting(issuer, *tls, "--workers", "2", "--metrics", "--database-url", database),
            cwd=directory,
            wrapper=["strace", "-f", "-qq", "-o", "trace"],
        ) as server,
    ):
        client = Client(server.port, tls=ssl.create_default_context(cafile=directory / "kms.crt"))
        eventually(lambda: client.get("/ready").status == 200, timeout_s=60)
        client.create(issuer.token(aud="kms"))
        [main] = _children(server.process.pid)
        for number, line in ((signal.SIGHUP, "TLS files were read again"), (signal.SIGTERM, None)):
            subprocess.run(["kill", f"-{number}", str(main)], check=True)
            if line:
                server.wait_for_line(line)
        server.wait(60)
    return (directory / "trace").read_text(errors="replace").splitlines()


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_every_system_call_of_the_server_is_allowed(trace: list[str]) -> None:
    calls = {match[1] for line in trace if (match := CALL.match(line))}
    assert {"accept4", "fsync", "setsockopt"} <= calls  # or it was no trace of a server at work
    assert calls - allowed() == set()


def test_server_makes_no_memory_both_writable_and_executable(trace: list[str]) -> None:
    """MemoryDenyWriteExecute=: libffi and compiled extensions are the usual ones that do."""
    assert "MemoryDenyWriteExecute" in SERVICE
    refused = [
        line
        for line in trace
        if ("mmap(" in line and "PROT_WRITE|PROT_EXEC" in line)
        or (re.search(r"\b(pkey_)?mprotect\(", line) and "PROT_EXEC" in line)
        or ("shmat(" in line and "SHM_EXEC" in line)
    ]
    assert refused == []


def test_server_uses_only_the_families_of_addresses_that_are_allowed(trace: list[str]) -> None:
    families = set(re.findall(r"\bsocket\((AF_\w+)", "\n".join(trace)))
    # glibc asks by AF_NETLINK which addresses the host has, and goes on without an answer.
    assert families - {"AF_NETLINK"} <= set(SERVICE["RestrictAddressFamilies"][0].split())


def test_server_finds_in_proc_what_it_reads(trace: list[str]) -> None:
    """ProcSubset=pid would hide /proc/stat, and with it all of the metrics about the process."""
    read = set(re.findall(r'openat\(\w+, "(/proc/[^"]+)"[^=]*\) = \d', "\n".join(trace)))
    assert {path for path in read if not re.match(r"/proc/(self|\d+)/", path)} == {"/proc/stat"}
    assert "ProcSubset" not in SERVICE


def test_server_writes_below_its_state_directory_and_to_temporary_files_alone(
    trace: list[str],
) -> None:
    written = {
        match[1]
        for line in trace
        if "O_WRONLY" in line or "O_RDWR" in line or "O_CREAT" in line
        if " ENOENT" not in line and (match := re.search(r'openat\(\w+, "([^"]+)"', line))
    }
    foreign = [
        path
        for path in written
        if not path.startswith(
            (f"{tempfile.gettempdir()}/", "/dev/null", "/proc/self/", "kms-data")
        )
        and not path.endswith((".pyc", ".pyc.tmp"))
        and "/__pycache__/" not in path
    ]
    assert foreign == []
