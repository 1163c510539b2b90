"""The deny list of a server: every worker refuses what comes on it, remembered or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...audit_rows import find_records
from ...issuer import Issuer
from ...server import ServerProcess, check_refused, eventually, run, serving, trusting

MANY = 16  # requests, a connection each, so that both workers get some


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("denied")
    (directory / "deny").write_text("# nobody yet\n")
    options = trusting(issuer, "--workers", "2", "--jwt-deny-file", "deny")
    with serving(*options, "--data-dir", str(directory / "data"), cwd=directory) as running:
        yield running


def statuses(server: ServerProcess, token: str) -> set[int]:
    return {server.client.get("/whoami", token=token).status for _ in range(MANY)}


def test_every_worker_refuses_what_comes_on_the_list(server: ServerProcess, issuer: Issuer) -> None:
    stolen, other = issuer.token(aud="kms", sid="s-1"), issuer.token(aud="kms", sid="s-2")
    assert statuses(server, stolen) == statuses(server, other) == {200}
    (Path(server.cwd) / "deny").write_text("sid=s-1\n")
    eventually(lambda: statuses(server, stolen) == {401})
    assert statuses(server, other) == {200}
    answer = server.client.get("/whoami", token=stolen)
    assert answer.json() == {"error": "invalid_token", "error_description": "token denied"}
    assert 'error_description="token denied"' in answer.headers["WWW-Authenticate"]

    def reasons() -> list[str]:
        request_id, database = answer.headers["X-Request-ID"], Path(server.cwd) / "data/kms.db"
        return [record["reason"] for record in find_records(database, request_id=request_id)]

    assert eventually(reasons) == ["denied"]
    assert "its sid is on the deny list" in server.log


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(None, "cannot read deny: No such file", id="no file"),
        pytest.param("mallory\n", "deny: line 1 is none of jti=", id="a malformed line"),
    ],
)
def test_start_without_a_list_that_can_be_read_is_refused(
    issuer: Issuer, tmp_path: Path, content: str | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / "deny").write_text(content)
    options = trusting(issuer, "--jwt-deny-file", "deny", "--port", "0")
    line = check_refused(run(*options, cwd=tmp_path), 2)
    assert line.startswith("kms-tornado: --jwt-deny-file (flag): ")
    assert fault in line
