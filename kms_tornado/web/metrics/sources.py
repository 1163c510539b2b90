"""The figures of the parts that know nothing about metrics: threads, tokens, issuers' keys, connections."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ...auth.issuers.key_status import KeyStatus
from ...auth.request_auth import RequestAuth
from ...service.auditing.audit import DEGRADED
from ...service.kms import KMS
from ...service.load.admission import Admission
from ...service.load.bytes_in_flight import BytesInFlight
from ...service.load.executor import Executor
from ...service.verification.scrub import Scrubber
from ...store.health import STATES, UP
from ...transport.connections import Connections
from .figures import Figure, counter, gauge


def executor_figures(executor: Executor) -> Iterator[Figure]:
    lanes = (executor.light, executor.heavy)
    yield gauge(
        "kms_work_running", "Threads at work", {lane.name: lane.running for lane in lanes}, "lane"
    )
    yield gauge(
        "kms_work_waiting",
        "Jobs that wait for a thread",
        {lane.name: lane.waiting for lane in lanes},
        "lane",
    )
    yield counter(
        "kms_work_refused_total",
        "Jobs that found no place to wait (503)",
        {lane.name: lane.refused for lane in lanes},
        "lane",
    )


def database_figures(kms: KMS) -> Iterator[Figure]:
    status = kms.store.status()
    yield gauge(
        "kms_database_up", "1 while the database takes reads and writes", status.state == UP
    )
    yield gauge(
        "kms_database_state",
        "1 for the state that the database is in: up, read-only, down",
        {state: state == status.state for state in STATES},
        "state",
    )
    yield gauge(
        "kms_database_state_seconds", "Since the last change of the database's state", status.age_s
    )
    yield counter(
        "kms_database_outages_total", "How often the database has left the state up", status.outages
    )

    yield from _load_figures(kms)


def scrub_figures(scrubber: Scrubber) -> Iterator[Figure]:
    status = scrubber.status()
    yield gauge(
        "kms_findings",
        "Objects that are refused, as they are not as their last records left them; and 1 for records that were changed",
        len(status.findings),
    )
    yield gauge(
        "kms_scrub_last_walk_timestamp_seconds",
        "When all objects had been compared with their last records, by any process",
        status.ended or {},
    )


def _load_figures(kms: KMS) -> Iterator[Figure]:
    load = kms.store.load()
    yield gauge(
        "kms_database_pending",
        "Statements that have been asked for and have not ended",
        {"read": load.reads, "search": load.searches, "write": load.writes},
        "kind",
    )
    pool = load.pool
    connections = {} if pool is None else {"in_use": pool.in_use, "idle": pool.idle}
    yield gauge(
        "kms_database_connections", "Connections for reading from PostgreSQL", connections, "state"
    )
    yield gauge(
        "kms_database_connections_limit",
        "How many connections for reading from PostgreSQL there may be",
        {} if pool is None else pool.limit,
    )
    yield gauge(
        "kms_database_connections_waiting",
        "Reads that wait for a connection to PostgreSQL",
        {} if pool is None else pool.waiting,
    )


def audit_figures(kms: KMS) -> Iterator[Figure]:
    """The figures of the audit; none while the KMS is not open."""
    if kms.audit is None:
        return
    health = kms.audit.health()
    yield gauge("kms_audit_up", "1 while records can be written", health.status.cause is None)
    yield gauge("kms_audit_records_pending", "Records that wait in memory", health.status.pending)
    yield gauge(
        "kms_audit_oldest_pending_seconds",
        "For how long the oldest of them has been waiting",
        health.status.oldest_s,
    )
    yield counter(
        "kms_audit_records_total",
        "Records that were written, but those of changes",
        health.status.records,
    )
    yield counter("kms_audit_changes_total", "Transactions with records of changes", health.changes)
    yield counter(
        "kms_audit_failures_total", "How often records could not be written", health.status.failures
    )
    yield gauge(
        "kms_audit_checkpoint_age_seconds",
        "Since the newest checkpoint was as new as can be",
        health.checkpoint_age_s,
    )
    yield gauge(
        "kms_audit_degraded",
        "1 for what is wrong although records are written: altered, anchor, log",
        {cause: cause == health.degraded for cause in DEGRADED},
        "cause",
    )
    if kms.indexer is not None:
        index = kms.indexer.status()
        yield gauge(
            "kms_audit_index_records_behind", "Records that are not in the index yet", index.behind
        )
        yield gauge(
            "kms_audit_index_lag_seconds",
            "For how long there have been some, by the process that indexes them",
            {} if index.lag_s is None else index.lag_s,
        )


def tls_figures(certificate_end: float | None) -> Iterator[Figure]:
    """The figures of TLS.

    certificate_end: of the certificate in use, in seconds since the Unix epoch; None without TLS.
    """
    yield gauge(
        "kms_tls_certificate_expiry_timestamp_seconds",
        "When the TLS certificate that is in use ends",
        {} if certificate_end is None else certificate_end,
    )


def admission_figures(admission: Admission) -> Iterator[Figure]:
    yield gauge(
        "kms_user_requests_in_flight",
        "Requests with a known user that are not answered",
        admission.in_flight,
    )
    yield counter(
        "kms_user_requests_refused_total",
        "Requests of users with too many at once or in a second (429)",
        admission.refused,
        "limit",
    )


def bytes_figures(bytes_in_flight: BytesInFlight) -> Iterator[Figure]:
    yield gauge(
        "kms_bytes_in_flight",
        "Bytes of bodies and answers of requests with a known user that are not answered",
        bytes_in_flight.size,
    )
    yield gauge("kms_bytes_in_flight_limit", "How many there may be", bytes_in_flight.most)
    yield counter(
        "kms_bytes_refused_total",
        "Requests whose body or answer found no room, of one user or of all (503)",
        dict(bytes_in_flight.refused),
        "limit",
    )


def token_figures(auth: RequestAuth) -> Iterator[Figure]:
    """The figures of the token check; None where no credentials are checked."""
    statistics = auth.statistics()
    if statistics is None:
        return
    yield counter(
        "kms_auth_outcomes_total",
        "Token checks by outcome: ok, or why refused",
        statistics.outcomes,
        "outcome",
    )
    yield counter(
        "kms_auth_token_cache_hits_total",
        "Tokens found among those remembered",
        statistics.remembered_hits,
    )
    yield counter(
        "kms_auth_token_cache_misses_total", "Tokens not found there", statistics.remembered_misses
    )
    yield gauge("kms_auth_token_cache_size", "Tokens remembered now", statistics.remembered)
    yield counter(
        "kms_auth_key_fetches_total",
        "Refreshes of key sets",
        {
            (issuer, result): number
            for issuer, counts in statistics.key_fetches.items()
            for result, number in counts.items()
        },
        "issuer",
        "result",
    )
    yield from _key_set_figures({status.issuer: status for status in auth.status()})


def _key_set_figures(statuses: dict[str, KeyStatus]) -> Iterator[Figure]:
    ages = {issuer: status.age_s for issuer, status in statuses.items()}
    known = {issuer: age for issuer, age in ages.items() if age is not None}
    now = time.time()
    yield gauge("kms_auth_key_age_seconds", "Since the last good refresh", known, "issuer")
    yield gauge(
        "kms_auth_key_last_success_timestamp_seconds",
        "When the last good refresh was",
        {issuer: now - age for issuer, age in known.items()},
        "issuer",
    )
    for name, help_text, values in (
        (
            "kms_auth_key_set_generation",
            "Counts changes of the key set",
            {issuer: status.generation for issuer, status in statuses.items()},
        ),
        (
            "kms_auth_keys",
            "Usable signing keys",
            {issuer: status.keys for issuer, status in statuses.items()},
        ),
        (
            "kms_auth_issuer_served",
            "1 where tokens of the issuer can be checked now, last good keys included",
            {issuer: status.is_served for issuer, status in statuses.items()},
        ),
        (
            "kms_auth_issuer_failing",
            "1 where the last refresh failed",
            {issuer: status.failing_for_s is not None for issuer, status in statuses.items()},
        ),
        (
            "kms_auth_keys_kept",
            "1 while keys that a former run has kept serve, as none were fetched since the start",
            {issuer: status.state == "kept" for issuer, status in statuses.items()},
        ),
    ):
        yield gauge(name, help_text, values, "issuer")


def connection_figures(connections: Connections) -> Iterator[Figure]:
    yield from _connection_figures(connections, "kms")
    yield counter(
        "kms_accept_pauses_total",
        "How often no connection could be accepted for want of file descriptors",
        connections.accept_pauses,
    )


def kmip_figures(
    connections: Connections,
    *,
    failed_handshakes: int,
    broken_frames: int,
    list_end: float | None,
) -> Iterator[Figure]:
    """The figures of KMIP over TLS, whose connections have places of their own.

    list_end: when the first certificate revocation list expires, in seconds since the Unix epoch; None without lists.
    """
    yield gauge(
        "kms_kmip_revocation_list_end_timestamp_seconds",
        "When the first list of revoked client certificates ends: no client of its CA gets in from then on",
        {} if list_end is None else list_end,
    )
    yield from _connection_figures(connections, "kms_kmip")
    yield counter(
        "kms_kmip_failed_handshakes_total",
        "Connections whose TLS handshake failed, most of them for want of a good certificate",
        failed_handshakes,
    )
    yield counter(
        "kms_kmip_broken_frames_total",
        "Connections that were closed as what came on them was no message",
        broken_frames,
    )


def _connection_figures(connections: Connections, prefix: str) -> Iterator[Figure]:
    quiet = connections.quiet
    yield gauge(
        f"{prefix}_connections",
        "Connections that are open: those with a request that is not answered, and quiet ones",
        {"busy": len(connections) - quiet, "quiet": quiet},
        "state",
    )
    yield gauge(f"{prefix}_connections_limit", "How many there may be", connections.most)
    yield counter(
        f"{prefix}_connections_refused_total",
        "Connections that found no place, of all (full) or of those of their address or user",
        connections.refused,
        "reason",
    )
    yield counter(
        f"{prefix}_connections_dropped_total",
        "Connections that the server closed, by what they waited for too long; quiet: for others",
        connections.dropped,
        "reason",
    )
