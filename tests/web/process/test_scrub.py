"""An older row that is put back under servers that serve: all of them refuse it, whichever of them finds it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from ... import postgres
from ...server import NO_AUTH, ServerProcess, eventually
from ...service.verification.altered_objects import execute, keep, put_back
from ...store.helpers import Place

ADMIN = "x"
QUICK = {
    "service.verification.scrub._TOLD_S": 0.1,
    "service.verification.scrub._FIRST_S": 0.2,
    "service.verification.scrub._LOOK_S": 0.1,
}
#: Two servers of one PostgreSQL; one server of two workers on SQLite.
CASES = {
    "postgresql": ("--scrub-interval", "0.5"),
    "sqlite": ("--scrub-interval", "0.5", "--workers", "2"),
}


def read_findings(server: ServerProcess) -> set[str]:
    """Of each worker."""
    lines = server.client.get("/metrics").text.splitlines()
    return {line.split()[-1] for line in lines if line.startswith("kms_findings")}


@pytest.mark.parametrize("kind", CASES)
def test_older_row_is_refused_by_all_servers_also_after_a_restart(
    tmp_path: Path, kind: str
) -> None:
    database: Place = tmp_path / "kms-data/kms.db"
    options = [*NO_AUTH, "--metrics", *CASES[kind]]
    if kind == "postgresql":
        database = postgres.cluster().new_database()
        options += ["--database-url", database]
    number = 2 if kind == "postgresql" else 1

    def start(stack: ExitStack) -> list[ServerProcess]:
        return [
            stack.enter_context(ServerProcess(*options, cwd=tmp_path, constants=QUICK))
            for _ in range(number)
        ]

    def check(server: ServerProcess) -> None:
        for _ in range(4):  # whichever worker it is
            answer = server.client.get_key(ADMIN, key)
            assert (answer.status, answer.text.partition(": ")[0]) == (422, "General_Failure")
            eventually(lambda: server.client.ready()["objects"]["state"] == "DEGRADED")
        assert server.client.get("/ready").status == 200
        assert server.client.get_key(ADMIN, other).status == 200
        eventually(lambda: read_findings(server) == {"1.0"})

    with ExitStack() as stack:
        servers = start(stack)
        key, other = (servers[0].client.create(ADMIN) for _ in range(2))
        keep(database)
        assert servers[0].client.get_key(ADMIN, key).status == 200  # it was fresh before
        put_back(database, key)
        eventually(lambda: servers[-1].client.get_key(ADMIN, key).status == 422)
        for server in servers:
            check(server)
        assert [server.stop() for server in servers] == [0] * number
        told = [
            line
            for server in servers
            for line in server.output["stderr"]
            if "is not as its last record left it" in line
        ]
        assert len(told) == 1
        assert f"the object {key} " in told[0]
    with ExitStack() as stack:
        servers = start(stack)
        eventually(lambda: "1 object is refused" in servers[0].log)
        for server in servers:
            check(server)
    execute(database, "DROP TABLE kept")
