"""How long a start takes, beside loading the libraries alone: ``python -m tests.bench.start``.

Each round starts both, one right after the other; the ratio is the median over the rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.server import NO_AUTH, ServerProcess

ROUNDS = 7
LIBRARIES = (
    "import alembic, cryptography.x509, jose.jwk, sqlalchemy, tornado.httpserver, tornado.web"
)


def load_libraries() -> float:
    """Seconds from the start of a process to its end."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return time.monotonic() - began


def start_server() -> float:
    """Seconds to the line that names the URL, in a new data directory."""
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess(*NO_AUTH, cwd=Path(directory), cold=True) as server,
    ):
        return server.started_in_s


def main() -> None:
    pairs = [(start_server(), load_libraries()) for _ in range(ROUNDS)]
    print(
        f"start {statistics.median(server for server, _ in pairs):.2f} s,"
        f" the libraries alone {statistics.median(libraries for _, libraries in pairs):.2f} s,"
        f" ratio {statistics.median(server / libraries for server, libraries in pairs):.2f}"
    )


if __name__ == "__main__":
    main()
