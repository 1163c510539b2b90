"""Lines of JSON on stdout: the bytes as they are, but on a terminal nothing that it would obey."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def write_lines(lines: Sequence[bytes]) -> None:
    """Write them whole, at once. Raises OSError, BrokenPipeError where nobody reads any more."""
    if not lines:
        return
    if sys.stdout.isatty():
        lines = [escape_line(line) for line in lines]
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.buffer.flush()


def escape_line(line: bytes) -> bytes:
    """The same JSON, in which what is not printed is escaped: whoever asks for a key chooses its name."""
    text = line.decode(errors="replace")
    if text.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text).encode()
