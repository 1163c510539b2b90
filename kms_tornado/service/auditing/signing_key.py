"""The file with the key that signs checkpoints: created at the first start, readable by nobody else."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ...audit.signing import AuditKey, make_private_pem, parse_private_pem
from ...errors import ConfigurationError
from ..private_file import (
    UnusableFile,
    describe_error,
    make_private_file,
    read_private_file,
    replace_private_file,
)

_log = logging.getLogger(__name__)

KEY_FILE = "audit.key"


def check_configured_audit_key(file: Path | None) -> None:
    """Raise ConfigurationError where the file of --audit-key-file cannot be used, or made. Nothing is created."""
    if file is None:
        return
    if os.path.lexists(file):
        _read(file)
    elif not file.parent.is_dir():
        raise _refusal(file, "cannot be made: no such directory")
    elif not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise _refusal(file, "cannot be made: its directory cannot be written to")


def load_audit_key(
    file: Path | None, default_file: Path, *, is_throw_away: bool = False
) -> AuditKey:
    """The key in the file of --audit-key-file, else in default_file; a missing file is created.

    The public half, with which others verify, is written beside it. Raises ConfigurationError.
    """
    path = default_file if file is None else file
    if not os.path.lexists(path):
        is_new = _make(path)
        if is_new and (file is not None or not is_throw_away):
            _log.warning(
                "made a new key for the audit's checkpoints in %s: back it up; its fingerprint is %s",
                path,
                _read(path).public.fingerprint,
            )
    key = _read(path)
    _write_public_half(path.with_name(f"{path.name}.pub"), key)
    return key


def _make(path: Path) -> bool:
    try:
        return make_private_file(path, make_private_pem())
    except OSError as exc:
        raise _refusal(path, f"cannot be made: {describe_error(exc)}") from exc


def _read(path: Path) -> AuditKey:
    try:
        return parse_private_pem(read_private_file(path))
    except UnusableFile as exc:
        raise _refusal(path, str(exc)) from exc
    except ValueError as exc:
        raise _refusal(path, str(exc)) from None


def _write_public_half(path: Path, key: AuditKey) -> None:
    """Write the public half.

    If the directory cannot be written to, nothing is lost: others can still ask for the key.
    """
    pem = key.public.to_pem()
    try:
        if not path.exists() or path.read_bytes() != pem:
            replace_private_file(path, pem)
    except OSError:
        pass


def _refusal(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"the audit's key file {path}: {fault}", "audit_key_file")
