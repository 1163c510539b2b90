"""Which files take longest. They are begun first: a long one that is begun last is run alone.

pytest-xdist runs a file in one process (`--dist loadfile`), and by itself begins with those of most tests.
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent

#: More than seven seconds, of processor or of waiting.
FILES = (
    "web/ui/test_views.py", "operations/test_races.py", "operations/test_access.py",
    "operations/test_two_users_examples.py", "transport/test_accepting.py",
    "operations/test_tampering.py", "store/postgres/test_writer.py",
    "store/sql/test_search_filter.py", "deploy/test_unit.py", "client/cli/test_providers.py",
    "web/process/test_workers.py", "deploy/test_proxies.py", "store/sqlite/test_growth.py",
    "store/sqlite/test_durability.py", "store/sql/test_sealing.py",
    "web/process/test_hardening.py", "docs/test_deploying.py", "store/sql/test_grants.py",
    "client/cli/test_login_commands.py", "store/postgres/test_backend.py",
    "operations/test_state_machine.py", "operations/test_two_users.py",
    "operations/test_model.py", "web/process/test_dev_text.py", "operations/test_separation.py",
    "client/cli/test_files_as_process.py", "store/sql/test_store.py",
    "operations/common/test_streams.py", "store/sql/test_changes.py", "test_oasis.py",
    "test_oasis_kmip1.py",
    "test_packaging.py", "store/sql/test_nonces.py", "web/test_outage.py",
    "web/process/test_http_front.py", "operations/test_usage_limits.py",
    "web/bearer/test_auth_refresh.py", "store/sqlite/test_database_file.py",
    "docs/test_tutorial.py", "docs/test_sessions.py", "docs/test_runbook.py",
    "web/ui/test_actions.py", "web/ui/test_encrypt.py",
)  # fmt: skip

_PLACES = {TESTS / file: place for place, file in enumerate(FILES)}


def place_of(path: Path) -> int:
    """Where a file of tests stands in the order; those that are not named come last."""
    return _PLACES.get(path, len(_PLACES))
