"""A server that serves, and commands beside it with the same configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .. import postgres
from ..issuer import Issuer
from ..kms import KMS, User
from ..server import run


@pytest.fixture(autouse=True)
def _keep_logging() -> Iterator[None]:
    """A command that is run in this process sends all logging to its stderr, which ends with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Place:
    """A server, and the same configuration for commands. database: a file, or a URL."""

    def __init__(self, kms: KMS, issuer: Issuer, options: list[str]) -> None:
        self.kms = kms
        self.options = ["--jwt-issuer-uri", issuer.uri, "--data-dir", str(kms.data_dir), *options]
        self.database: Path | str = options[1] if options else kms.data_dir / "kms.db"

    def run(self, *words: str) -> Any:
        return run(*words, *self.options, cwd=self.kms.directory)

    def transfer(self, *words: str, code: int = 0) -> str:
        """What it says."""
        done = self.run("transfer", *words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code != 2 else done.stderr

    def export(self, *words: str) -> list[dict[str, Any]]:
        """The records of a selection, once the server has written all."""
        done = self.run("audit", "export", *words)
        assert done.returncode == 0, done.stderr
        assert "a selection cannot be verified" in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def told(self, user: User) -> list[str]:
        """What the user did, in order."""
        return [one["operation"] for one in self.export("--principal", user.name)]


def make_database(name: str) -> list[str]:
    """The options for a new database, sqlite or postgresql."""
    if name == "sqlite":
        return []
    return ["--database-url", postgres.cluster().new_database()]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    options = make_database(request.param)
    directory = tmp_path_factory.mktemp("commands")
    with Issuer("ES256") as issuer, KMS(directory, issuer, options=options) as kms:
        yield Place(kms, issuer, options)
