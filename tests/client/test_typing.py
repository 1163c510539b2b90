"""A user's program is clean under mypy --strict and pyright, and a user's mistakes are found."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MISTYPED = HERE / "mistyped_program.py"

#: The lines of the program with mistakes that have one: what follows two spaces says which.
MISTAKES = [
    number for number, line in enumerate(MISTYPED.read_text().splitlines(), 1) if "  # " in line
]

pytestmark = pytest.mark.soak  # each takes some seconds of a core; `tox -e type` runs them


def check(program: Path, *command: str) -> tuple[int, str]:
    """The exit code and the output of a type checker."""
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    finished = subprocess.run(
        [sys.executable, "-m", *command, str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return finished.returncode, finished.stdout


CHECKERS = [
    pytest.param(("mypy", "--strict", "--config-file", "tox.ini"), id="mypy"),
    pytest.param(("pyright", "--pythonpath", sys.executable), id="pyright"),
]


@pytest.mark.parametrize("command", CHECKERS)
def test_typed_program_is_clean(command: tuple[str, ...]) -> None:
    code, output = check(HERE / "typed_program.py", *command)
    assert code == 0, output


@pytest.mark.parametrize("command", CHECKERS)
def test_every_mistake_is_found(command: tuple[str, ...]) -> None:
    code, output = check(MISTYPED, *command)
    assert code == 1
    found = {int(line) for line in re.findall(r"mistyped_program\.py:(\d+)[^\n]*error", output)}
    assert sorted(found) == MISTAKES, output


def test_there_are_mistakes_to_find() -> None:
    assert len(MISTAKES) == 10
