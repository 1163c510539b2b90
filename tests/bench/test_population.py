"""What is written past the store is as the store would have written it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.bench.population import owner_of, populate, settings_for, tag_of, uid_of
from tests.server import NO_AUTH, ServerProcess, run


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_object_passes_every_check_of_verify(tmp_path: Path, database: str) -> None:
    url = ""
    if database == "postgresql":
        url = postgres.cluster().new_database()
    directory = tmp_path / "data"
    populate(settings_for(directory, url), 30, 3)
    options = [*NO_AUTH, "--data-dir", str(directory), *(["--database-url", url] if url else [])]
    with ServerProcess(*options, cwd=tmp_path) as server:  # takes them into its audit
        assert server.stop() == 0
    verified = run("verify", *options, cwd=tmp_path)
    assert (verified.returncode, verified.stdout) == (0, "all is well: 30 objects\n"), (
        verified.stderr
    )


def test_owners_take_turns_and_have_each_tag_equally_often() -> None:
    assert [owner_of(number, 3) for number in range(4)] == [
        "owner-0",
        "owner-1",
        "owner-2",
        "owner-0",
    ]
    own = [tag_of(number, 1000) for number in range(0, 1_000_000, 1000)]
    assert {own.count(tag) for tag in own} == {10}
    assert len({uid_of(number) for number in range(1000)}) == 1000
