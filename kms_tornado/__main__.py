"""The entry point. It loads nothing at the top: Ctrl-C while the program is loaded would print a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server or a command, and return the exit code: 0 done, 2 bad configuration, 1 anything else.

    Ctrl-C ends the process without a word until the program is loaded, as it ends Python before that.
    """
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .program import run

    signal.signal(signal.SIGINT, handler)
    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
