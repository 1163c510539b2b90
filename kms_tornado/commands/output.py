"""What a command prints: findings on stdout, the rest on stderr. A stream that cannot be written ends no work."""

from __future__ import annotations

import contextlib
import sys

from ..streams import find_stdout_failure


def say(text: str) -> None:
    """Print a finding on stdout, at once; on stderr where stdout cannot be written, as on a full disk.

    What was done has to be known all the same. Where nobody reads stdout any more (``| head``), it is printed nowhere.
    """
    failure = find_stdout_failure()
    if failure is None:
        try:
            print(text, flush=True)
            return
        except OSError as exc:
            failure = exc
    if not isinstance(failure, BrokenPipeError):
        tell(text)


def tell(text: str) -> None:
    """Print a line on stderr, if that can be written."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
