"""Which files take longest. They are begun first: a long one that is begun last is run alone.

pytest-xdist runs a file in one process (`--dist loadfile`), and by itself begins with those of most tests. Those in
`web/ui` are run in one process together, as they share a browser, whose start takes longer than most of their tests.
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent

#: More than some four seconds, of processor or of waiting. Where all wait at the end, the processors idle.
FILES = (
    "web/ui/test_views.py", "web/ui/test_sign_in.py", "web/ui/test_encrypt.py", "web/ui/test_actions.py",
    "web/ui/test_story.py", "web/ui/test_places.py", "web/ui/test_files.py", "operations/test_races.py",
    "operations/test_access.py", "operations/test_two_users_examples.py", "test_oasis_kmip1.py",
    "transport/test_accepting.py", "web/process/test_server.py", "kmip_server/test_hostile_clients.py",
    "commands/audit/test_reindex.py", "store/postgres/writing/test_writer.py", "store/sql/search/test_conditions.py",
    "deploy/test_unit.py", "client/cli/account/test_providers.py", "web/process/test_workers.py",
    "deploy/test_proxies.py", "store/sql/tables/test_grants.py", "operations/test_tampering.py", "docs/test_runbook.py",
    "service/verification/test_objects.py", "store/sql/upkeep/test_dump.py", "docs/test_deploying.py",
    "commands/test_backup.py", "store/sql/tables/test_owners.py", "test_oasis.py", "commands/test_edited_database.py",
    "test_main.py", "operations/test_two_users.py", "store/sql/tables/test_nonces.py",
    "store/sql/upkeep/test_sealing.py", "commands/audit/test_tampered.py", "client/cli/files/test_files_as_process.py",
    "web/process/dev/test_text.py", "commands/test_transfer.py", "web/process/test_hardening.py",
    "service/ownership/test_renaming.py", "service/verification/test_scrub.py", "store/sql/audit/test_index.py",
    "web/process/test_audit_faults.py", "service/ownership/test_transferring.py", "store/postgres/test_backend.py",
    "store/sql/test_changes.py", "commands/audit/test_export.py", "web/bearer/test_host_classes.py",
    "service/master_keys/test_key_ring.py", "commands/test_rewrap.py", "client/cli/test_closed_streams.py",
    "commands/test_output.py", "operations/test_state_machine.py", "operations/test_nonce_sources.py",
    "operations/test_certificates.py", "commands/test_verify.py", "operations/test_outside_keys.py",
    "operations/test_model.py", "web/process/test_user_naming.py", "service/master_keys/test_rewrapping.py",
    "client/cli/keys/test_exporting.py", "store/test_migrate.py", "operations/common/test_streams.py",
    "commands/test_rotate_master_key.py", "store/sqlite/test_durability.py", "client/cli/account/test_login.py",
    "store/sqlite/test_growth.py", "web/test_outage.py", "web/process/test_http_front.py",
    "web/bearer/test_auth_refresh.py", "client/cli/account/test_bound_login.py", "operations/test_names.py",
    "client/login/test_login.py", "operations/test_separation.py", "kmip_server/test_tls.py",
    "store/sql/audit/test_index_verification.py", "web/handlers/test_service_handler.py",
    "service/test_damaged_items.py", "web/bearer/test_web_sockets.py", "test_architecture.py",
    "store/sql/audit/test_log.py", "operations/test_archiving.py", "kmip/codecs/test_json_codec.py",
    "web/test_bytes_in_flight.py", "web/test_admission.py", "web/process/test_metrics_listener.py",
    "web/bearer/test_deny_file.py",
)  # fmt: skip

#: Whose files are run in one process.
TOGETHER = ("tests/web/ui/",)

_PLACES = {TESTS / file: place for place, file in enumerate(FILES)}


def place_of(path: Path) -> int:
    """Where a file of tests stands in the order; those that are not named come last."""
    return _PLACES.get(path, len(_PLACES))


def group_of(nodeid: str) -> str:
    """What pytest-xdist runs in one process with the test: its file, or its folder."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)
