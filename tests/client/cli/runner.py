"""kmsctl for tests: within this process, as a process of its own, and in a pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from kms_tornado.client.cli.main import main

from ...server import warm_kmsctl

ROOT = Path(__file__).resolve().parents[3]
#: What `kmsctl` is where the console script is not installed.
COMMAND = (
    sys.executable,
    "-c",
    "import sys; from kms_tornado.client.cli.main import main; sys.exit(main())",
)


def forked_command() -> tuple[str, ...]:
    """What a process of kmsctl takes a tenth of the time with; SIGKILL ends the one that waits for it alone."""
    return (sys.executable, "-IS", "-c", warm_kmsctl().make_program())


@dataclass(frozen=True)
class Outcome:
    code: int
    output: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.output.decode()

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


def check_refused(outcome: Outcome, *words: str, code: int = 1) -> None:
    """One line that says it, and nothing on stdout."""
    assert outcome.code == code, outcome
    assert outcome.output == b""
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("kmsctl: ")
    assert all(word in line for word in words), line


@dataclass(frozen=True)
class Kmsctl:
    """home: where the configuration would be. variables: the environment besides."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default",
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "SSL_CERT_FILE": os.devnull,  # see tests/conftest.py
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **self.variables,
            **more,
        }

    def __call__(self, *argv: str | Path, stdin: bytes = b"", **more: str) -> Outcome:
        """Run it within this process, in a pipe."""
        out, err = io.BytesIO(), io.BytesIO()
        with (
            mock.patch.dict(os.environ, self.environment(**more), clear=True),
            _streams(io.BytesIO(stdin), out, err),
        ):
            code = main([str(argument) for argument in argv])
        return Outcome(code, out.getvalue(), err.getvalue().decode())

    def process(self, *argv: str | Path, stdin: bytes = b"", **more: str) -> Outcome:
        """Run it as a process of its own, forked from one that has loaded it, in a pipe."""
        done = subprocess.run(
            [*forked_command(), *map(str, argv)], env=self.environment(**more), input=stdin,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    def terminal(
        self, *argv: str | Path, answer: str = "", program: str = "", **more: str
    ) -> Outcome:
        """Run it in a pseudo-terminal. answer: typed when the program asks, with a colon at the end.

        program: Python's text that is run in its place.
        """
        main_end, terminal_end = pty.openpty()
        process = warm_kmsctl().start_kmsctl(
            [*map(str, argv)],
            self.environment(**{"TERM": "xterm-256color", **more}),
            terminal_end,
            program,
        )
        os.close(terminal_end)
        try:
            shown = _read_terminal(main_end, answer)
            return Outcome(process.wait(timeout=10), shown, "")
        finally:
            process.kill()
            process.wait()
            os.close(main_end)


@contextmanager
def _streams(stdin: io.BytesIO, stdout: io.BytesIO, stderr: io.BytesIO) -> Iterator[None]:
    opened: dict[str, Any] = {
        "stdin": io.TextIOWrapper(stdin, "utf-8"),
        "stdout": io.TextIOWrapper(stdout, "utf-8", write_through=True),
        "stderr": io.TextIOWrapper(stderr, "utf-8", write_through=True),
    }
    with mock.patch.multiple(sys, **opened):
        yield
    for stream in opened.values():
        stream.detach()  # or the bytes would be closed with it


def _read_terminal(descriptor: int, answer: str) -> bytes:
    shown, interrupts, deadline = b"", False, time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1)[0]:
            if (
                interrupts
            ):  # the signal came before Python waited for the line: a person presses again
                os.write(descriptor, b"\x03")
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # the program has closed its end
            break
        if not piece:
            break
        shown += piece
        if answer and shown.endswith(b": "):
            # Ctrl-C alone: a line behind it may be read before the signal arrives.
            interrupts = answer == "\x03"
            os.write(descriptor, answer.encode() if interrupts else f"{answer}\n".encode())
            answer = ""
    return shown.replace(b"\r\n", b"\n")
