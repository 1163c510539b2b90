"""Where objects, keys and the audit are kept, and who may read or add."""

from __future__ import annotations

from ...settings.service import Secret
from ..converters import (
    mask_pin,
    mask_url,
    parse_path,
    parse_user,
)
from ..kinds import Boolean, Seconds, Switch, Text
from ..option import Option

STORAGE: tuple[Option, ...] = (
    Option(
        "data-dir",
        Text("DIR", parse_path),
        "directory of the database and the master key",
        "./kms-data",
    ),
    Option(
        "database-url",
        Text("URL"),
        "sqlite:///FILE in the data directory, or postgresql://... for many machines",
        "sqlite:///kms.db",
        mask=mask_url,
    ),
    Option(
        "master-key-file",
        Text("FILE", parse_path),
        "file with the master key, 32 bytes in base64, or with several, one in a line; the first "
        "of all seals, each opens what it sealed; or a pkcs11: URI (RFC 7512) of a key in a hardware "
        "security module, with the extra hsm; or give the key itself in the variable "
        "KMS_MASTER_KEY (default: $CREDENTIALS_DIRECTORY/kms-master-key where there is one, else "
        "made on first start in the data directory)",
        repeatable=True,
        may_be_single=True,
        mask=mask_pin,
        credential="kms-master-key",
    ),
    Option(
        # No flag, which `ps` would show to everyone, and not beside the other settings.
        "master-key",
        Text("BASE64", lambda text: Secret(text.strip())),
        "the master key itself, or several with commas between them",
        is_flag=False,
        in_file=False,
        mask=lambda text: "***",
    ),
    Option(
        "audit-log",
        Text("FILE", parse_path),
        "append every record and checkpoint of the audit to this file, too, as JSON lines; - is stdout; "
        "opened again on SIGHUP",
    ),
    Option(
        "audit-key-file",
        Text("FILE", parse_path),
        "file with the key that signs the audit's checkpoints, Ed25519 in PEM (default: made on first "
        "start in the data directory)",
    ),
    Option(
        "audit-reads",
        Boolean(),
        "whether operations that change nothing are recorded in the audit, too",
        True,
    ),
    Option(
        "accept-rollback",
        Switch(),
        "serve a database that is older than the audit's anchor, which is recorded; for one start",
        False,
    ),
    Option(
        "scrub-interval",
        Seconds(),
        "compare every stored object with its last record in the audit once in so long, and refuse what does "
        "not fit; 0: never",
        86400,
        setting="scrub_interval_s",
    ),
    Option(
        "auditors",
        Text("USER", parse_user),
        "these users may read every record of the audit (default: everybody reads their own and "
        "those of their objects)",
        repeatable=True,
        collect=frozenset,
    ),
    Option(
        "privileged-users",
        Text("USER", parse_user),
        "only these users may create objects (default: every authenticated user)",
        repeatable=True,
        collect=frozenset,
    ),
)
