"""The order of sources: flag, environment, file, default, each option as a whole.

The file is checked whole, overridden keys too; a variable that is overridden is not looked at,
because the environment is shared (Kubernetes sets KMS_PORT for a service named "kms").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ConfigurationError
from .assemble import assemble
from .file import read_file
from .flags import read_flags
from .option_value import Given, Mistakes, convert, default
from .result import Parsed, effective
from .table import BY_NAME, OPTIONS, Option
from .warnings import doubts, unknown_variables


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Parsed:
    """Read the command line (without the program's name), the environment and the file they name.

    --help and --version print and raise SystemExit(0), as with argparse.
    Raises ConfigurationError, which names every mistake in one line.
    """
    mistakes = Mistakes()
    flags, print_config = read_flags(argv, mistakes)
    # Without the line end that a secrets file may bring. Spaces alone are set, and a mistake.
    variables = {o.name: environ[o.variable].strip() for o in OPTIONS if environ.get(o.variable)}

    def choose(option: Option, file: Mapping[str, Given]) -> Given:
        if option.name in flags:
            return convert(option, flags[option.name], "flag", "flag", mistakes)
        if option.name in variables:
            place = f"environment {option.variable}" if option.is_flag else "environment"
            return convert(option, variables[option.name], "environment", place, mistakes)
        return file[option.name] if option.name in file else default(option)

    config = choose(BY_NAME["config"], {})
    if "config" in mistakes.names:
        mistakes.names.update(BY_NAME)  # any of them may be in the file
    file = {} if config.value is None else read_file(config, mistakes)
    given = {o.name: config if o.name == "config" else choose(o, file) for o in OPTIONS}
    settings = assemble(given, mistakes)
    if settings is None or mistakes.texts:
        raise ConfigurationError("; ".join(mistakes.texts))
    return Parsed(
        settings=settings,
        effective=tuple(effective(option, given, settings) for option in OPTIONS),
        warnings=(*unknown_variables(environ), *doubts(settings, given)),
        print_config=print_config,
    )
