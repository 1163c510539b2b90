"""The order of sources: flag, environment, file, credential, default, each option as a whole.

The file is checked as a whole, overridden keys included. A variable that is overridden is not looked at,
because the environment is shared (Kubernetes sets KMS_PORT for a service named "kms").
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ConfigurationError
from .arguments import Command, convert_arguments
from .assemble import assemble
from .file import read_file
from .flags import read_flags
from .option import Option
from .option_value import Faults, OptionValue, convert, make_default
from .result import ParsedOptions, make_effective
from .table import BY_NAME, OPTIONS
from .warnings import find_unknown_variables, find_warnings


def parse(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    command: Command | None = None,
    commands: Sequence[Command] = (),
) -> ParsedOptions:
    """Read the command line, the environment and the file that these name.

    argv: what follows the program's name and the command's, if there is one. commands: for the help.
    --help and --version print and raise SystemExit(0), as with argparse. Raises ConfigurationError, which names every
    fault in one line.
    """
    faults = Faults()
    line = read_flags(argv, faults, command, commands)
    arguments = convert_arguments(command, line.arguments, faults) if command else {}
    sources = _Sources(line.texts, environ, faults)
    config = sources.choose(BY_NAME["config"], {})
    if "config" in faults.unusable:
        faults.unusable.update(BY_NAME)  # any of them may be in the file
    file, tables = ({}, ()) if config.value is None else read_file(config, faults)
    values = {o.name: config if o.name == "config" else sources.choose(o, file) for o in OPTIONS}
    checks_tokens = command is None or command.checks_tokens
    settings = assemble(values, tables, faults, checks_tokens=checks_tokens)
    if settings is None or faults.lines:
        raise ConfigurationError("; ".join(faults.lines))
    return ParsedOptions(
        settings=settings,
        effective=tuple(make_effective(option, values, settings) for option in OPTIONS),
        issuer_tables=tables,
        warnings=(*find_unknown_variables(environ), *find_warnings(settings, values)),
        print_config=line.print_config,
        arguments=arguments,
    )


class _Sources:
    """Where the values of options come from, but for the file."""

    def __init__(
        self,
        flags: Mapping[str, list[str]],
        environ: Mapping[str, str],
        faults: Faults,
    ) -> None:
        """flags: by the option's name. faults: takes what cannot be converted."""
        self._flags = flags
        self._environ = environ
        self._faults = faults
        # Stripped of the line end that a secrets file may bring. Spaces alone count as set, and as a fault.
        self._variables = {
            option.name: environ[option.variable].strip()
            for option in OPTIONS
            if environ.get(option.variable)
        }

    def choose(self, option: Option, file: Mapping[str, OptionValue]) -> OptionValue:
        """The value of the first source that has the option. file: what the file has, by the option's name."""
        name, faults = option.name, self._faults
        if name in self._flags:
            return convert(option, self._flags[name], "flag", "flag", faults)
        if name in self._variables:
            place = f"environment {option.variable}" if option.is_flag else "environment"
            return convert(option, self._variables[name], "environment", place, faults)
        if name in file:
            return file[name]
        path = find_credential(option, self._environ)
        if path is not None and "master-key" not in self._variables:
            return convert(option, path, "credential", f"credential {option.credential}", faults)
        return make_default(option)


def find_credential(option: Option, environ: Mapping[str, str]) -> str | None:
    """The path of the file that the service manager passes for the option, if it does so (systemd.exec(5))."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or option.credential is None:
        return None
    path = Path(directory) / option.credential
    return str(path) if os.path.lexists(path) else None
