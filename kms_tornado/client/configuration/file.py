"""The configuration file: where it is looked for, and the check that nobody else decides where secrets are sent."""

from __future__ import annotations

import os
import shlex
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import ConfigurationError
from ..private_files import (
    check_unwritable,
    describe_readable,
    is_readable,
    read_regular_file,
    user_directory,
)
from .configuration import Configuration, override, parse_configuration

FILE_NAME = "kmsctl.toml"

#: Where cKMS's administrators put a file for every user.
CKMS_SYSTEM_FILE = Path("/etc/cosmian/ckms.toml")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that is to be read. named_by: the flag or variable; None for a default file, which may be missing."""

    path: Path
    named_by: str | None = None


def default_file() -> Path:
    """The file that `kmsctl configure` writes unless told otherwise."""
    return user_directory() / FILE_NAME


def find_configuration_file(
    environ: Mapping[str, str], conf_file: Path | None = None
) -> NamedFile | None:
    """The first file of the search order that is named or exists; None where there is none.

    conf_file: the value of --conf.
    If the user's own default file is unreadable, reading it raises an error; the file for the whole machine is ignored
    by users who may not read it.
    """
    if conf_file is not None:
        return NamedFile(conf_file, "--conf")
    if own := environ.get("KMSCTL_CONF"):
        return NamedFile(Path(own), "KMSCTL_CONF")
    if os.path.exists(default_file()):
        return NamedFile(default_file())
    if ckms := environ.get("CKMS_CONF"):
        return NamedFile(Path(ckms), "CKMS_CONF")
    ckms_default = user_directory().parent / ".cosmian" / "ckms.toml"
    if os.path.exists(ckms_default):
        return NamedFile(ckms_default)
    return NamedFile(CKMS_SYSTEM_FILE) if os.access(CKMS_SYSTEM_FILE, os.R_OK) else None


def read_configuration(file: NamedFile) -> Configuration:
    """Raises ConfigurationError, one line that says what to do."""
    return read_text(file)[1]


def read_text(file: NamedFile) -> tuple[str, Configuration]:
    """The text of the file, and what it says. Raises ConfigurationError."""
    path = file.path
    try:
        data, status = read_regular_file(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{file.named_by or path} names a file that does not exist: {path}"
        ) from None
    if status.st_mode & stat.S_IWOTH:
        # Whoever changes server_url or token_url is sent the tokens.
        raise ConfigurationError(
            f"everybody may change {path}: run chmod o-w {shlex.quote(str(path))}"
        )
    try:
        text = data.decode("utf-8-sig")  # editors of Windows put a byte order mark in front
    except UnicodeDecodeError as exc:
        raise ConfigurationError(
            f"{path} is not UTF-8 at byte {exc.start}: is it a TOML file?"
        ) from None
    configuration = parse_configuration(text, str(path))
    if not configuration.has_secret:
        return text, configuration
    check_unwritable(path, status)
    if is_readable(status):
        # No refusal: ckms writes its file so, and what others may have read is not taken back by one.
        warning = describe_readable(path)
        configuration = replace(configuration, warnings=(*configuration.warnings, warning))
    return text, configuration


def load_configuration(
    environ: Mapping[str, str], *, conf_file: Path | None = None, server_url: str | None = None
) -> Configuration:
    """The configuration of this run: the file, over it the environment, over both the flags.

    conf_file, server_url: the values of --conf and --url. The user is warned about what they should know.
    """
    file = find_configuration_file(environ, conf_file)
    configuration = Configuration() if file is None else read_configuration(file)
    for text in configuration.warnings:
        warnings.warn(text, UserWarning, stacklevel=2)
    return override(configuration, environ, server_url=server_url)
