"""docs/audit-format.md: its commands, its example, and its faults are those of the verifier."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

from kms_tornado.service.auditing.anchor_file import ANCHOR_FILE
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings

from ..server import environment, warm_servers
from .blocks import ROOT, block, blocks

PAGE = "docs/audit-format.md"
COMMANDS = block(PAGE, "sh", "audit export")
BLOCKS = [COMMANDS]
KEY, LOG = blocks(PAGE, "text")
VERIFIER = ROOT / "examples" / "verify_audit_log.py"


def run(command: str, cwd: Path) -> str:
    """What the shell prints."""
    result = subprocess.run(
        ["sh", "-ec", command], cwd=cwd, env=environment(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_export_is_verified_by_the_commands_of_the_page(tmp_path: Path) -> None:
    async def serve() -> None:
        async with KMS(ServiceSettings(data_dir=tmp_path / "data")):
            pass

    asyncio.run(serve())
    (tmp_path / "kms.toml").write_text('[kms]\ndata-dir = "data"\n')
    for file in (tmp_path / "data" / "audit.key.pub", tmp_path / "data" / ANCHOR_FILE, VERIFIER):
        shutil.copy(file, tmp_path)
    warm_servers().write_program(tmp_path / "kms-tornado")
    text = COMMANDS.text.replace("/etc/kms-tornado/kms.toml", "kms.toml")
    text = text.replace("kms-tornado ", "./kms-tornado ").replace("python ", f"{sys.executable} ")
    assert run(text, tmp_path).startswith("all is well\n")


def test_example_is_sound(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(KEY.text)
    (tmp_path / "audit.jsonl").write_text(LOG.text)
    told = run(f"{sys.executable} {VERIFIER} --key key.pem --signed-only audit.jsonl", tmp_path)
    assert told == "all is well\n3 records, 2 checkpoints\n"


def test_every_fault_of_the_verifier_is_explained() -> None:
    page = (ROOT / PAGE).read_text()
    faults = re.findall(r'(?:tell|print\))\(\s*f"([^"]+)"', VERIFIER.read_text())
    assert len(faults) >= 12
    unexplained = [
        fault
        for fault in (fault.removesuffix(" ({place})") for fault in faults)
        if not re.search("`" + ".*".join(map(re.escape, re.split(r"\{[^}]+\}", fault))), page)
    ]
    assert unexplained == []
