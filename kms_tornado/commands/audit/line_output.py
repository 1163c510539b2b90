"""JSON lines on stdout: the bytes unchanged, but on a terminal without anything that it would execute."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def write_lines(lines: Sequence[bytes]) -> None:
    """Write complete lines, immediately. Raises OSError; BrokenPipeError if nobody reads any more."""
    if not lines:
        return
    if sys.stdout.isatty():
        lines = [escape_line(line) for line in lines]
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.buffer.flush()


def escape_line(line: bytes) -> bytes:
    """The same JSON with unprintable characters escaped. A user who creates a key chooses its name."""
    text = line.decode(errors="replace")
    if text.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text).encode()
