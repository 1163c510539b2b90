"""What the systemd unit says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .installation import UNIT


def systemd_analyze(*arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)
    return done.stdout + done.stderr


def settings_of(section: str, unit: Path = UNIT) -> dict[str, list[str]]:
    """{name: its values, in their order}."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


SERVICE = settings_of("Service")
