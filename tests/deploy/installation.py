"""Lines that an operator types as root, run below a directory that stands for the host's root.

What would change this machine is replaced: `useradd` works on files below the directory, `systemctl` is
written down. `python3 -m venv` makes an environment that sees the libraries of this one, so that `pip`
installs the checkout alone.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

from ..server import ROOT, environment

#: What the lines may name; each stands below the directory instead.
PLACES = ("/opt/kms-tornado", "/etc/kms-tornado", "/etc/systemd/system")
_CHECKOUT = ("kms_tornado", "conf", "setup.py", "README.md", "LICENSE")

_PYTHON = """#!/bin/bash
set -eu
[ "$1 $2" = "-m venv" ]
"{python}" -m venv --without-pip "$3"
echo "{libraries}" > "$3/{site}/libraries.pth"
printf '#!/bin/bash\\nexec "%s/bin/python" -m pip "$@"\\n' "$3" > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""
_USERADD = """#!/bin/bash
exec {useradd} --prefix "{root}" "$@"
"""
_SYSTEMCTL = """#!/bin/bash
echo "$@" >> "{root}/systemctl"
"""


class Host:
    """A host before anything was typed. root: its directory. checkout: where the lines are typed."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "host"
        self.checkout = directory / "checkout"
        self._programs = directory / "programs"
        self.checkout.mkdir()
        for name in _CHECKOUT:
            subprocess.run(["cp", "-r", str(ROOT / name), str(self.checkout)], check=True)
        for place in ("etc/systemd/system", "opt", "var/lib"):
            (self.root / place).mkdir(parents=True)
        for name in ("passwd", "group", "shadow", "gshadow"):
            (self.root / "etc" / name).touch()
        self._write_programs()

    def _write_programs(self) -> None:
        libraries = sysconfig.get_path("purelib")
        values = {
            "python": sys.executable,
            "libraries": libraries,
            "site": Path(libraries).relative_to(sys.prefix).as_posix(),
            "root": str(self.root),
            "useradd": shutil.which("useradd", path="/usr/sbin:/usr/bin") or "false",
        }
        self._programs.mkdir()
        for name, text in (
            ("python3", _PYTHON),
            ("useradd", _USERADD),
            ("systemctl", _SYSTEMCTL),
        ):
            path = self._programs / name
            path.write_text(text.format(**values))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def place(self, path: str) -> Path:
        """Where the path of the host is."""
        return self.root / path.removeprefix("/")

    def text(self, written: str) -> str:
        """The same text, about the places below the directory."""
        for name in PLACES:
            written = written.replace(name, str(self.place(name)))
        return written

    def type(self, lines: str, **variables: str) -> str:
        """Run them in the checkout as they are written; what they print. The first that fails ends it."""
        inherited = environment(**variables)
        del inherited["PYTHONPATH"]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.text(lines)],
            cwd=self.checkout,
            env={**inherited, "PATH": f"{self._programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def systemctl(self) -> list[str]:
        """The arguments of each call."""
        return self.place("/systemctl").read_text().splitlines()
