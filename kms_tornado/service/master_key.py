"""The sources of the master keys: the environment, or files that nobody else can read.

    value of KMS_MASTER_KEY   base64 of 32 bytes; or several keys with commas between them
    key file                  the same, a key in a line; made on the first start, never afterwards

The first key seals. No message repeats anything that was read.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from ..crypto.envelope import MASTER_KEY_BYTES, MasterKey
from ..crypto.material import KeyMaterial
from ..errors import ConfigurationError

_log = logging.getLogger(__name__)

_MAX_FILE_BYTES = 4096  # a key takes 45; more is some other file


def load_master_keys(
    *,
    value: str | None,
    files: Sequence[Path],
    default_file: Path,
    may_make: bool,
    is_throw_away: bool = False,
) -> Sequence[MasterKey]:
    """The master keys from the value or the files, where they are set, else from default_file.

    value: of KMS_MASTER_KEY; an empty one counts as not set. files: of --master-key-file.
    is_throw_away: whether default_file is removed at the end, so that there is nothing to back up.
    may_make: whether the first file is made if it is missing, as it may be where the database is new.
    Otherwise a new key would hide that the old one is lost.
    Raises ConfigurationError about master_key or master_key_file.
    """
    if value:
        return parse_master_keys(value)
    path = files[0] if files else default_file
    if may_make and not os.path.lexists(path):
        made = make_key_file(path)
        if made and (files or not is_throw_away):
            _log.warning(
                "made a new master key in %s: back it up, apart from the database; "
                "without it no stored key can be used again",
                path,
            )
    keys: dict[bytes, MasterKey] = {}
    for file in files or (default_file,):
        for key in read_key_file(file):
            keys.setdefault(key.key_id, key)
    return tuple(keys.values())


def parse_master_keys(text: str) -> Sequence[MasterKey]:
    """The keys of KMS_MASTER_KEY. Raises ConfigurationError."""
    try:
        return _decode_keys(text.split(","), "key")
    except ValueError as exc:
        raise ConfigurationError(str(exc), "master_key") from None


def read_key_file(path: Path) -> Sequence[MasterKey]:
    """The keys of the file, at least one. Raises ConfigurationError, which names the file and the fault."""
    try:
        # Non-blocking: opening a named pipe would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        raise _make_refusal(path, _describe(exc)) from exc
    try:
        # Checked on the open file, because its name may point elsewhere a moment later.
        fault = find_access_fault(os.fstat(descriptor), our_uid=os.geteuid())
        if fault:
            raise _make_refusal(path, fault)
        content = os.read(descriptor, _MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise _make_refusal(path, _describe(exc)) from exc
    finally:
        os.close(descriptor)
    if not content:
        raise _make_refusal(path, "is empty")
    if len(content) > _MAX_FILE_BYTES:
        raise _make_refusal(path, "is too long for a key")
    try:
        text = content.decode("ascii").removesuffix("\n")
    except UnicodeDecodeError:
        raise _make_refusal(path, "is not base64") from None
    try:
        return _decode_keys([line.removesuffix("\r") for line in text.split("\n")], "line")
    except ValueError as exc:
        raise _make_refusal(path, str(exc)) from None


def _decode_keys(texts: Sequence[str], unit: str) -> Sequence[MasterKey]:
    """Raises ValueError that says what is wrong, of several keys with which of them."""
    keys = []
    for number, text in enumerate(texts, 1):
        try:
            keys.append(_decode_key(text))
        except ValueError as exc:
            raise ValueError(f"{unit} {number} {exc}" if len(texts) > 1 else str(exc)) from None
    return keys


def _decode_key(text: str) -> MasterKey:
    """Strict: there is one spelling for one key. Raises ValueError that says what is wrong."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes, and a master key has {MASTER_KEY_BYTES}")
    if base64.b64encode(key).decode("ascii") != text:
        raise ValueError("is not canonical base64")
    return MasterKey(KeyMaterial(key))


def find_access_fault(status: os.stat_result, *, our_uid: int) -> str | None:
    """What is wrong with the type, owner or mode of a key file; None where nothing is.

    The rule is PostgreSQL's for its server key: the file belongs to our user and is open to nobody
    else, or it belongs to root and its group may read it, so that an administrator can hand out a
    file that stays root's.
    """
    if not stat.S_ISREG(status.st_mode):
        return "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    if status.st_uid not in (our_uid, 0):
        return "belongs to another user"
    forbidden = 0o077 if status.st_uid == our_uid else 0o037
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        return f"is open to others (mode {mode:04o}); chmod 600 makes it ours alone"
    return None


def make_key_file(path: Path) -> bool:
    """Make the file with a new random key; False where another process has just done so.

    Under its own name the file appears whole or not at all: it is written and flushed under another
    name and then linked, which never overwrites. Of two processes that start at once the second finds
    the file of the first.
    """
    text = base64.b64encode(os.urandom(MASTER_KEY_BYTES)) + b"\n"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_new(draft, text)
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        _flush_directory(path.parent)
    except OSError as exc:
        raise _make_refusal(path, f"cannot be made: {_describe(exc)}") from exc
    return True


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # the umask may have taken permissions away
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _flush_directory(path: Path) -> None:
    """Write the directory's entries to disk, so that a new name survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _describe(exc: OSError) -> str:
    return (exc.strerror or type(exc).__name__).lower()


def _make_refusal(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"master key file {path}: {fault}", "master_key_file")
