"""Runs one command: reads its options, sets up the log, and ends with an exit code."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import logs, options
from ..errors import ConfigurationError
from ..options.result import ParsedOptions
from ..settings.server import Settings
from ..streams import find_stdout_failure
from ..web.process.hardening import harden_process
from .exit_codes import refuse, report_lost_output, run_to_exit_code
from .print_config import print_config


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command receives: the configuration of the server, and the command's own arguments."""

    parsed: ParsedOptions

    @property
    def settings(self) -> Settings:
        return self.parsed.settings

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments as {field: value}, see `options.Argument`."""
        return self.parsed.arguments


def run_command(command: options.Command, argv: Sequence[str]) -> int:
    """Run the command, and return its exit code. argv: the words after its name.

    Its findings are printed on stdout; a failure is one line on stderr, after warnings in the log.
    """
    try:
        parsed = options.parse(argv, os.environ, command=command)
    except ConfigurationError as exc:
        return refuse(str(exc), 2)
    if parsed.print_config:
        return print_config(parsed)
    harden_process()  # a command may hold the master key, as the server does
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it leaves nothing half done behind
    logs.configure("warning", parsed.settings.log_format)
    module = importlib.import_module(f".{command.module}", __package__)

    def run_to_the_end() -> int:
        try:
            code: int = asyncio.run(module.run(CommandContext(parsed)))
        except BrokenPipeError as exc:  # as with `| head`: who read our output has seen enough
            if exc is not find_stdout_failure():
                raise
            return 0
        return report_lost_output(code)

    try:
        return run_to_exit_code(run_to_the_end, parsed)
    except KeyboardInterrupt:
        return refuse("interrupted", 1)
