"""Faults planted on purpose, one line each, to see that the tests catch them: ``python -m tests.planted_faults``.

Each fault undoes one rule of the security model (docs/security.md). It is planted in a copy of the
source, and the tests that must catch it run there, up to the first that fails. A fault that no test
catches is a rule that could be lost without notice.

``python -m tests.planted_faults WORD…`` plants only the faults whose names or rules have one of the words.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .planted_faults_table import FAULTS, Fault

ROOT = Path(__file__).resolve().parent.parent
_COPIED = ("kms_tornado", "tests", "docs", "conf", "examples", "setup.py", "tox.ini", "README.md")
_LONGEST_S = 600.0
#: Exit codes of pytest.
_PASSED, _FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """by: the first test that failed; None where none did. fault: the tests did not run, and why."""

    by: str | None
    trouble: str | None
    seconds: float

    @property
    def verdict(self) -> str:
        if self.trouble is not None:
            return "BROKEN"
        return "MISSED" if self.by is None else "caught"


def main(words: Sequence[str]) -> int:
    """Plant the faults, print the table, and return the exit code: 0 where all of them were caught."""
    faults = [
        fault
        for fault in FAULTS
        if not words or any(word in f"{fault.rule} {fault.name}" for word in words)
    ]
    with tempfile.TemporaryDirectory(prefix="kms-planted-") as directory:
        Path(directory).chmod(0o755)  # some tests run a server as another user
        copy = copy_source(Path(directory))
        print(f"{len(faults)} faults; first the tests without any of them", flush=True)
        tests = dict.fromkeys(test for fault in faults for test in fault.tests)
        sound = run_tests(copy, tests, longest_s=None)
        if sound.by is not None or sound.trouble is not None:
            print(f"the tests fail without a fault: {sound.by or sound.trouble}")
            return 1
        outcomes = []
        for fault in faults:
            outcomes.append(try_fault(copy, fault))
            print(format_row(fault, outcomes[-1]), flush=True)
    missed = sum(outcome.verdict != "caught" for outcome in outcomes)
    print(f"{len(faults) - missed} of {len(faults)} faults were caught")
    return 1 if missed else 0


def copy_source(directory: Path) -> Path:
    """A copy of what the tests need."""
    copy = directory / "source"
    copy.mkdir()
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
            )
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, copy / name)
    return copy


def try_fault(copy: Path, fault: Fault) -> Outcome:
    """Plant the fault in the copy, run its tests, and take it out again."""
    path = copy / fault.path
    sound = path.read_text()
    path.write_text(fault.plant(sound))
    try:
        return run_tests(copy, fault.tests)
    finally:
        path.write_text(sound)


def run_tests(copy: Path, tests: Iterable[str], *, longest_s: float | None = _LONGEST_S) -> Outcome:
    """Run the tests in the copy, up to the first that fails. longest_s: None waits for ever."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-p", "no:cacheprovider"]
    command += ["-n", "0", "--tb=line", *(f"tests/{test}" for test in tests)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            timeout=longest_s,
            check=False,
        )
    except subprocess.TimeoutExpired:  # a test that never ends fails, too
        return Outcome("(no end)", None, time.monotonic() - began)
    seconds = time.monotonic() - began
    failed = re.search(r"^(?:FAILED|ERROR) tests/(.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode == _PASSED:
        return Outcome(None, None, seconds)
    if done.returncode != _FAILED or failed is None:  # nothing was tested
        return Outcome(None, done.stdout[-2000:] + done.stderr[-500:], seconds)
    return Outcome(failed[1], None, seconds)


def format_row(fault: Fault, outcome: Outcome) -> str:
    by = (outcome.by or outcome.trouble or "").strip()
    return f"{outcome.verdict:6} {fault.rule:3} {fault.name} [{outcome.seconds:.0f} s] {by}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
