"""What a column holds, whatever its type says: in SQLite, something else may have left another type there.

`UPDATE … SET lines = replace(lines, …)` makes a text of bytes, for example. It is read all the same, so that whoever
compares it with its code or hash tells what was changed.
"""

from __future__ import annotations


def stored_bytes(value: object) -> bytes:
    """The bytes of a value. Nothing is raised, whatever it is."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")


def are_numbers(*values: object) -> bool:
    return all(isinstance(value, int) for value in values)


def stored_text(value: object) -> str:
    """The text of a value. Nothing is raised, whatever it is."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)
