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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .server import ROOT, warm_kmsctl

#: Makes the pseudo-terminal the shell's own, as logging in does: without it there is no Ctrl-C.
_LOG_IN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
_DONE = re.compile(rb"<<(\d+)>>")
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]")

#: {name: its command}. Line editing would draw what is typed; without it the output is the commands' own.
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "--noediting", "-i"],
    "zsh": ["zsh", "-f", "-i", "+Z", "-o", "no_prompt_cr", "-o", "no_prompt_sp"],
    "sh": ["sh", "-i"],
}


class Terminal:
    """One shell, of 100 columns.

    watch: called with all that the running command has printed so far, whenever there is more of it: the
    person at the terminal may do something elsewhere, and returns what to type, "" for nothing.
    """

    def __init__(self, descriptor: int, watch: Callable[[str], str]) -> None:
        self._descriptor = descriptor
        self._watch = watch
        self._received = b""
        self.transcript = ""
        self._read()

    def run(self, command: str) -> tuple[str, int]:
        """(what it prints, as one sees it at its end; its exit code)"""
        self._echo(True)
        self._type(command + "\n")
        printed, code = self._read()
        self.transcript += f"$ {printed}"
        return printed.removeprefix(command + "\n"), code

    def paste(self, commands: Sequence[str]) -> list[tuple[str, int]]:
        """All at once, as one pastes lines: a command that read from the terminal would swallow the next."""
        self._echo(False)  # all lines would be shown before what the first of them prints
        self._type("".join(command + "\n" for command in commands))
        results = []
        for command in commands:
            results.append(self._read())
            self.transcript += f"$ {command}\n{results[-1][0]}"
        return results

    def _type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def _echo(self, is_on: bool) -> None:
        attributes = termios.tcgetattr(self._descriptor)
        attributes[3] = attributes[3] | termios.ECHO if is_on else attributes[3] & ~termios.ECHO
        termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)

    def _read(self, timeout_s: float = 60) -> tuple[str, int]:
        """Read up to the next prompt, which has the exit code of the last command."""
        deadline = time.monotonic() + timeout_s
        while True:
            done = _DONE.search(self._received)
            if done is not None:
                printed, self._received = (
                    self._received[: done.start()],
                    self._received[done.end() :],
                )
                return see(printed), int(done[1])
            self._type(self._watch(see(self._received)))
            ready, _, _ = select.select(
                [self._descriptor], [], [], max(0.0, deadline - time.monotonic())
            )
            assert ready, f"no prompt after {timeout_s} s:\n{see(self._received)}"
            self._received += os.read(self._descriptor, 65536)


def see(printed: bytes) -> str:
    """What is left on the screen: no colours, and of a line that is drawn over and over the last state."""
    lines = _CONTROLS.sub("", printed.decode(errors="replace")).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines)


def path_with_kmsctl(directory: Path) -> str:
    """A PATH on which this source's kmsctl is, whether it is installed or not. It is forked, as pages call it often."""
    programs = directory / ".programs"
    programs.mkdir()
    warm_kmsctl().write_program(programs / "kmsctl")
    return f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"


@contextlib.contextmanager
def terminal(
    directory: Path,
    variables: Mapping[str, str],
    *,
    shell: str = "bash",
    watch: Callable[[str], str] = lambda printed: "",
) -> Iterator[Terminal]:
    """A shell in the directory, which finds this source's kmsctl, and nothing of the developer's own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {
        "PATH": path_with_kmsctl(directory),
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PS1": "<<%?>>" if shell == "zsh" else "<<$?>>",
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
