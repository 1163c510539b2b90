"""Servers that start in a tenth of the time: forked from a process that has loaded the package already.

kmsctl at a terminal is forked from another such process.

A server takes a second to load its libraries, and the tests start hundreds of them. Each is a process of
its own all the same, with its own directory, output, signals, variables, limits and exit code. Where a test
is about the start of the process itself, it starts `python -m kms_tornado`.

    test ── WarmServers ── socket ── _serve_forever (loads once) ── server
    shell ── a program of `make_program` ── socket ──┘

All workers of pytest-xdist have one: who needs it first starts it, and it ends when nobody is connected.
`_serve_forever` tells the process ID of each server, waits for its end and tells its exit code.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import fcntl
import functools
import gc
import importlib
import json
import logging
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
_NUMBER = struct.Struct(">i")

#: What processes of tests have in common that have servers forked from one.
_run_id = str(os.getpid())


def share_with_run(run_id: str) -> None:
    """From now on, with the other workers of this run of pytest-xdist."""
    global _run_id
    _run_id = run_id


class WarmProcess:
    """A forked server, with those methods of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        pid: int,
        status: int,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
        stdin: IO[str] | None = None,
    ):
        """status: a pipe that the exit code comes from."""
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kms_tornado", timeout or 0)
            [self.returncode] = _NUMBER.unpack(os.read(self._status, _NUMBER.size))
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """What it still writes until it ends; all pipes are closed."""
        assert self.stdin is not None
        assert self.stdout is not None
        self.stdin.close()
        with self.stdout:
            self.wait(timeout)
            return self.stdout.read(), None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class WarmServers:
    """The process that servers are forked from."""

    def __init__(self, environment: dict[str, str], *, program: str = "server") -> None:
        """program: what is forked, "server" or "kmsctl"."""
        self._program = program
        # Has no file, whose path might be too long.
        self._address = f"\0kms-warm-{program}-{_run_id}"
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_UNIX)
        while not self._is_connected():
            self._begin(environment)
        atexit.register(self.close)

    def _is_connected(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            self._socket.connect(self._address)
            return True
        return False

    def _begin(self, environment: dict[str, str]) -> None:
        """Where no other worker is about to."""
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(self._address)
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
                return
            listener.listen(64)
            number = listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", self._program, str(number)],
                cwd=ROOT, env=environment, pass_fds=[number], stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def close(self) -> None:
        self._socket.close()
        if self._process is not None:
            self._process.poll()  # other workers may still have servers forked

    def start(
        self,
        argv: Sequence[str],
        cwd: Path,
        output: int | None = None,
        *,
        errors: int | None = None,
        variables: Mapping[str, str] | None = None,
        limits: Mapping[int, tuple[int, int]] | None = None,
        constants: Mapping[str, float] | None = None,
        stdin: int | None = None,
    ) -> WarmProcess:
        """argv: behind the program's name. output: where all output goes; None makes two pipes.

        stdin: what it reads; None is nothing. errors: where stderr goes instead of `output`.
        variables: added to the environment. limits: of the resources that `resource` numbers, soft and hard.
        constants: "module.NAME" in the package → what it has in this server, so that a test need not wait long.
        """
        request = {
            "argv": list(argv),
            "cwd": str(cwd),
            "variables": dict(variables or {}),
            "limits": list((limits or {}).items()),
            "constants": dict(constants or {}),
        }
        with open(os.devnull) as nothing:
            reads = nothing.fileno() if stdin is None else stdin
            if output is not None:
                pid, status = self._start(
                    request, reads, output, output if errors is None else errors
                )
                return WarmProcess(pid, status, None, None)
            pipes = [os.pipe(), os.pipe()]
            pid, status = self._start(request, reads, *(writer for _, writer in pipes))
        files = []
        for reader, writer in pipes:
            os.close(writer)
            files.append(os.fdopen(reader, errors="surrogateescape"))
        return WarmProcess(pid, status, *files)

    def start_kmsctl(
        self, argv: Sequence[str], environment: Mapping[str, str], terminal: int, program: str = ""
    ) -> WarmProcess:
        """kmsctl in a session of its own at the terminal, with no other variables than these.

        program: Python's text that is run in its place.
        """
        request = {
            "kmsctl": list(argv),
            "environment": dict(environment),
            "cwd": os.getcwd(),
            "program": program,
            "has_terminal": True,
        }
        pid, status = self._start(request, terminal, terminal, terminal)
        return WarmProcess(pid, status, None, None)

    def make_program(self) -> str:
        """Python's text, for `python -IS`: what is forked has its caller's files, variables, directory and signals."""
        return _PROGRAM.format(address=self._address, request=_REQUESTS[self._program])

    def write_program(self, path: Path) -> None:
        """The same as a file that a shell can run."""
        path.write_text(f"#!{sys.executable} -IS\n{self.make_program()}")
        path.chmod(0o755)

    def start_program(self, program: str, *argv: str) -> WarmProcess:
        """Python's text is run, in place of the server, with pipes to its stdin and from its stdout."""
        (reads, stdin), (stdout, writes) = os.pipe(), os.pipe()
        request = {"program": program, "argv": argv, "cwd": str(ROOT)}
        pid, status = self._start(request, reads, writes, 2)
        os.close(reads)
        os.close(writes)
        return WarmProcess(pid, status, os.fdopen(stdout), None, os.fdopen(stdin, "w"))

    def _start(self, request: dict[str, Any], *files: int) -> tuple[int, int]:
        """(the process ID, the pipe that the exit code comes from). files: its stdin, stdout and stderr."""
        status, theirs = os.pipe()
        message = json.dumps(request).encode()
        socket.send_fds(self._socket, [_NUMBER.pack(len(message)) + message], [theirs, *files])
        os.close(theirs)
        [pid] = _NUMBER.unpack(os.read(status, _NUMBER.size))
        return pid, status

    def run(
        self, argv: Sequence[str], cwd: Path, timeout_s: float, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` does. stdin: what the program reads there."""
        with tempfile.TemporaryFile() as file:
            file.write(stdin.encode())
            file.seek(0)
            process = self.start(argv, cwd, variables=variables, stdin=file.fileno())
        assert process.stdout is not None
        assert process.stderr is not None
        # Both are read meanwhile: whoever writes more than a pipe holds waits for a reader.
        with process.stdout, process.stderr, ThreadPoolExecutor(2) as readers:
            output = [readers.submit(pipe.read) for pipe in (process.stdout, process.stderr)]
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(
                list(argv), code, *(text.result() for text in output)
            )


#: Has a process forked as `WarmServers._start` does, and ends with its exit code, as shells count it. `signal` and `socket` would load for longer
#: than all the rest takes.
_PROGRAM = """
import _signal, _socket, json, os, sys

argv, environment = sys.argv[1:], dict(os.environ)
ended, status = os.pipe()
request = {{"cwd": os.getcwd(), {request}}}
message = json.dumps(request).encode()
files = b"".join(each.to_bytes(4, sys.byteorder) for each in (status, 0, 1, 2))
warm = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
warm.connect({address!r})
warm.sendmsg(
    [len(message).to_bytes(4, "big"), message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)]
)
os.close(status)
pid = int.from_bytes(os.read(ended, 4), "big", signed=True)
for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
    _signal.signal(number, lambda number, frame: os.kill(pid, number))
code = int.from_bytes(os.read(ended, 4), "big", signed=True)
os._exit(code if code >= 0 else 128 - code)
"""
#: What of a request is the one program's or the other's.
_REQUESTS = {
    "server": '"argv": argv, "variables": environment, "limits": [], "constants": {}',
    "kmsctl": '"kmsctl": argv, "environment": environment, "program": "", "has_terminal": False',
}


# --- the process that servers are forked from -----------------------------------------------------


#: What a program loads until it serves, or speaks to a server; uvloop only where it is installed.
_LOADED_FIRST = {
    "server": (
        "kms_tornado.program", "kms_tornado.commands.audit.export", "kms_tornado.commands.audit.verify",
        "kms_tornado.commands.backup", "kms_tornado.commands.explain", "kms_tornado.commands.restore",
        "kms_tornado.commands.rewrap", "kms_tornado.commands.transfer", "kms_tornado.commands.verify",
        "kms_tornado.store.migrate",
        "kms_tornado.store.sqlite.backend", "kms_tornado.web.metrics.metrics",
        "kms_tornado.web.metrics.workers", "kms_tornado.web.process.dev.text",
        "kms_tornado.web.process.serving",
        "cryptography.hazmat.backends.openssl.backend", "tornado.platform.asyncio", "uvloop",
    ),
    "kmsctl": (
        "kms_tornado.client.blocking", "kms_tornado.client.cli.account.whoami", "kms_tornado.client.cli.failures",
        "kms_tornado.client.cli.main", "kms_tornado.client.cli.root", "kms_tornado.client.configuration.file",
    ),
}  # fmt: skip


def _serve_forever(program: str, listener: socket.socket) -> None:
    """listener: which the connections of tests' processes and of programs come to."""
    for name in _LOADED_FIRST[program]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if program == "server":
        _prepare()
    gc.freeze()  # or the first collection in each server would copy all pages
    # What the terminal sends, the tests' process gets, too, and it stops its servers.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    running: dict[int, int] = {}  # process ID → the pipe that the exit code goes to
    connections: list[socket.socket] = []
    ended = _hear_of_ends()
    while True:
        [asking, *_] = select.select([ended, listener, *connections], [], [])[0]
        if asking is ended:
            ended.recv(4096)
            _tell_ends(running)
            continue
        if asking is listener:
            connections.append(listener.accept()[0])
            continue
        head, descriptors, _, _ = socket.recv_fds(asking, _NUMBER.size, 4)
        if not head:
            asking.close()
            connections.remove(asking)
            if not connections and not select.select([listener], [], [], 0)[0]:
                return
            continue
        [length] = _NUMBER.unpack(head)
        message = asking.recv(length, socket.MSG_WAITALL)
        if program == "server" and b"postgresql:" in message:
            _load_postgresql()
        status, *files = descriptors
        if (pid := os.fork()) == 0:
            for each in (ended, listener, *connections):
                each.close()
            for descriptor in (status, *running.values(), signal.set_wakeup_fd(-1)):
                os.close(descriptor)
            _run(json.loads(message), *files)
        for descriptor in files:
            os.close(descriptor)
        os.write(status, _NUMBER.pack(pid))
        running[pid] = status


def _hear_of_ends() -> socket.socket:
    """What can be read whenever a child has ended."""
    ended, tells = socket.socketpair()
    ended.setblocking(False)
    tells.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(tells.detach(), warn_on_full_buffer=False)
    return ended


def _tell_ends(running: dict[int, int]) -> None:
    """Whoever asked for a server that has ended gets its exit code."""
    while running:
        pid, ended = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        status = running.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it
            os.write(status, _NUMBER.pack(os.waitstatus_to_exitcode(ended)))
        os.close(status)


def _prepare() -> None:
    """What each server would do once at its start, and its successors find done: one starts here, and stops."""
    from kms_tornado import options
    from kms_tornado.web.process.server import Server
    from kms_tornado.web.process.serving import _choose_loop_factory

    from .new_databases import make_at_once

    async def start(server: Server) -> None:
        async with server:
            pass

    make_at_once()
    logging.disable()
    with (
        tempfile.TemporaryDirectory() as directory,
        asyncio.Runner(loop_factory=_choose_loop_factory()) as runner,
    ):
        line = ["--insecure-no-auth", "--port", "0", "--data-dir", directory]
        runner.run(start(Server(options.parse(line, {}).settings)))
    logging.disable(logging.NOTSET)
    tempfile.tempdir = None  # a server may have a TMPDIR of its own


@functools.cache
def _load_postgresql() -> None:
    """Half of what the start of a server on PostgreSQL takes. Not before the first: most runs have none."""
    from kms_tornado.errors import ConfigurationError
    from kms_tornado.store.opening import open_store

    with contextlib.suppress(ConfigurationError):  # the driver is not installed
        open_store("postgresql://localhost/kms", ROOT)
    gc.freeze()


def _run(request: dict[str, Any], *files: int) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for descriptor, file in enumerate(files):
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(request["cwd"])
    try:
        code = _choose_run(request)(request)
    except SystemExit as exc:
        code = exc.code
    if not isinstance(code, int | None):
        sys.exit(code)  # a text, which Python prints
    _end(code or 0)


def _choose_run(request: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    if "kmsctl" in request:
        return _run_kmsctl
    sys.argv = ["kms_tornado", *request["argv"]]
    return _run_program if "program" in request else _run_server


def _run_kmsctl(request: dict[str, Any]) -> int | None:
    """What Python does at its start, it does again: with these variables, and for a terminal or a shell's files."""
    from kms_tornado.client.cli.main import main

    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    time.tzset()
    warnings.simplefilter("default")
    os.setsid()
    if request["has_terminal"]:  # Ctrl-C is for the session that it belongs to
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = os.fdopen(0, encoding=encoding, errors="surrogateescape", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=encoding, errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["kmsctl", *request["kmsctl"]]
    return _run_program(request) if request["program"] else main()


def _run_program(request: dict[str, Any]) -> None:
    exec(compile(request["program"], "program", "exec"), {"__name__": "__main__"})


def _run_server(request: dict[str, Any]) -> object:
    from kms_tornado.__main__ import main

    os.environ.update(request["variables"])
    for which, limit in request["limits"]:
        resource.setrlimit(which, tuple(limit))
    for name, value in request["constants"].items():
        _set_constant(name, value)
    return main()


def _set_constant(name: str, value: float) -> None:
    module_name, _, constant = name.rpartition(".")
    module = importlib.import_module(f"kms_tornado.{module_name}")
    assert hasattr(module, constant), f"there is no {name}"
    setattr(module, constant, value)


def _end(code: int) -> NoReturn:
    """As Python ends, but for the taking apart of all modules.

    That writes to each page that is shared with our parent, and took as long as the server's start. Servers
    that are started by a command line go all the way.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _, name, number = sys.argv
    _serve_forever(name, socket.socket(fileno=int(number)))
