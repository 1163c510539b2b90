"""A person's terminal: a shell behind a pseudo-terminal, into which lines are pasted one by one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .blocks import ROOT

#: Makes the pseudo-terminal the shell's own, as logging in does: without it there is no Ctrl-C.
_LOG_IN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
_KMSCTL = "import sys; from kms_tornado.client.cli.main import main; sys.exit(main())"
_DONE = re.compile(r"<<(\d+)>>")
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]")

#: {name: its command}. Line editing would draw what is typed; without it the output is the commands' own.
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "--noediting", "-i"],
    "zsh": ["zsh", "-f", "-i", "+Z"],
    "sh": ["sh", "-i"],
}


class Terminal:
    """One shell, of 100 columns.

    watch: called with all that the running command has printed so far, whenever there is more of it: where
    the person at the terminal would do something.
    """

    def __init__(self, descriptor: int, watch: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._watch = watch
        self.transcript = ""
        self._read()

    def run(self, command: str) -> tuple[str, int]:
        """(what it prints, as one sees it at its end; its exit code)"""
        os.write(self._descriptor, command.rstrip("\n").encode() + b"\n")
        printed, code = self._read()
        self.transcript += f"$ {command.strip()}\n{printed}"
        return printed, code

    def _read(self, timeout_s: float = 60) -> tuple[str, int]:
        """Read until the prompt comes, which has the exit code of the last command."""
        received, deadline = b"", time.monotonic() + timeout_s
        while True:
            text = received.decode(errors="replace")
            done = _DONE.search(text)
            if done is not None:
                return see(text[: done.start()]), int(done[1])
            self._watch(see(text))
            ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
            assert ready, f"no prompt after {timeout_s} s:\n{text}"
            received += os.read(self._descriptor, 65536)


def see(text: str) -> str:
    """What is left on the screen: no colours, and of a line that is drawn over and over the last state."""
    lines = _CONTROLS.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines)


@contextlib.contextmanager
def terminal(
    directory: Path,
    variables: Mapping[str, str],
    *,
    shell: str = "bash",
    watch: Callable[[str], None] = lambda text: None,
) -> Iterator[Terminal]:
    """A shell in the directory, which finds this source's kmsctl, and nothing of the developer's own."""
    programs = directory / ".programs"
    programs.mkdir()
    (programs / "kmsctl").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{_KMSCTL}' \"$@\"\n")
    (programs / "kmsctl").chmod(0o755)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PS1": "<<$?>>",
        "PS2": "",
        **variables,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _LOG_IN, *SHELLS[shell]],
        cwd=directory,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(ours, watch)
    finally:
        os.close(ours)  # hangs up, which ends the shell and what runs in it
        process.wait(20)
