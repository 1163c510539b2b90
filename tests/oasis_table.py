"""``python -m tests.oasis_table [--version 1.2] [--database postgresql] [case …]``: case → result, per encoding."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .kms import User
from .oasis import CASES, KMIP1_CASES
from .oasis_case import Differs, Send, owner_of, read_case, run_case
from .oasis_server import ENCODINGS, serving


def result(path: Path, user: User, over: Callable[[User], Send]) -> str:
    try:
        run_case(read_case(path), over(user))
    except Differs as exc:
        return f"FAILS  {exc}"
    except Exception as exc:  # whatever it is: the next case is to run
        return f"FAILS  {type(exc).__name__}: {exc}"
    return "passes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--version", choices=("1.0", "1.2", "1.4", "2.1"), default="2.1")
    parser.add_argument("cases", nargs="*", help="parts of names; all where there is none")
    wanted = parser.parse_args()
    results = []
    with (
        tempfile.TemporaryDirectory() as directory,
        serving(Path(directory), wanted.database) as kms,
    ):
        for path in (*KMIP1_CASES, *CASES):
            if not path.parent.name.endswith(wanted.version):
                continue
            if wanted.cases and not any(each in path.stem for each in wanted.cases):
                continue
            for encoding, over in ENCODINGS.items():
                user = kms.user(owner_of(path, encoding))
                results.append(result(path, user, over))
                print(f"{path.stem:32} {encoding:7} {results[-1]}", flush=True)
    passed = results.count("passes")
    print(f"{passed} of {len(results)} pass")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
