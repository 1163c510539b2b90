"""How the program ends: a line on stderr that says why, and the exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import TextIO

from .. import logs
from ..errors import ConfigurationError, KMSError, Unavailable
from ..options.result import ParsedOptions, format_fault
from ..store.interface.faults import DAMAGED
from ..streams import find_stdout_failure
from ..wording import make_printable

#: What waiting may mend, so that a service manager is to start the server again.
_PASSING = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT),
        errno.ENXIO,  # a named pipe that nobody reads yet
    }
)


def refuse(text: str, code: int) -> int:
    """Print the reason on one line, even if a library's text has several; return the exit code.

    For a refused configuration, nothing else is printed: log lines that were held back are dropped.
    """
    if code != 2:
        logs.release()
    with contextlib.suppress(OSError):  # as on a full disk; the exit code still tells the result
        print(f"kms-tornado: {make_printable(' '.join(text.split()))}", file=sys.stderr)
    return code


def run_to_exit_code(work: Callable[[], int], parsed: ParsedOptions) -> int:
    """Do the work, and return its exit code: 2 for bad configuration, 1 for anything else that failed."""
    try:
        return work()
    except ConfigurationError as exc:
        return refuse(format_fault(exc, parsed), 1 if _may_pass(exc) else 2)
    except OSError as exc:
        return refuse(exc.strerror or str(exc), 1)
    except Unavailable as exc:  # nobody but the operator reads this, so the detail may be told
        text = "the database is damaged" if exc.cause == DAMAGED else str(exc)
        code = 2 if exc.cause == DAMAGED else 1  # waiting does not mend it
        return refuse(f"{text}: {exc.detail}" if exc.detail else text, code)
    except KMSError as exc:
        return refuse(str(exc), 1)
    except BaseException:  # Python reports it
        logs.release()
        raise


def _may_pass(exc: BaseException) -> bool:
    """Whether the reason is that a file could not be read or written just now, as where the disk is full."""
    cause = exc.__cause__
    if isinstance(cause, OSError):
        return cause.errno in _PASSING
    return cause is not None and _may_pass(cause)


def report_lost_output(code: int) -> int:
    """Say that stdout could not be written while a command did its work, if so, and return the exit code.

    `output.say` has printed its findings on stderr. A reader who has seen enough (``| head``) is no failure.
    """
    failure = find_stdout_failure()
    if failure is None or isinstance(failure, BrokenPipeError):
        return code
    text = f"{failure.strerror}; the command did its work, and what it says of it is on stderr"
    return refuse(text, code or 1)


def finish_output(code: int) -> int:
    """Write what stdout still holds, and return the exit code: 1 where that fails, as Python's own would be 120.

    A reader who has seen enough is no failure. What nobody can read on stderr changes no exit code: a service manager
    goes by it.
    """
    try:
        _flush(sys.stdout)
    except BrokenPipeError:
        pass
    except OSError as exc:
        code = refuse(exc.strerror or str(exc), code or 1)
    with contextlib.suppress(OSError):
        _flush(sys.stderr)
    return code


def _flush(stream: TextIO | None) -> None:
    """Raises OSError, and drops what the stream holds: Python would try once more to write it, and complain.

    stream: None where the process was started without one.
    """
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        assert stream is not None
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
