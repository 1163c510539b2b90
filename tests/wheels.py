"""The wheel that `pip install .` would install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: What pip runs where there is no pyproject.toml. Without pip around it, in three processes, it takes half as long.
_BUILD = (
    "import sys; from setuptools import build_meta; build_meta.__legacy__.build_wheel(sys.argv[1])"
)


def build_wheel(directory: Path) -> Path:
    """A wheel built in the directory, from a copy of the sources without leftovers, as pip has it built."""
    copy, out = directory / "source", directory / "wheel"
    copy.mkdir()
    for name in ("kms_tornado", "setup.py", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    subprocess.run(
        [sys.executable, "-c", _BUILD, str(out)],
        cwd=copy,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = out.glob("*.whl")
    return path
