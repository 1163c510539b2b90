"""What a run of kmsctl loads."""

from __future__ import annotations

import subprocess
import sys

from .runner import Kmsctl

#: What may not be loaded before it is used: each takes longer than all the rest together.
HEAVY = ("rich", "kms_tornado.kmip", "cryptography", "urllib3", "authlib", "requests", "keyring")
MODULES = """
import sys
from kms_tornado.client.cli.main import main
code = main(sys.argv[1:])
print(code, len(sys.modules), *sorted(sys.modules), file=sys.stderr)
"""


def loaded_by(kmsctl: Kmsctl, *argv: str, **variables: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *argv], env=kmsctl.environment(**variables),
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    code, _, *names = done.stderr.splitlines()[-1].split()
    return int(code), set(names)
