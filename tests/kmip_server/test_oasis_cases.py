"""The OASIS cases of KMIP 1.0, 1.2, 1.4 and 2.1 over TLS: what passes over HTTP passes here.

Each has a user of its own, whom a certificate names, and a connection; those of one version do for most runs. `oasis_kmip1` and `test_oasis` name what fails,
with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..oasis import ABSENT, CASES, KMIP1_CASES
from ..oasis_case import Differs, over_octets, owner_of, read_case, run_case
from ..oasis_kmip1 import reason_to_fail
from ..oasis_server import FAILING, OPTIONS
from ..server import NO_AUTH, ServerProcess
from .client import Connection, Site, serving_kmip


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ServerProcess]:
    with serving_kmip(site, *NO_AUTH, *OPTIONS) as running:
        yield running


def name_failure(site: Site, server: ServerProcess, path: Path) -> str | None:
    """What differs in the case; None where it passes."""
    owner = hashlib.sha256(owner_of(path, "TLS").encode()).hexdigest()[:32]
    certificate = site.authority.issue("a case", owner)  # common names are short
    with Connection(server.kmip_port, site.trust(certificate)) as connection:
        try:
            run_case(read_case(path), over_octets(connection.exchange))
        except Differs as exc:
            return f"{path.parent.name}/{path.stem}: {exc}"
    return None


@pytest.mark.skipif(not KMIP1_CASES, reason=ABSENT)
@pytest.mark.parametrize(
    "version",
    ["1.2", *(pytest.param(version, marks=pytest.mark.soak) for version in ("1.0", "1.4", "2.1"))],
)
def test_every_case_passes_that_needs_only_what_is_offered(
    site: Site, server: ServerProcess, version: str
) -> None:
    if version == "2.1":
        reasons = {path: FAILING.get(path.stem) for path in CASES}
    else:
        paths = [path for path in KMIP1_CASES if path.parent.name.endswith(version)]
        reasons = {path: reason_to_fail(path) for path in paths}
    assert len(reasons) > 60
    wrong = []
    for path, reason in reasons.items():
        failure = name_failure(site, server, path)
        if failure is not None and reason is None:
            wrong.append(failure)
    assert wrong == []
