"""A small audit, sound until a test edits it."""

from __future__ import annotations

from collections.abc import Sequence

from kms_tornado.audit.chain import NOTHING, ChainHead, extend
from kms_tornado.audit.checkpoint import Checkpoint, hash_checkpoint, sign_checkpoint
from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import Origin
from kms_tornado.audit.signing import make_private_pem, parse_private_pem

KEY = parse_private_pem(make_private_pem())
DATABASE = "00112233445566778899aabbccddeeff"
ORIGIN = Origin("alice@example.com", None, "127.0.0.1", "dfb8822b6b0e65ef")


def make_chain(number: int, changes: Sequence[tuple[str, str | None, str | None]]) -> list[bytes]:
    """A record of each change."""
    recorded = [
        (AuditEntry(ORIGIN, "Modify").draft_change([uid]), [(uid, was, code)])
        for uid, was, code in changes
    ]
    return [
        line
        for segment in extend(ChainHead(number, 0, NOTHING), recorded)
        for line in segment.lines.split(b"\n")
    ]


def make_checkpoint(number: int, heads: Sequence[ChainHead], before: str | None = None) -> str:
    checkpoint = Checkpoint(
        number,
        DATABASE,
        {head.chain: head for head in heads},
        None if before is None else hash_checkpoint(before),
        "2026-11-29T11:45:25Z",
    )
    return sign_checkpoint(checkpoint, KEY)
