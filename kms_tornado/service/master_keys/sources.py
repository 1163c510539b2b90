"""The sources of the master keys: the environment, files that nobody else can read, or a module (`hsm`).

    value of KMS_MASTER_KEY   base64 of 32 bytes; or several keys with commas between them
    key file                  the same, a key in a line; made on the first start, never afterwards

The first key seals. In a file, "next:" in front of a key says that it does not seal yet, wherever it stands; the
command rotate-master-key writes that. No message repeats anything that was read.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...crypto.material import KeyMaterial
from ...crypto.sealing.envelope import MASTER_KEY_BYTES, MasterKey
from ...errors import ConfigurationError
from ..private_file import UnusableFile, describe_error, make_private_file, read_private_file
from .hsm import is_hsm_uri, load_hsm_key, parse_uri

_log = logging.getLogger(__name__)

#: In front of a key that does not seal yet.
NEXT = "next:"


def load_master_keys(
    *,
    value: str | None,
    files: Sequence[Path],
    default_file: Path,
    may_make: bool,
    is_throw_away: bool = False,
) -> Sequence[MasterKey]:
    """The master keys from the value or the files, if they are set, else from default_file.

    value: of KMS_MASTER_KEY; an empty one counts as not set.
    files: of --master-key-file.
    may_make: whether a missing first file is created. That is right for a new database only: otherwise a new key would
    hide that the old one is lost.
    is_throw_away: whether default_file is removed at the end, so that there is nothing to back up.
    Raises ConfigurationError about master_key or master_key_file.
    """
    if value:
        return parse_master_keys(value)
    path = files[0] if files else default_file
    if may_make and not is_hsm_uri(path) and not os.path.lexists(path):
        is_new = make_key_file(path)
        if is_new and (files or not is_throw_away):
            _log.warning(
                "made a new master key in %s: back it up, apart from the database; "
                "without it no stored key can be used again",
                path,
            )
    lines = [line for file in files or (default_file,) for line in _read_keys(file)]
    keys: dict[bytes, MasterKey] = {}
    for line in sorted(lines, key=lambda line: line.is_next):  # the order among the others stays
        keys.setdefault(line.key.key_id, line.key)
    if all(line.is_next for line in lines):
        raise make_refusal(path, "has no key that seals: every one is marked as the next")
    return tuple(keys.values())


def parse_master_keys(text: str) -> Sequence[MasterKey]:
    """The keys of KMS_MASTER_KEY. Raises ConfigurationError."""
    try:
        return _decode_keys(text.split(","), "key")
    except ValueError as exc:
        raise ConfigurationError(str(exc), "master_key") from None


def _read_keys(file: Path) -> Sequence[KeyLine]:
    """The keys of a source. file: a file, or the URI of a key in a hardware security module."""
    if not is_hsm_uri(file):
        return read_key_file(file)
    key = parse_uri(str(file))
    pin = key.pin
    if key.pin_file is not None:
        pin = _read_private(key.pin_file).decode("utf-8", "replace").removesuffix("\n")
    elif pin is not None:
        _log.warning(
            "the PIN of a PKCS #11 token is in the configuration: put it into a file, with pin-source="
        )
    return [KeyLine(load_hsm_key(key, pin), False)]


class KeyLine(NamedTuple):
    """A line of a key file. is_next: whether the key does not seal yet."""

    key: MasterKey
    is_next: bool


def read_key_file(path: Path) -> Sequence[KeyLine]:
    """The keys of the file, at least one. Raises ConfigurationError, which names the file and the fault."""
    content = _read_private(path)
    try:
        text = content.decode("ascii").removesuffix("\n")
    except UnicodeDecodeError:
        raise make_refusal(path, "is not base64") from None
    try:
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        keys = _decode_keys([line.removeprefix(NEXT) for line in lines], "line")
    except ValueError as exc:
        raise make_refusal(path, str(exc)) from None
    return [KeyLine(key, line.startswith(NEXT)) for key, line in zip(keys, lines, strict=True)]


def _read_private(path: Path) -> bytes:
    """The contents of a private file. Raises ConfigurationError."""
    try:
        return read_private_file(path)
    except UnusableFile as exc:
        raise make_refusal(path, str(exc)) from exc


def _decode_keys(texts: Sequence[str], unit: str) -> Sequence[MasterKey]:
    """The keys that the texts encode. Raises ValueError, which says what is wrong, and with which of several keys."""
    keys = []
    for number, text in enumerate(texts, 1):
        try:
            keys.append(_decode_key(text))
        except ValueError as exc:
            raise ValueError(f"{unit} {number} {exc}" if len(texts) > 1 else str(exc)) from None
    return keys


def _decode_key(text: str) -> MasterKey:
    """The key that a text encodes. Each key has exactly one spelling. Raises ValueError, which says what is wrong."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes, and a master key has {MASTER_KEY_BYTES}")
    if base64.b64encode(key).decode("ascii") != text:
        raise ValueError("is not canonical base64")
    return MasterKey(KeyMaterial(key))


def make_key_file(path: Path) -> bool:
    """Create the file with a new random key; False where another process has just created it."""
    try:
        return make_private_file(path, make_key_line())
    except OSError as exc:
        raise make_refusal(path, f"cannot be made: {describe_error(exc)}") from exc


def make_key_line() -> bytes:
    """A new random key as a line of a key file."""
    return base64.b64encode(os.urandom(MASTER_KEY_BYTES)) + b"\n"


def make_refusal(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"master key file {path}: {fault}", "master_key_file")
