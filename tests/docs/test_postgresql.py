"""docs/postgresql.md: its URLs, its PgBouncer and its lines of the log are real ones, and its figures the code's."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store import health
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.postgres import backend, engine
from kms_tornado.store.postgres.connections import connector
from kms_tornado.store.postgres.connections.address import parse_address
from kms_tornado.store.postgres.writing import transactions, writer

from .. import postgres, replicas
from ..deploy.proxies import replace, write_certificate
from ..keys import certificate, private_key
from ..store.helpers import an_object, with_store
from ..store.postgres.pgbouncer import PgBouncer
from .blocks import DOCS, ROOT, block

PAGE = "docs/postgresql.md"
CLUSTER = block(PAGE, "toml", "db1.example.com,db2.example.com")
MANAGED = block(PAGE, "toml", "rds.amazonaws.com")
POOLER = block(PAGE, "text", "pool_mode")
ROLE = block(PAGE, "text", "ALTER ROLE")
LOG = block(PAGE, "text", "kms_tornado.store: ")
BLOCKS = [CLUSTER, MANAGED, POOLER, ROLE, LOG]

TEXT = (DOCS / "postgresql.md").read_text()


def url_of(toml: str) -> str:
    url: str = tomllib.loads(toml)["kms"]["database-url"]
    return url


def add_and_get(url: str) -> None:
    async def body(store: Any) -> None:
        await store.commit([Insert(an_object("made"))])
        assert (await store.get("made")).uid == "made"

    with_store(url, body)


# --- hosts --------------------------------------------------------------------------------------


def test_url_of_a_cluster_leads_to_the_host_that_takes_writes() -> None:
    address = parse_address(url_of(CLUSTER.text))
    assert address.has_several_hosts
    parameters = connector.Connector(address)._parameters
    assert parameters["target_session_attrs"] == "read-write"
    assert parameters["connect_timeout"] == "3"


@pytest.fixture(scope="module")
def node() -> Iterator[replicas.Node]:
    """A PostgreSQL that asks for a password, over TLS alone, as a managed one does."""
    made = replicas.Node()
    try:
        data = made.directory / "data"
        write_certificate(data)
        account = made._as_somebody
        for name in ("kms.crt", "kms.key"):
            (data / name).chmod(0o600)
            if account:
                shutil.chown(data / name, account["user"], account["group"])
        with made.connect() as admin:
            admin.execute("CREATE ROLE owner LOGIN PASSWORD 'secret'")
            admin.execute("CREATE DATABASE kms TEMPLATE template0 OWNER owner")
            for setting in ("ssl_cert_file = 'kms.crt'", "ssl_key_file = 'kms.key'", "ssl = on"):
                admin.execute(f"ALTER SYSTEM SET {setting}")
            (data / "pg_hba.conf").write_text(
                "hostssl kms owner 127.0.0.1/32 scram-sha-256\nhost all owner all reject\n"
                f"host all {postgres.USER} 127.0.0.1/32 trust\n"
            )
            admin.execute("SELECT pg_reload_conf()")
        yield made
    finally:
        made.stop()


@pytest.fixture
def managed(node: replicas.Node, tmp_path: Path) -> str:
    """The URL of the page, for the node."""
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"localhost:{node.port}:kms:owner:secret\n")
    passwords.chmod(0o600)
    changes = {
        "//kms@kms.abcdefghijkl.eu-central-1.rds.amazonaws.com/": f"//owner@localhost:{node.port}/",
        "/etc/kms-tornado/rds-ca.pem": str(node.directory / "data" / "kms.crt"),
        "/etc/kms-tornado/pgpass": str(passwords),
    }
    return f"{replace(url_of(MANAGED.text), changes)}&hostaddr=127.0.0.1"


def test_url_of_a_managed_database_is_served_over_tls_with_the_password_of_the_file(
    managed: str,
) -> None:
    add_and_get(managed)


def refusal_of(url: str) -> str:
    with pytest.raises(Unavailable) as refused:
        add_and_get(url)
    return refused.value.detail


def test_database_with_a_certificate_of_somebody_else_is_refused(
    managed: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(certificate(private_key("ES256", "another's tls"), names=("localhost",)))
    url = re.sub(r"sslrootcert=[^&]+", f"sslrootcert={other}", managed)
    assert "certificate verify failed" in refusal_of(url)


def test_database_with_another_name_in_its_certificate_is_refused(managed: str) -> None:
    url = managed.replace("@localhost:", "@db.example.com:")
    passwords = Path(re.search("passfile=([^&]+)", url)[1])
    passwords.write_text(passwords.read_text().replace("localhost", "db.example.com"))
    assert 'does not match host name "db.example.com"' in refusal_of(url)


def test_password_of_the_file_is_read_for_each_connection(
    node: replicas.Node, managed: str, tmp_path: Path
) -> None:
    passwords = tmp_path / "pgpass"
    right = passwords.read_text()
    wrong = right.replace("secret", "former")

    async def body(store: Any) -> None:
        passwords.write_text(wrong)
        with node.connect() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'owner'"
            )
        with pytest.raises(Unavailable) as refused:
            await store.get("made")
        assert "password authentication failed" in refused.value.detail
        passwords.write_text(right)
        await store.get("made")

    with_store(managed, body)


# --- PgBouncer ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pooler() -> Iterator[PgBouncer]:
    database = postgres.cluster().new_database()
    place = f"{postgres.cluster().directory} user={postgres.USER}"
    changes = {"kms = host": f"{postgres.name_of(database)} = host", "db1.example.com": place}
    made = PgBouncer(database, replace(POOLER.text, changes))
    yield made
    made.stop()


def test_store_works_through_the_pgbouncer_of_the_page(pooler: PgBouncer) -> None:
    add_and_get(pooler.url)


def test_timeouts_of_the_user_are_those_that_the_server_sets() -> None:
    of_user = dict(re.findall(r"ALTER ROLE kms SET (\w+) = (\w+);", ROLE.text))
    assert dict(re.findall(r"SET (\w+) = (\w+)", engine.first_statement())) == of_user


def test_statements_of_the_user_count_on_each_connection() -> None:
    cluster = postgres.cluster()
    with cluster.connect() as admin:
        admin.execute("CREATE ROLE kms_of_the_page LOGIN")
        try:
            admin.execute(ROLE.text.replace("ROLE kms", "ROLE kms_of_the_page"))
            text = "SELECT rolconfig FROM pg_roles WHERE rolname = 'kms_of_the_page'"
            (settings,) = admin.execute(text).fetchone()
            assert len(settings) == len(ROLE.text.splitlines())
        finally:
            admin.execute("DROP ROLE kms_of_the_page")


# --- what an operator reads ---------------------------------------------------------------------


def log_formats() -> list[str]:
    """Patterns of the lines that tell of the database's state."""
    tree = ast.parse(Path(health.__file__).read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    formats = [text for text in texts if isinstance(text, str) and text.startswith("the database ")]
    return [re.sub(r"%s|%\\\.1f", ".+", re.escape(text)) for text in formats]


@pytest.mark.parametrize("number", [0, 1], ids=["away", "back"])
def test_lines_of_the_log_are_the_servers(number: int) -> None:
    line = LOG.text.splitlines()[number].partition("kms_tornado.store: ")[2]
    assert any(re.fullmatch(pattern, line) for pattern in log_formats()), log_formats()


def test_metrics_of_the_page_are_those_of_the_server() -> None:
    source = (ROOT / "kms_tornado" / "web" / "metrics" / "sources.py").read_text()
    for name in set(re.findall(r"`(kms_\w+)`", TEXT)):
        assert f'"{name}"' in source


def test_figures_of_the_page_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE))
    statement_s = engine._STATEMENT_TIMEOUT_MS // 1000
    assert rows["a statement"].startswith(f"{statement_s} s")
    assert f"{engine.REPLY_TIMEOUT_S:.0f} s" in rows["a statement"]
    assert rows["a lock"].startswith(f"{engine.LOCK_TIMEOUT_MS // 1000} s")
    idle_s = engine._IDLE_TIMEOUT_MS // 1000
    assert rows["a transaction in which the server says nothing"].startswith(f"{idle_s} s")
    assert rows["a transaction"].startswith(f"{engine._TRANSACTION_TIMEOUT_MS // 1000} s")
    pauses = (
        f"{engine._EXCLUSIVE_PAUSE_MS // 1000} s, and {engine._SNAPSHOT_PAUSE_MS // 60_000} min"
    )
    assert (
        pauses in rows["a pause of an upgrade or a restore, for which starts wait, and of a backup"]
    )
    settings = engine._SETTINGS_WHERE_KNOWN
    probes_s = settings["tcp_keepalives_interval"] * settings["tcp_keepalives_count"]
    assert rows["a machine that is gone"].startswith(
        f"{settings['tcp_keepalives_idle'] + probes_s} s"
    )
    assert rows["waiting for a transaction"].startswith(f"{writer._MAX_AGE_S:.0f} s")
    assert (
        rows["tries of a transaction that others got in the way of"] == f"{transactions.ATTEMPTS}"
    )
    assert rows["connections of a worker"] == (
        f"{backend.READERS + writer.CONNECTIONS}: {backend.READERS} for reading,"
        f" and {writer.CONNECTIONS} for writing"
    )
