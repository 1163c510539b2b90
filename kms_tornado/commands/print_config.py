"""--print-config: checks the configuration, prints it, and starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigurationError
from ..options import format_effective, format_fault
from ..options.result import ParsedOptions
from ..settings.server import Settings
from .exit_codes import refuse

_URL = "database-url"


def print_config(
    parsed: ParsedOptions, check_files: Callable[[Settings], None] | None = None
) -> int:
    """Print the effective configuration, and return the exit code: 2 where a start would refuse it.

    check_files: raises ConfigurationError for a file that the server would refuse; None for a command, whose user need
    not be able to read them.
    """
    try:
        _check_database_url(parsed)
        if check_files is not None:
            check_files(parsed.settings)
    except ConfigurationError as exc:
        return refuse(format_fault(exc, parsed), 2)
    print(format_effective(parsed), end="")
    return 0


def _check_database_url(parsed: ParsedOptions) -> None:
    """Raises ConfigurationError. The default needs no look: what would take it loads for a third of a second."""
    if all(option.source == "default" for option in parsed.effective if option.name == _URL):
        return
    from ..store.opening import open_store

    service = parsed.settings.service
    # It opens nothing before it is started.
    open_store(service.database_url, service.data_dir or Path())
