"""The page's modules for files under node, which has the same WebCrypto as browsers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
MODULES = ROOT / "kms_tornado/web/ui/static"
PROGRAM = Path(__file__).with_name("files_program.mjs")
#: Which takes a module by its syntax, without a package.json beside it.
MIN_VERSION = (20, 19)


def find_node() -> str | None:
    """A node that is new enough."""
    if (program := shutil.which("node")) is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return program if version and tuple(map(int, version.groups())) >= MIN_VERSION else None


def run_files(
    requests: Iterable[dict[str, Any]], url: str = "http://127.0.0.1"
) -> list[dict[str, Any]]:
    """An answer for each request, as files_program.mjs has them. url: of the server, where one is needed."""
    program = find_node()
    assert program is not None
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [program, "--no-warnings", str(PROGRAM), str(MODULES), url],
        input=lines, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]
