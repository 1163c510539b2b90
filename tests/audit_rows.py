"""The audit's records as a server's SQLite database has them on disk."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any


def read_records(database: Path) -> list[dict[str, Any]]:
    """All of them, in the order in which they were written."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT lines FROM audit_segments ORDER BY serial").fetchall()
    return [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]


def find_records(database: Path, **members: object) -> list[dict[str, Any]]:
    """Those whose members have these values."""
    return [
        record
        for record in read_records(database)
        if all(record[name] == value for name, value in members.items())
    ]
