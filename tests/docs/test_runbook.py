"""docs/runbook.md is followed from its first line to its last, on one host; between its lines, things go wrong."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .. import postgres
from ..deploy.proxies import write_certificate
from ..issuer import Issuer
from ..kms import KMS
from ..server import ROOT, run
from ..store.helpers import write_behind
from .blocks import Block, blocks
from .runbook_host import Host
from .session import run_session

PAGE = "docs/runbook.md"
BLOCKS = [each for each in blocks(PAGE) if each.language != "toml"]

#: Text of a block of the page → what happens before it is typed. What that prints is what such a text shows.
DISASTERS = {
    'echo "$LEAKED" | kms': (
        "KMS_TOKEN=$BOB kmsctl create bobs\n"
        "KMS_TOKEN=$BOB kmsctl create others-of-bob\n"
        "KMS_TOKEN=$BOB kmsctl sym keys export bobs stolen.key\n"
    ),
    "not the one that this database": (
        "systemctl stop kms-tornado\n"
        "head -c 32 /dev/urandom | base64 > /var/lib/kms-tornado/master.key\n"
        "systemctl start kms-tornado || journalctl -u kms-tornado -n 1\n"
    ),
    "its fingerprint is": (
        "systemctl stop kms-tornado\n"
        "rm /var/lib/kms-tornado/audit.key /var/lib/kms-tornado/audit.key.pub\n"
        "systemctl start kms-tornado\n"
        "journalctl -u kms-tornado | grep -o 'made a new key for the audit.*' | tail -n 1\n"
    ),
    "rm -rf /var/lib/kms-tornado/issuer-keys": "issuer rotate\n",
    "wrote its row": (
        "systemctl start kms-tornado-backup.service\n"
        "sqlite3 /var/lib/kms-tornado/kms.db"
        " \"UPDATE objects SET owner = 'mallory' WHERE serial = (SELECT max(serial) FROM objects)\"\n"
        "kms audit verify --key /etc/kms-tornado/old-audit-keys.pem || true\n"
    ),
    "export ALTERED=": (
        "ALTERED=$(sqlite3 /var/lib/kms-tornado/kms.db"
        " \"SELECT uid FROM objects WHERE owner = 'mallory'\")\n"
    ),
    "the database is empty, or has no audit": (
        "systemctl start kms-tornado-backup.service\n"
        "systemctl stop kms-tornado\n"
        "rm /var/lib/kms-tornado/kms.db*\n"
        "systemctl start kms-tornado || journalctl -u kms-tornado -n 1\n"
    ),
    "older than this server's anchor: the anchor": (
        "systemctl stop kms-tornado\n"
        "cp /var/lib/kms-tornado/kms.db /srv/old.db\n"
        "systemctl start kms-tornado\n"
        "systemctl stop kms-tornado\n"
        "cp /srv/old.db /var/lib/kms-tornado/kms.db\n"
        "systemctl start kms-tornado || journalctl -u kms-tornado -n 1\n"
    ),
}
#: When the page's line of the crontab is run.
CRONTAB = "30 2 * * * "
NEEDED = ("curl", "jq", "openssl", "sqlite3")


def blocks_on(host: Host) -> Iterator[Block]:
    """The page's blocks, and what happens between them, about this host."""
    left = dict(DISASTERS)
    yield Block(PAGE, 1, "sh", "set +o pipefail\n")  # as in the reader's shell
    for each in BLOCKS:
        for text in [text for text in left if text in each.text]:
            yield Block(PAGE, each.line, "sh", host.text(left.pop(text)))
        if each.text.startswith(CRONTAB):
            command = each.text.removeprefix(CRONTAB).replace("/var/backups/kms-tornado", "/srv")
            each = dataclasses.replace(each, language="sh", text=command)
        yield dataclasses.replace(each, text=host.text(each.text))
    assert left == {}


def write_tls_files(directory: Path) -> None:
    """tls.crt and tls.key, each time others."""
    write_certificate(directory)
    (directory / "kms.key").rename(directory / "tls.key")
    (directory / "kms.pem").unlink()
    (directory / "kms.crt").rename(directory / "tls.crt")


def test_row_is_put_back_on_postgresql_by_the_commands_of_the_page(tmp_path: Path) -> None:
    take, put = re.findall(r"`(psql [^`]*row)`", (ROOT / PAGE).read_text())
    if shutil.which("psql") is None:
        pytest.skip("not installed: psql")
    url, before = (postgres.cluster().new_database() for _ in range(2))
    with Issuer("ES256") as issuer, KMS(tmp_path, issuer, options=["--database-url", url]) as kms:
        user = kms.user()
        altered, _ = user.create(), user.create()
        user.grant(altered, kms.user(), "get")
        material = user.key_of(altered)
        here = ("--data-dir", str(kms.data_dir), "--database-url", url)
        assert run("backup", "backup", *here, cwd=tmp_path).returncode == 0
        (tmp_path / "before").mkdir(mode=0o700)
        shutil.copy(kms.data_dir / "master.key", tmp_path / "before")
        restored = ("--data-dir", "before", "--database-url", before)
        assert run("restore", "backup", *restored, cwd=tmp_path).returncode == 0
        write_behind(url, "UPDATE objects SET owner = 'mallory' WHERE uid = :uid", uid=altered)
        assert run("verify", *here, cwd=tmp_path).returncode == 1
        for command in (
            take.replace("psql before", f"psql '{before}'"),
            put.replace("psql kms", f"psql '{url}'"),
        ):
            subprocess.run(
                command, shell=True, check=True, cwd=tmp_path, env={**os.environ, "ALTERED": altered},
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        assert run("verify", *here, cwd=tmp_path).returncode == 0
        assert user.key_of(altered) == material
        assert len(user.grants_on(altered)) == 1


def test_runbook_is_followed_to_its_end(tmp_path: Path) -> None:
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("conf", "examples"):
        (checkout / name).symlink_to(ROOT / name)
    with Issuer("ES256") as issuer, Host(tmp_path, issuer) as host:
        write_tls_files(checkout)
        write_tls_files(host.place("/etc/kms-tornado"))
        trusted = str(host.place("/etc/kms-tornado/tls.crt"))  # whichever is installed
        tokens = {
            "KMS_TOKEN": issuer.token(sub="alice@example.com", aud="my-kms"),
            "BOB": issuer.token(sub="bob@example.com", aud="my-kms"),
            "LEAKED": issuer.token(sub="bob@example.com", aud="my-kms"),
            "FORGED": issuer.token(sub="alice@example.com", aud="my-kms"),
        }
        variables = {
            **tokens,
            "ALTERED": "known once it is",
            "KMS_URL": f"https://localhost:{host.port}",
            "SSL_CERT_FILE": trusted,
            "CURL_CA_BUNDLE": trusted,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{host.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        page = list(blocks_on(host))
        with ThreadPoolExecutor(1) as other:
            session = other.submit(run_session, page, checkout, variables, timeout_s=300)
            host.run_kmsctl(until=session)
        session.result()
