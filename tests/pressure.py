"""Which tests put the server under pressure: faults that are injected, floods, and what an operator then reads.

`python -m pytest -m pressure` collects and runs these files alone.
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent

#: What goes wrong → the files whose tests have it go wrong.
FILES = {
    "a database file is away, replaced, locked, read-only, empty, or on a disk that is full": (
        "store/test_data_dir.py", "store/test_health.py", "store/test_outages.py",
        "store/sqlite/test_database_file.py", "store/sqlite/test_durability.py",
        "store/sqlite/test_file_access.py",
        "web/process/test_data_on_disk.py", "web/process/test_database_outage.py",
    ),
    "the audit's log is on a disk that is full or away, or its reader stands still": (
        "service/auditing/test_stream.py", "service/auditing/test_log_target.py", "web/process/test_audit_log.py",
    ),
    "a PostgreSQL is away, silent, locked, full of conflicts, behind a pooler, or promoted": (
        "store/postgres/connections/test_address.py", "store/postgres/test_backend.py",
        "store/postgres/test_errors.py", "store/postgres/test_failover.py",
        "store/postgres/test_pooler.py", "store/postgres/test_serializable.py",
        "store/postgres/test_silence.py", "store/postgres/writing/test_writer.py",
        "store/sql/test_commits.py", "store/sql/tables/test_owners.py",
    ),
    "a clock is set back, an issuer is down or answers nonsense": (
        "auth/issuers/test_key_cache.py", "web/bearer/test_auth_refresh.py",
    ),
    "a process is stopped, interrupted or killed": (
        "commands/test_backup.py", "commands/test_rotate_master_key.py", "service/master_keys/test_rewrapping.py",
        "service/ownership/test_transferring_killed.py",
        "web/process/test_audit_faults.py", "web/process/test_notify.py", "web/process/test_serving.py", "web/process/test_workers.py",
    ),
    "connections are too many, silent, half-closed, or read nothing": (
        "transport/test_accepting.py", "transport/test_descriptors.py", "transport/test_streams.py",
        "web/process/test_http_front.py", "web/test_fast_lane.py",
    ),
    "work is too much for one, or for all": (
        "auth/rules/test_token_cache.py", "kmip/codecs/test_long_answers.py", "kmip/codecs/test_long_json.py",
        "operations/test_off_the_loop.py",
        "service/load/test_admission.py", "service/load/test_bytes_in_flight.py",
        "service/load/test_executor.py", "service/load/test_fair_queue.py", "service/load/test_limits.py",
        "service/load/test_loop_turns.py",
        "store/postgres/test_runner.py", "store/sql/tables/test_rows.py",
        "web/test_admission.py", "web/test_busy.py", "web/test_bytes_in_flight.py",
        "web/test_paced.py",
    ),
    "a stranger, or a page in a browser, asks what is not for him": (
        "test_request_context.py", "web/bearer/test_cross_site_requests.py",
        "web/bearer/test_refusal_log.py", "web/test_public_url.py", "web/test_request_identity.py",
        "web/test_trusted_proxies.py",
    ),
    "an operator restores, watches, upgrades, configures": (
        "commands/test_health.py", "commands/test_rewrap.py",
        "deploy/test_containers.py", "deploy/test_monitoring.py", "deploy/test_proxies.py",
        "deploy/test_unit.py", "docs/test_backup.py",
        "domain/test_user_naming.py", "options/test_result.py", "options/test_warnings.py",
        "store/sql/tables/test_naming.py",
        "web/process/test_loop_lag.py",
        "web/process/test_metrics_listener.py", "web/process/test_user_naming.py",
        "web/metrics/test_metrics.py", "web/test_readiness.py",
    ),
}  # fmt: skip

PATHS = frozenset(TESTS / file for files in FILES.values() for file in files)
