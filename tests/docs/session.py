"""A page as a session at a terminal: its blocks of sh and python in their order, in one shell.

- The block that starts ``python -m kms_tornado --dev`` is the fixture `dev_server`'s.
- The virtual environment and ``pip install …`` are left out: all of it is installed where the tests are run.
- ``export NAME=value`` is left out where the test knows the value: a reader pastes it from the output.
- A block of python begins with a comment that is its file's name, and is saved under it.
- A block of text or json behind a block of sh is what that prints (see `placeholders`).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..terminal import path_with_kmsctl
from .blocks import ROOT, Block
from .placeholders import Values

_MARK = "--- end of a block ---"
_PASTED = re.compile(r"export (\w+)=")
_ENVIRONMENT = re.compile(r"(python3 -m venv \.venv|\. \.venv/bin/activate)$")
_NOT_RUN = re.compile(r"^(pip install [^&|;]*|python -m kms_tornado --dev|&&|\s)+$")

#: The client's threads may abort the interpreter at its end, when everything is done
#: (docs/dialects.md, "Client quirks"); registered first, this ends the process last and before that.
_SITE = "import atexit, os, sys; atexit.register(lambda: (sys.stdout.flush(), os._exit(0)))"


def run_session(
    page: Sequence[Block], directory: Path, variables: Mapping[str, str], *, timeout_s: float = 60
) -> str:
    """Run the blocks and compare what they print; everything that was printed."""
    script, shown, behind_sh = ["set -eu -o pipefail"], [], False
    for each in page:
        if each.language in {"text", "json"} and behind_sh:
            shown[-1] = each
        elif each.language == "sh":
            script += [*commands_to_run(each, variables), f"echo; echo '{_MARK}'"]
            shown.append(None)
        elif each.language == "python":
            name = re.match(r"# (\w+\.py)\n", each.text)
            assert name, (
                f"{each.place}: the first line of a program is a comment with its file's name"
            )
            (directory / name[1]).write_text(each.text)
        else:
            raise AssertionError(f"{each.place}: nothing runs it")
        behind_sh = each.language == "sh"
    printed = _run("\n".join(script), directory, variables, timeout_s)
    _compare(shown, printed.split(f"\n{_MARK}\n")[:-1])
    return printed


def commands_to_run(each: Block, variables: Mapping[str, str]) -> list[str]:
    """Lines of a block of sh, without those that are done already. variables: known to the test."""
    text = [line for line in each.text.splitlines() if not _ENVIRONMENT.match(line)]
    if _NOT_RUN.match("\n".join(text)):
        return []
    lines = ((line, _PASTED.match(line)) for line in text)
    return [line for line, pasted in lines if pasted is None or pasted[1] not in variables]


def _run(script: str, directory: Path, variables: Mapping[str, str], timeout_s: float) -> str:
    (directory / "site").mkdir()
    (directory / "site" / "sitecustomize.py").write_text(_SITE)
    path = path_with_kmsctl(directory)
    python_path = f"{directory / 'site'}:{ROOT}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={**os.environ, "PATH": path, "PYTHONPATH": python_path, **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _compare(shown: Sequence[Block | None], printed: Sequence[str]) -> None:
    values = Values()
    for each, real in zip(shown, printed, strict=True):
        if each is None:
            continue
        try:
            values.match_text(each.text.strip(), real.strip())
        except AssertionError as exc:
            exc.add_note(f"at {each.place}")
            raise
