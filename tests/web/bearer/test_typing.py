"""A user's application is clean under mypy --strict and pyright with the package installed; mistakes are found."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from kms_tornado.auth.tokens.token_policy import TokenPolicy, TokenPolicyArguments

from ...wheels import build_wheel

HERE = Path(__file__).parent
MISTYPED = HERE / "mistyped_program.py"

#: The lines of the program with mistakes that have one: what follows two spaces says which.
MISTAKES = [
    number for number, line in enumerate(MISTYPED.read_text().splitlines(), 1) if "  # " in line
]
CHECKERS = ["mypy", "pyright"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the user's, with an environment in which the wheel is installed."""
    directory = tmp_path_factory.mktemp("project")
    environment = directory / "venv"
    venv.create(environment, with_pip=False)
    site = next(environment.glob("lib/*/site-packages"))
    shutil.unpack_archive(build_wheel(directory), site, "zip")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))  # Tornado and what it needs
    for name in ("typed_program.py", "mistyped_program.py"):
        shutil.copy(HERE / name, directory)
    return directory


def check(project: Path, checker: str, program: str) -> tuple[int, str]:
    """The exit code and the output of a type checker, which knows nothing of our sources."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    python = str(project / "venv/bin/python")
    arguments = {
        "mypy": ("--strict", "--python-executable", python),
        "pyright": ("--pythonpath", python),
    }
    finished = subprocess.run(
        [sys.executable, "-m", checker, *arguments[checker], program],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return finished.returncode, finished.stdout


@pytest.mark.soak  # each takes some seconds of a core; `tox -e type` runs them
@pytest.mark.parametrize("checker", CHECKERS)
def test_typed_application_is_clean(project: Path, checker: str) -> None:
    code, output = check(project, checker, "typed_program.py")
    assert code == 0, output


@pytest.mark.soak
@pytest.mark.parametrize("checker", CHECKERS)
def test_every_mistake_is_found(project: Path, checker: str) -> None:
    code, output = check(project, checker, "mistyped_program.py")
    assert code == 1
    found = {int(line) for line in re.findall(r"mistyped_program\.py:(\d+)[^\n]*error", output)}
    assert sorted(found) == MISTAKES, output


def test_there_are_mistakes_to_find() -> None:
    assert len(MISTAKES) == 21


def test_arguments_of_from_issuer_are_the_fields_of_the_policy() -> None:
    assert set(TokenPolicyArguments.__annotations__) == set(TokenPolicy.__dataclass_fields__)
