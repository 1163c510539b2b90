"""Lines of bytes on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def write_lines(lines: Sequence[bytes]) -> None:
    """Write them whole, at once. Raises OSError, BrokenPipeError where nobody reads any more."""
    if lines:
        sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
        sys.stdout.buffer.flush()
