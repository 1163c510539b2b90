"""How a row that something else wrote gets into the log, wherever a read or a commit finds it."""

from __future__ import annotations

from ..interface.changes import Refused
from .tables.row_macs import AlteredRow, log_altered


class _LoggingAlteredRows:
    """Logs an AlteredRow that ends the block, also one among the errors of a Refused. It has no state."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            return
        errors = error.failures.values() if isinstance(error, Refused) else (error,)
        for one in errors:
            if isinstance(one, AlteredRow):
                log_altered(one)


logging_altered_rows = _LoggingAlteredRows()
