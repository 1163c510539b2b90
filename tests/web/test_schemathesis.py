"""A soak: requests generated from the OpenAPI document, well-formed and not, against a real server.

``tox -e soak -- tests/web/test_schemathesis.py`` runs it; elsewhere schemathesis is not installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..issuer import Issuer
from ..server import NO_AUTH, check_log, eventually, serving, trusting

#: Requests for each path and phase.
MAX_EXAMPLES = 100

#: All of schemathesis's checks, but for two that KMIP does not fit: a request that fits the schema is still
#: refused where there is no such object, and what is wrong with a RequestMessage is told with status 200.
CONFIGURATION = """
[auth.openapi.bearer]
bearer = "${TOKEN}"

[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "422", "503"]

[[operations]]
include-tag = "KMIP"
checks.negative_data_rejection.enabled = false
"""


def run_schemathesis(url: str, token: str, directory: Path) -> str:
    """Its output. Fails where a check fails, with what schemathesis says about it."""
    configuration = directory / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    finished = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", configuration.name, "run",
            f"{url}/openapi.json", "--max-examples", str(MAX_EXAMPLES), "--seed", "10",
            "--suppress-health-check", "all", "--no-color",
        ],
        cwd=directory, env={**os.environ, "TOKEN": token}, capture_output=True, text=True,
        timeout=1800, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-20_000:]
    return finished.stdout


@pytest.mark.soak
def test_answers_to_generated_requests_are_as_documented(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    with Issuer("ES256") as issuer, serving(*trusting(issuer, "--metrics"), cwd=tmp_path) as server:
        eventually(lambda: server.client.get("/ready").status == 200)
        output = run_schemathesis(
            server.url, issuer.token(aud="kms", sub="alice@example.com"), tmp_path
        )
        print(output[-1000:])  # how many requests there were
        check_log(server)


@pytest.mark.soak
def test_server_without_authentication_answers_as_documented_too(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    with serving(*NO_AUTH, "--kmip-interop", cwd=tmp_path) as server:
        run_schemathesis(server.url, "any", tmp_path)
        check_log(server)
