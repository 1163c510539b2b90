"""``python -m tests.oasis_table [case …]``: each case of the profiles and how it ends, per encoding."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .kms import KMS, two_issuers
from .oasis import CASES
from .oasis_case import Differs, owner_of, read_case, run_case
from .test_oasis import ENCODINGS, OPTIONS


def main(*wanted: str) -> int:
    """The number of failures."""
    failed = 0
    with (
        tempfile.TemporaryDirectory() as directory,
        two_issuers() as issuers,
        KMS(Path(directory), *issuers, options=OPTIONS) as kms,
    ):
        for path in CASES:
            if wanted and not any(each in path.stem for each in wanted):
                continue
            for encoding, over in ENCODINGS.items():
                try:
                    run_case(read_case(path), over(kms.user(owner_of(path, encoding))))
                    result = "passes"
                except Exception as exc:  # whatever it is: the next case is to run
                    failed += 1
                    kind = "" if isinstance(exc, Differs) else f"{type(exc).__name__}: "
                    result = f"FAILS  {kind}{exc}"
                print(f"{path.stem:32} {encoding:7} {result}", flush=True)
    print(f"{failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
