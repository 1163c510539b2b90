"""The anchor: the newest checkpoint in a file apart from the database.

It shows if an older database was put in place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...audit.checkpoint import Checkpoint, read_checkpoint
from ...audit.parsing import MalformedRecord, parse_object
from ...errors import ConfigurationError
from ..private_file import replace_private_file

_log = logging.getLogger(__name__)

ANCHOR_FILE = "audit-anchor.json"
# The largest size of the file: a line with a hundred thousand chains.
_MOST_BYTES = 16 * 1024 * 1024


class Anchor(NamedTuple):
    """A checkpoint that was kept outside of the database.

    path: of the anchor's file. line: the line of the checkpoint.
    """

    path: Path
    line: str
    checkpoint: Checkpoint


class AnchorFile:
    """A server's anchor: beside the master key if the server can write there, else in the data directory.

    An operator should have it where a restore of the database does not reach.
    """

    def __init__(self, master_key_files: Sequence[Path], data_dir: Path) -> None:
        # A key in a hardware security module is named by a URI, beside which nothing stands.
        files = [file for file in master_key_files[:1] if not str(file).startswith("pkcs11:")]
        places = [file.parent for file in files]
        self._paths = tuple(place / ANCHOR_FILE for place in (*places, data_dir))
        #: Why it could not be written, in fixed words; None where it was.
        self.fault: str | None = None

    def read(self) -> Anchor | None:
        """The anchor with the highest number; None where there is none. Raises ConfigurationError."""
        anchors = [anchor for path in self._paths if (anchor := _read(path)) is not None]
        return max(anchors, key=lambda anchor: anchor.checkpoint.number, default=None)

    def read_again(self) -> Anchor | None:
        """As `read`, for a server that serves: None also if the anchor cannot be read, because it is then made anew."""
        try:
            return self.read()
        except ConfigurationError:
            return None

    def write(self, line: str, number: int) -> None:
        """Keep the line of a checkpoint, if its number is higher than that of the one before. Raises nothing."""
        known = self.read_again()
        if known is not None and known.checkpoint.number >= number:
            return
        errors = []
        for path in self._paths:
            try:
                replace_private_file(path, line.encode() + b"\n")
            except OSError as exc:
                errors.append(f"{path}: {(exc.strerror or type(exc).__name__).lower()}")
                continue
            self._note(None)
            return
        self._note("; ".join(errors))

    def _note(self, fault: str | None) -> None:
        if fault is not None and self.fault is None:
            _log.error("the audit's anchor cannot be written: %s", fault)
        elif fault is None and self.fault is not None:
            _log.warning("the audit's anchor is written again")
        self.fault = fault


def _read(path: Path) -> Anchor | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _refusal(path, (exc.strerror or type(exc).__name__).lower()) from exc
    with os.fdopen(descriptor, "rb") as file:
        try:
            line = file.read(_MOST_BYTES).removesuffix(b"\n")
            return Anchor(path, line.decode(), read_checkpoint(parse_object(line)))
        except (OSError, UnicodeDecodeError, MalformedRecord):
            raise _refusal(path, "is no checkpoint") from None


def _refusal(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the audit's anchor {path}: {fault}; put it back, or remove it if you know that the database is the "
        "newest one"
    )
