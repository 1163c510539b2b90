"""Checkpoints: the heads of all chains of a database, numbered and signed. Each one names the one before it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .chain import ChainHead, hash_line
from .parsing import MalformedRecord, parse_object
from .record import canonical
from .signing import AuditKey, AuditPublicKey

_CONTEXT = b"kms_tornado audit checkpoint 1\n"
_MEMBERS = frozenset(
    {"chains", "checkpoint", "database", "key", "previous", "signature", "time", "v"}
)


class UnknownSigner(MalformedRecord):
    """A checkpoint is signed by a key that the verifier was not given. key: the fingerprint that it names."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(f"checkpoint {checkpoint.number} is signed by an unknown key")
        self.key = checkpoint.key


class BadSignature(MalformedRecord):
    """A checkpoint's signature is wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The heads of all chains at one moment.

    heads: chain → its last record.
    previous: the hash of the checkpoint before this one.
    number: the database's generation, from 1.
    database: the identifier of the database.
    key: the fingerprint of the signing key.
    rollback: the number of the anchor in spite of which a database was accepted.
    """

    number: int
    database: str
    heads: Mapping[int, ChainHead]
    previous: str | None
    time: str
    key: str = ""
    rollback: int | None = None


def sign_checkpoint(checkpoint: Checkpoint, key: AuditKey) -> str:
    """The checkpoint's line."""
    members = _collect_members(checkpoint, key.public.fingerprint)
    signature = key.sign(_CONTEXT + canonical(members))
    members["signature"] = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    return canonical(members).decode()


def parse_checkpoint(line: bytes, keys: Sequence[AuditPublicKey]) -> Checkpoint:
    """The checkpoint in a line that one of the keys signed. Raises MalformedRecord."""
    members = parse_object(line)
    checkpoint = read_checkpoint(members)
    signature = members.pop("signature")
    for key in keys:
        if key.fingerprint == checkpoint.key:
            break
    else:
        raise UnknownSigner(checkpoint)
    if not key.is_signature(_decode_signature(signature), _CONTEXT + canonical(members)):
        raise BadSignature(f"the signature of checkpoint {checkpoint.number} is wrong")
    return checkpoint


def read_checkpoint(members: Mapping[str, Any]) -> Checkpoint:
    """The contents of a checkpoint, whoever signed it. Raises MalformedRecord."""
    if members.keys() - {"rollback"} != _MEMBERS:
        raise MalformedRecord("the checkpoint has other members than one has")
    try:
        heads = {chain: ChainHead(chain, seq, text) for chain, seq, text in members["chains"]}
        number, rollback = members["checkpoint"], members.get("rollback")
        texts = [members[name] for name in ("database", "time", "key")]
        is_sound = (
            type(number) is int
            and number > 0
            and (rollback is None or type(rollback) is int)
            and all(type(text) is str for text in texts)
            and all(type(head.seq) is int and type(head.hash) is str for head in heads.values())
            and all(0 <= head.seq < 1 << 63 for head in heads.values())
            and len(heads) == len(members["chains"])
        )
    except (TypeError, ValueError):
        is_sound = False
    if not is_sound:
        raise MalformedRecord("a member of the checkpoint has a wrong type")
    database, time, key = texts
    return Checkpoint(number, database, heads, members["previous"], time, key, rollback)


def hash_checkpoint(line: str) -> str:
    """The hash by which the next checkpoint names this one."""
    return hash_line(line.encode())


def _collect_members(checkpoint: Checkpoint, key: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "chains": [list(checkpoint.heads[chain]) for chain in sorted(checkpoint.heads)],
        "checkpoint": checkpoint.number,
        "database": checkpoint.database,
        "key": key,
        "previous": checkpoint.previous,
        "time": checkpoint.time,
        "v": 1,
    }
    if checkpoint.rollback is not None:
        members["rollback"] = checkpoint.rollback
    return members


def _decode_signature(text: Any) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError, binascii.Error):
        return b""
