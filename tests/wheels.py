"""The wheel that `pip install .` would install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def build_wheel(directory: Path) -> Path:
    """A wheel built in the directory, from a copy of the sources without leftovers."""
    copy, out = directory / "source", directory / "wheel"
    copy.mkdir()
    for name in ("kms_tornado", "setup.py", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    argv = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out), str(copy)]
    subprocess.run(
        [sys.executable, "-m", "pip", *argv], check=True, capture_output=True, timeout=120
    )
    (path,) = out.glob("*.whl")
    return path
