"""DenyFile: the deny list in a file, which is read again when it changes.

A file in a bad state lets nobody in. If it cannot be read, the list stays as it was; if a line is malformed,
everything that was denied before stays denied. So it does until the file stands still: one that is written anew in its
place is empty for a moment.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from ..errors import ConfigurationError
from ..wording import format_count
from .deny_list import MAX_DENY_FILE_BYTES, NOBODY, DenyList, parse_deny_list
from .regular_file import read_regular_file

log = logging.getLogger("kms_tornado.auth")

#: A file system may round times to a second or two: a file that was just written may be written again, and look the
#: same.
_CLOCK_STEP_S = 3.0
#: How long the file has to stay as it is until what it no longer has comes off the list.
_SETTLED_S = 2.0
_MOST_TOLD = 5  # lines in one message


class DenyFile:
    """Keeps the deny list of one file.

    list: the deny list as of the last `look`.
    `load` and `look` may block for as long as the disk does.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.list = NOBODY
        self._path = path
        self._clock = clock
        #: What the file had when it was read last without a fault, and since when.
        self._contents = NOBODY
        self._since = 0.0
        self._seen: tuple[int, ...] | None = None
        self._problem: str | None = None

    def load(self) -> None:
        """Read the file for the first time.

        Raises ConfigurationError if it cannot be read: without the list, nobody knows who is denied.
        """
        try:
            self.list = self._read() or NOBODY
        except (OSError, ValueError) as exc:
            raise ConfigurationError(
                f"cannot read {self._path}: {_explain(exc)}", "deny_file"
            ) from None
        if self.list.faults:
            raise ConfigurationError(f"{self._path}: {_name_faults(self.list)}", "deny_file")
        self._contents = self.list

    def look(self) -> None:
        """Read the file again if it may have changed. A fault in it is logged once."""
        try:
            new = self._read()
        except (OSError, ValueError) as exc:
            self._seen = None
            text = f"cannot read {self._path}: {_explain(exc)}"
            self._note(f"{text}; the list that was read last stays in force")
        else:
            if new is not None:
                self._take(new)
            if self._problem is None and self._clock() - self._since >= _SETTLED_S:
                self.list = self._contents

    def _read(self) -> DenyList | None:
        """The contents; None where the file is still the one that was read last. Raises OSError, ValueError."""
        version = _describe(os.stat(self._path))
        if version == self._seen:
            return None
        contents = parse_deny_list(read_regular_file(self._path, MAX_DENY_FILE_BYTES))
        self._seen = version if time.time() - version[-1] / 1e9 > _CLOCK_STEP_S else None
        return contents

    def _take(self, new: DenyList) -> None:
        self.list = DenyList(self.list.entries | new.entries)
        if not new.faults:
            if new != self._contents or self._problem is not None:
                log.info(
                    "deny list %s: %s",
                    self._path,
                    format_count(len(new.entries), "entry", "entries"),
                )
                self._contents, self._problem, self._since = new, None, self._clock()
            return
        self._note(f"{self._path}: {_name_faults(new)}; what was denied before stays denied, too")

    def _note(self, problem: str) -> None:
        if problem != self._problem:
            log.error("deny list: %s", problem)
        self._problem = problem


def _describe(stat: os.stat_result) -> tuple[int, ...]:
    """A value that changes when the file is written or replaced.

    Its last part is the modification time in nanoseconds.
    """
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns, stat.st_mtime_ns


def _name_faults(contents: DenyList) -> str:
    more = len(contents.faults) - _MOST_TOLD
    return "; ".join([*contents.faults[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or "input/output error"
    return "the file name is not valid"
