"""The command line: ConfigArgParse splits it into flags and writes the help.

ConfigArgParse would merge environment and file by writing them as flags in front of the real ones,
which loses TOML's types and the place that a value came from. So it gets neither of them, and knows
their names for the help alone. No other module imports ConfigArgParse.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import Any

import configargparse

from .. import __version__
from ..errors import ConfigurationError
from ..wording import cut, quote, suggest
from .converters import mask_url
from .kinds import Switch
from .option_value import Faults
from .table import GROUPS, OPTIONS, Option, find_closest_option


def read_flags(argv: Sequence[str], faults: Faults) -> tuple[dict[str, list[str]], bool]:
    """{option: its texts}, and whether --print-config is there."""
    try:
        # No file and no variables: see the top of this module.
        namespace, rest = _make_parser().parse_known_args(
            list(argv), config_file_contents="", env_vars={}
        )
    except argparse.ArgumentError as exc:
        # What follows on the command line cannot be told apart, so this fault is reported alone.
        flag = (exc.argument_name or "command line").rpartition("/")[2]
        text = {"expected one argument": "needs a value"}.get(exc.message, "takes no value")
        raise ConfigurationError(f"{flag} (flag): {text}") from None
    _note_unknown_flags(rest, faults)
    texts = {o.name: getattr(namespace, o.name.replace("-", "_")) for o in OPTIONS if o.is_flag}
    return {name: values for name, values in texts.items() if values}, namespace.print_config


def _make_parser() -> Any:
    parser = configargparse.ArgumentParser(
        prog="kms-tornado",
        usage="%(prog)s [option ...]\n       %(prog)s health [--ready] [option ...]",
        description="A key management server: KMIP 2.1 over JSON, JWT bearer authentication.",
        epilog="`kms-tornado health` asks the server of the same configuration whether it lives, with "
        "--ready whether it can serve; exit code 0: yes, 1: no. An empty environment variable "
        "counts as not set. Switches take true, false, 1 or 0 there. Options marked (repeatable) are "
        "comma-separated there and lists in the file.",
        allow_abbrev=False,  # the next option could make an abbreviation ambiguous
        exit_on_error=False,
        config_file_parser_class=configargparse.TomlConfigParser(["kms"]),
        formatter_class=lambda prog: _Help(prog, max_help_position=30),
    )
    for title, options in GROUPS:
        group = parser.add_argument_group(title)
        for option in options:
            if option.is_flag:
                _add_flag(group, option)
    instead = parser.add_argument_group("instead of serving")
    instead.add_argument(
        "--print-config",
        action="store_true",
        help="check the configuration, print it with the source of each value, and exit",
    )
    instead.add_argument(
        "--version", action="version", version=f"kms-tornado {__version__}", help="name and version"
    )
    return parser


def _add_flag(group: Any, option: Option) -> None:
    names = [name for name in (option.short, option.flag) if name]
    text = option.help + (" (repeatable)" if option.repeatable else "")
    if isinstance(option.kind, Switch):
        group.add_argument(
            *names, action="store_const", const=["true"], env_var=option.variable, help=text
        )
        return
    if option.default is not None:
        default = " ".join(option.default) if option.repeatable else option.default
        text += f" (default: {default})"
    group.add_argument(
        *names,
        action=_Append,
        metavar=option.kind.metavar,
        env_var=option.variable,
        is_config_file_arg=option.name == "config",
        help=text.replace("%", "%%"),
    )


class _Append(argparse._StoreAction):
    """Keeps every value of a flag. A store action, because ConfigArgParse demands one for --config."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])


class _Help(argparse.HelpFormatter):
    """Help whose lines break at spaces only, because the hyphens in it are parts of names."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def _note_unknown_flags(rest: Sequence[str], faults: Faults) -> None:
    follows_unknown = False
    for word in rest:
        name, equals, _ = word.partition("=")
        if len(word) > 1 and word.startswith("-"):
            meant = find_closest_option(name.lstrip("-"))
            text = f"unknown option{suggest(meant, '--')}"
            faults.add(cut(name), "flag", text, *meant)
            follows_unknown = not equals
        elif follows_unknown:  # its value, which may be a secret
            follows_unknown = False
        else:
            text = "belongs to no option; is a quote missing?"
            faults.add(quote(mask_url(word)), "flag", text)
