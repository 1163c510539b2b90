"""How long one request holds the event loop: ``python -m tests.bench.loop_holds [PART OF A NAME …]``.

With ``--postgresql`` as the first word, the server's database is a PostgreSQL of the benchmark's own.

Each case of `loop_cases` is sent at about the largest size that the limits allow. The table has the longest hold
of each case. One that is too long is measured again, three times at most: what another program takes from the
machine is not the server's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import postgres
from tests.bench.loop_cases import CASES, Request, idle
from tests.issuer import Issuer
from tests.kms import ROOT, User
from tests.server import environment
from tests.support import Response

ROUNDS = 3
#: Milliseconds. No request may hold the loop for longer.
MOST_MS = 20.0


class ProbedKMS:
    """``with ProbedKMS(directory, issuer) as kms:``; a server whose loop `loop_probe` watches."""

    def __init__(self, directory: Path, issuer: Issuer, *options: str) -> None:
        self._directory = directory
        self._issuer = issuer
        self._options = options
        self._port = 0

    def __enter__(self) -> ProbedKMS:
        reader, writer = os.pipe()
        self._reports = os.fdopen(reader)
        log = self._directory / "log.txt"
        argv = [
            sys.executable, "-m", "tests.bench.loop_probe", "--port", "0",
            "--data-dir", str(self._directory / "data"),
            "--jwt-auth-provider", f"{self._issuer.uri},", *self._options,
        ]  # fmt: skip
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, env=environment(PROBE_FD=str(writer)), pass_fds=[writer],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
        os.close(writer)
        while not (match := re.search(r"listening on http://[^:]*:(\d+)", log.read_text())):
            assert self._process.poll() is None, log.read_text()
            time.sleep(0.05)
        self._port = int(match[1])
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._reports.close()

    def user(self, name: str) -> User:
        return User(self._port, self._issuer.token(sub=name), "/kmip_2_1", name)

    def longest_hold(self) -> dict[str, Any]:
        """{"ms": of the longest hold since the last call, "where": the lines that the loop was at}."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        report: dict[str, Any] = json.loads(self._reports.readline())
        return report


def send(user: User, request: Request) -> tuple[Response, float]:
    """The answer, and its time in milliseconds."""
    began = time.perf_counter()
    answer = user.exchange(
        request.method, request.path, request.body, content_type=request.content_type
    )
    return answer, 1000 * (time.perf_counter() - began)


def measure(kms: ProbedKMS, user: User, requests: list[Request]) -> tuple[str, float]:
    """The rest of the line, with where the loop was if it was held for too long; the hold in milliseconds."""
    holds, answer, took_ms = [], None, 0.0
    for request in requests:
        send(user, idle(user))
        kms.longest_hold()
        answer, took_ms = send(user, request)
        holds.append(kms.longest_hold())
        if holds[-1]["ms"] <= MOST_MS:
            break
    assert answer is not None
    hold = min(holds, key=lambda report: float(report["ms"]))
    line = f"{hold['ms']:6.1f} ms of {took_ms:7.1f}  {answer.status}  {len(answer.body):>9,} bytes"
    if hold["ms"] > MOST_MS:
        line += "".join(f"\n      {place}" for place in dict.fromkeys(hold["where"]))
    return line, hold["ms"]


def main() -> None:
    on_postgres = sys.argv[1:2] == ["--postgresql"]
    options = ["--database-url", postgres.cluster().new_database()] if on_postgres else []
    parts = sys.argv[1 + on_postgres :]
    cases = {
        name: case
        for name, case in CASES.items()
        if not parts or any(part in name for part in parts)
    }
    longest = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        Issuer("ES256") as issuer,
        ProbedKMS(Path(directory), issuer, *options) as kms,
    ):
        for number, (name, case) in enumerate(cases.items()):
            user = kms.user(f"user-{number}")
            line, longest[name] = measure(kms, user, case(user, ROUNDS))
            print(f"{name:44} {line}", flush=True)
    name = max(longest, key=longest.__getitem__)
    over = sum(hold > MOST_MS for hold in longest.values())
    print(
        f"longest hold {longest[name]:.1f} ms: {name}; "
        f"{over} of {len(longest)} cases over {MOST_MS:.0f} ms"
    )


if __name__ == "__main__":
    main()
