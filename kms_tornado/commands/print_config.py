"""--print-config: checks the configuration, prints it, and starts nothing."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..options import format_effective, format_fault
from ..options.result import ParsedOptions
from .exit_codes import refuse


def print_config(parsed: ParsedOptions) -> int:
    """Print the effective configuration, and return the exit code: 2 where a start would refuse the database's URL."""
    from ..store.opening import open_store  # not needed for --help and mistakes, and takes its time

    service = parsed.settings.service
    try:
        # It opens nothing before it is started.
        open_store(service.database_url, service.data_dir or Path())
    except ConfigurationError as exc:
        return refuse(format_fault(exc, parsed), 2)
    print(format_effective(parsed), end="")
    return 0
