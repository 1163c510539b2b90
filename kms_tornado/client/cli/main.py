"""The console script `kmsctl`: from arguments to an exit code.

Imports nothing but the standard library at the top: without the extra `client` there is no click, and that
has to be said in one line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .extra import EXTRA, describe_missing_package


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code: 0 done, 1 refused, 2 usage or configuration, 3 no connection."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        from .running import run

        return run(arguments)
    except KeyboardInterrupt:  # while click is loaded; later `run` hears it
        return 130
    except ModuleNotFoundError as exc:  # click: the others are told by `failures`
        package = (exc.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        print(f"kmsctl: {describe_missing_package(package)}", file=sys.stderr)
        return 1
