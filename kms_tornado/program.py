"""The program: from its arguments to its exit code."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import logs, options
from .commands import COMMANDS, find_command, find_unknown_command
from .commands.exit_codes import finish_output, refuse, run_to_exit_code
from .commands.print_config import print_config
from .cores import count_cores
from .errors import ConfigurationError
from .options.result import ParsedOptions
from .streams import fill_missing_streams, find_stdout_failure, name_stdout
from .transport.descriptors import raise_limit
from .web.process.hardening import harden_process
from .wording import format_count

# The server is imported where it is started: that takes most of a second, and --help, --version and
# a mistake in the options need none of it.
if TYPE_CHECKING:
    from .settings.server import Settings
    from .web.process.listening import Sockets
    from .web.process.workers import Worker

log = logging.getLogger("kms_tornado.server")


def run(argv: Sequence[str]) -> int:
    """Run the server or a command, and return the exit code."""
    fill_missing_streams()
    name_stdout()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Users have names that another encoding cannot write, and files names that are not UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run_line(argv)
    except SystemExit as exc:  # --help and --version
        code = exc.code if isinstance(exc.code, int) else 0
    except OSError as exc:
        # As with `| head`: who read our output has seen enough.
        is_read_enough = isinstance(exc, BrokenPipeError) and exc is find_stdout_failure()
        code = 0 if is_read_enough else refuse(exc.strerror or str(exc), 1)
    except KeyboardInterrupt:
        code = refuse("interrupted", 1)
    return finish_output(code)


def _run_line(argv: Sequence[str]) -> int:
    command, rest = find_command(argv)
    if command is not None:
        from .commands.running import run_command

        return run_command(command, rest)
    if (fault := find_unknown_command(argv)) is not None:
        return refuse(fault, 2)
    _await_handlers()
    try:
        parsed = options.parse(argv, os.environ, commands=tuple(COMMANDS.values()))
    except ConfigurationError as exc:
        return refuse(str(exc), 2)
    if parsed.print_config:
        return print_config(parsed, _check_files)
    harden_process()
    raise_limit()
    is_alone = parsed.settings.workers == 1
    logs.configure(
        parsed.settings.log_level, parsed.settings.log_format, worker=None if is_alone else 0
    )
    logs.hold()  # until it is known whether the configuration is refused
    for warning in parsed.warnings:
        log.warning("%s", warning)
    code = _run(parsed) if is_alone else _supervise(parsed)
    if code != 2:
        logs.release()
    return code


def _check_files(settings: Settings) -> None:
    """Raise ConfigurationError for a configured file or key that a start would refuse."""
    from .web.process.server import Server

    Server(settings).check_files()


def _await_handlers() -> None:
    """Until the server or the supervisor handles signals, most of a second later.

    A stop is a clean one at once: nothing was begun that would have to be ended. Nothing has been read that SIGHUP
    would have read again, and it would end us.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _run(
    parsed: ParsedOptions,
    sockets: Sockets | None = None,
    worker: Worker | None = None,
) -> int:
    """Serve in this process, and return its exit code."""
    gc.disable()  # a thousand modules are no garbage, and to look for some takes a tenth of the start
    from .web.process.serving import serve

    gc.enable()
    if worker is not None:
        settings = parsed.settings
        logs.configure(settings.log_level, settings.log_format, worker=worker.number)
        logs.hold()

    def serve_to_the_end() -> int:
        serve(parsed.settings, sockets, worker, on_started=logs.release)
        return 0

    return run_to_exit_code(serve_to_the_end, parsed)


def _supervise(parsed: ParsedOptions) -> int:
    """Supervise workers, which serve, and return the exit code."""
    from .web.process import serving  # noqa: F401  # before the fork: workers share what is loaded
    from .web.process.listening import kmip_address, metrics_url, open_all, server_url
    from .web.process.notify import notify_manager
    from .web.process.workers import Supervisor

    settings = parsed.settings
    try:
        sockets = open_all(settings)
    except ConfigurationError as exc:
        return refuse(options.format_fault(exc, parsed), 2)
    except OSError as exc:
        return refuse(exc.strerror or str(exc), 1)
    count = settings.workers or count_cores()

    def log_start() -> None:
        if sockets.kmip:
            log.info("KMIP over TLS is at %s", kmip_address(settings, sockets.kmip))
        log.info("listening on %s", server_url(settings, sockets.http))
        if sockets.metrics:
            log.info("metrics are at %s", metrics_url(settings, sockets.metrics))
        log.info("%s the port", format_count(count, "worker has", "workers share"))
        notify_manager("READY=1")
        logs.release()

    def close_sockets() -> None:
        notify_manager("STOPPING=1")
        sockets.close_for_all()

    return Supervisor(
        lambda worker: _run(parsed, sockets, worker),
        count=count,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        on_started=log_start,
        on_stopping=close_sockets,
    ).run()
