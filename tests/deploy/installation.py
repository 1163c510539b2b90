"""Lines that an operator types as root, run below a directory that stands for the host's root.

What would change this machine is replaced: `useradd` works on files below the directory, `systemctl` and
`docker` are written down, `runuser` stays who we are. `python3 -m venv` makes an environment that sees the
libraries of this one, so that `pip install` builds and installs the checkout alone.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from ..server import ROOT, environment

#: What the lines may name; each stands below the directory instead.
PLACES = ("/opt/kms-tornado", "/etc/kms-tornado", "/etc/systemd/system", "/var/lib/kms-tornado")
#: What `pip install .` needs.
BUILT_FROM = ("kms_tornado", "setup.py", "README.md", "LICENSE")
UNIT = ROOT / "conf/kms-tornado.service"

_PYTHON = """#!/bin/bash
set -eu
[ "$1 $2" = "-m venv" ]
"{python}" -m venv --without-pip "$3"
echo "{libraries}" > "$3/{site}/libraries.pth"
cat > "$3/bin/pip" <<END
#!/bin/bash
exec "$3/bin/python" -m pip "\\$1" --no-build-isolation "\\${{@:2}}"
END
chmod +x "$3/bin/pip"
"""
_USERADD = """#!/bin/bash
exec {useradd} --prefix "{root}" "$@"
"""
_WRITTEN_DOWN = """#!/bin/bash
echo "$@" >> "{root}/{name}"
"""
_RUNUSER = """#!/bin/bash
[ "$1 $2 $3" = "-u postgres --" ] && shift 3 && PATH="$POSTGRES_PROGRAMS:$PATH" exec "$@"
"""


class Host:
    """A host before anything was typed. root: its directory. checkout: where the lines are typed."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "host"
        self.checkout = directory / "checkout"
        self._programs = directory / "programs"
        self.checkout.mkdir()
        for name in (*BUILT_FROM, "conf"):
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
            ("runuser", _RUNUSER),
            ("systemctl", _WRITTEN_DOWN),
            ("docker", _WRITTEN_DOWN),
        ):
            path = self._programs / name
            path.write_text(text if text == _RUNUSER else text.format(name=name, **values))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def place(self, path: str) -> Path:
        """Where the path of the host is."""
        return self.root / path.removeprefix("/")

    def text(self, written: str) -> str:
        """The same text, about the places below the directory."""
        for name in PLACES:
            # The user's home is written down as it is.
            written = re.sub(f"(?<!--home-dir ){name}\\b", str(self.place(name)), written)
        return written.replace("-g kms-tornado ", "-g 0 ")  # a group that there is none of here

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

    def take_calls(self, name: str) -> list[str]:
        """The arguments of each call of `systemctl` or `docker` since the last time."""
        path = self.place(name)
        calls = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls


def install_lines() -> str:
    """What the comment at the top of the unit has the reader type."""
    top = UNIT.read_text().partition("\n\n")[0]
    return "\n".join(line.removeprefix("#   ") for line in top.splitlines() if line[:4] == "#   ")


@functools.cache
def installed_host() -> Host:
    """One where they were typed; once a process, as pip takes its time. Skips where that is not possible."""
    if os.geteuid() != 0 or shutil.which("useradd", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("the lines are for root, on a host with useradd")
    directory = Path(tempfile.mkdtemp(prefix="kms-host-", dir="/tmp"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    host = Host(directory)
    host.type(install_lines())
    assert host.take_calls("systemctl") == ["daemon-reload", "enable --now kms-tornado"]
    return host
