"""Files beside Debian's age, and a small file beside a plain request: ``python -m tests.bench.files [MIB]``.

Each round runs both programs on the same file, one right after the other; the ratio is the median over the
rounds, by the clock and by the processor's time. A process is measured from its start to its end, the request to
the server included. Outputs are new files on the same disk, removed after each run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kms_tornado.client import KMSClient
from tests.client.cli.runner import COMMAND, Kmsctl
from tests.issuer import Issuer
from tests.server import ServerProcess, trusting

ROUNDS = 7


class Run(NamedTuple):
    """Seconds by the clock, seconds of processor time."""

    clock_s: float
    cpu_s: float


def run(command: list[str], environment: dict[str, str]) -> Run:
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    clock_s = time.monotonic() - began
    return Run(clock_s, usage.ru_utime + usage.ru_stime)


class Bench:
    """A server, a key, a folder with a file, and a pair of keys of age."""

    def __init__(self, folder: Path, kmsctl: Kmsctl, key: str) -> None:
        self.folder = folder
        self.kmsctl = kmsctl
        self.key = key
        self.file = folder / "file"
        identity = folder / "identity"
        subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
        done = subprocess.run(
            ["age-keygen", "-y", identity], check=True, capture_output=True, text=True
        )
        self.recipient = done.stdout.strip()

    def run_kmsctl(self, *argv: str | Path) -> Run:
        return run([*COMMAND, *map(str, argv)], self.kmsctl.environment())

    def run_age(self, *argv: str | Path) -> Run:
        return run(["age", *map(str, argv)], dict(os.environ))

    def encrypt(self) -> tuple[Run, Run]:
        """(kmsctl, age)"""
        return self._pair(
            lambda output: self.run_kmsctl("encrypt", self.file, "--for", self.key, "-o", output),
            lambda output: self.run_age("-r", self.recipient, "-o", output, self.file),
        )

    def decrypt(self) -> tuple[Run, Run]:
        """(kmsctl, age)"""
        return self._pair(
            lambda output: self.run_kmsctl("decrypt", self.folder / "kms", "-o", output),
            lambda output: self.run_age(
                "-d", "-i", self.folder / "identity", "-o", output, self.folder / "age"
            ),
        )

    def prepare(self, mib: int) -> None:
        with self.file.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1024 * 1024))
        self.run_kmsctl("encrypt", self.file, "--for", self.key, "-o", self.folder / "kms")
        self.run_age("-r", self.recipient, "-o", self.folder / "age", self.file)
        os.sync()

    def small(self) -> tuple[Run, Run]:
        """(a file of a few bytes, a plain request)"""
        small, output = self.folder / "small", self.folder / "small.kms"
        small.write_bytes(b"a small secret")
        encrypting = self.run_kmsctl("encrypt", small, "--for", self.key)
        output.unlink()
        return encrypting, self.run_kmsctl("locate", "--tag", "bench")

    def _pair(self, ours: Callable[[Path], Run], ages: Callable[[Path], Run]) -> tuple[Run, Run]:
        runs = []
        for measure in (ours, ages):
            output = self.folder / "output"
            runs.append(measure(output))
            output.unlink()
        return runs[0], runs[1]


def report(title: str, pairs: list[tuple[Run, Run]], *, peer: str, is_speed: bool) -> None:
    """is_speed: the ratio says how fast the first is, not how long it takes."""

    def ratio(pair: tuple[Run, Run], index: int) -> float:
        first, second = pair[0][index], pair[1][index]
        return second / first if is_speed else first / second

    ours, others = zip(*pairs, strict=True)
    print(
        f"{title}: kmsctl {statistics.median(each.clock_s for each in ours):.2f} s,"
        f" {peer} {statistics.median(each.clock_s for each in others):.2f} s,"
        f" {'speed' if is_speed else 'time'} {statistics.median(ratio(pair, 0) for pair in pairs):.2f}"
        f" (by processor time {statistics.median(ratio(pair, 1) for pair in pairs):.2f})"
    )


def main(mib: int = 1024) -> None:
    if shutil.which("age") is None:
        print("files: age is not installed (apt install age)")
        return
    with tempfile.TemporaryDirectory() as name, Issuer() as issuer:
        folder = Path(name)
        with ServerProcess(*trusting(issuer), cwd=folder) as server:
            token = issuer.token(sub="alice", aud="kms")
            with KMSClient(server.url, token) as client:
                key = client.create_symmetric_key(tags=["bench"])
            kmsctl = Kmsctl(folder, {"KMS_URL": server.url, "KMS_TOKEN": token})
            bench = Bench(folder, kmsctl, key)
            bench.prepare(mib)
            title = f"{mib} MiB"
            encryptions = [bench.encrypt() for _ in range(ROUNDS)]
            report(f"{title}, encrypt", encryptions, peer="age", is_speed=True)
            decryptions = [bench.decrypt() for _ in range(ROUNDS)]
            report(f"{title}, decrypt", decryptions, peer="age", is_speed=True)
            little = [bench.small() for _ in range(3 * ROUNDS)]
            report("a small file, encrypt", little, peer="locate", is_speed=False)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
