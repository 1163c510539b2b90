"""The command line: ConfigArgParse splits it into flags and writes the help.

ConfigArgParse would merge environment and file by writing them as flags in front of the real ones,
which loses TOML's types and the place that a value came from. So it gets neither of them, and knows
their names for the help alone. No other module imports ConfigArgParse.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import configargparse

from .. import __version__
from ..errors import ConfigurationError
from ..redaction import mask_tokens
from ..wording import cut, find_closest, quote, suggest
from .arguments import Argument, Command, assign_words
from .converters import mask_url
from .kinds import Switch
from .option import Option
from .option_value import Faults
from .table import GROUPS, OPTIONS, find_closest_option

_DESCRIPTION = "A key management server: KMIP 2.1 over JSON, JWT bearer authentication."
_EPILOG = (
    "An empty environment variable counts as not set. Switches take true, false, 1 or 0 there. Options "
    "marked (repeatable) are comma-separated there and lists in the file."
)
#: Flags that are no options of the table.
_INSTEAD = ("help", "version", "print-config")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What was found on the command line.

    texts: {option: its texts}.
    arguments: {field: its texts} of the command's arguments.
    """

    texts: dict[str, list[str]]
    arguments: dict[str, list[str]]
    print_config: bool


def read_flags(
    argv: Sequence[str],
    faults: Faults,
    command: Command | None = None,
    commands: Sequence[Command] = (),
) -> CommandLine:
    """Read the part of the command line after the command's name. commands: those that the help names."""
    try:
        # No file and no variables: see the top of this module.
        namespace, rest = _make_parser(command, commands).parse_known_args(
            list(argv), config_file_contents="", env_vars={}
        )
    except argparse.ArgumentError as exc:
        # What follows on the command line cannot be told apart, so this fault is reported alone.
        flag = (exc.argument_name or "command line").rpartition("/")[2]
        text = {"expected one argument": "needs a value"}.get(exc.message, "takes no value")
        raise ConfigurationError(f"{flag} (flag): {text}") from None
    words: Sequence[str] = _find_words(rest, faults)
    arguments: dict[str, list[str]] = {}
    if command is not None:
        arguments, words = assign_words(command, words, faults)
        for argument in command.arguments:
            if not argument.is_positional and (texts := getattr(namespace, _dest(argument))):
                arguments[argument.field] = texts
    names = {one.name.partition(" ")[0] for one in commands}
    if words and words[0] in names:
        faults.add(quote(words[0]), "flag", "a command stands before all options")
        words = ()
    for word in words:
        hidden = mask_url(mask_tokens(word))
        faults.add(quote(hidden), "flag", "belongs to no option; is a quote missing?")
    texts = {o.name: getattr(namespace, o.name.replace("-", "_")) for o in OPTIONS if o.is_flag}
    texts = {name: values for name, values in texts.items() if values}
    return CommandLine(texts, arguments, namespace.print_config)


class _Parser(configargparse.ArgumentParser):  # type: ignore[misc]
    def _print_message(self, message: str, file: TextIO | None = None) -> None:
        """Print help or version. argparse passes over a file that cannot be written."""
        (file or sys.stdout).write(message)


def _make_parser(command: Command | None, commands: Sequence[Command]) -> Any:
    usage = "%(prog)s [option ...]"
    if command is not None:
        usage = f"%(prog)s {command.usage}"
    elif commands:
        usage += "\n       %(prog)s COMMAND [argument ...] [option ...]"
    parser = _Parser(
        prog="kms-tornado",
        usage=usage,
        description=command.summary if command else _DESCRIPTION,
        epilog="\n".join([*_list_commands(commands), _EPILOG]),
        allow_abbrev=False,  # the next option could make an abbreviation ambiguous
        exit_on_error=False,
        config_file_parser_class=configargparse.TomlConfigParser(["kms"]),
        formatter_class=lambda prog: _Help(prog, max_help_position=30),
    )
    if command is not None:
        _add_arguments(parser, command)
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


def _list_commands(commands: Sequence[Command]) -> list[str]:
    """Lines for the help. A command's own help lists its arguments."""
    if not commands:
        return []
    lines = [f"  {command.name}: {command.summary}" for command in commands]
    return ["commands, which read the same options (COMMAND --help tells more):", *lines, ""]


def _add_arguments(parser: Any, command: Command) -> None:
    """Declare the arguments. Positional ones are found among the words that are left over.

    argparse would treat them as present although they are not, if an option comes first.
    """
    positional = [argument for argument in command.arguments if argument.is_positional]
    description = "; ".join(f"{argument.label}: {argument.help}" for argument in positional)
    if not command.arguments:
        return
    group = parser.add_argument_group("arguments", description or None)
    for argument in command.arguments:
        if argument.is_positional:
            continue
        text = argument.help + (" (repeatable)" if argument.repeatable else "")
        is_switch = isinstance(argument.kind, Switch)
        how: dict[str, Any] = (
            {"action": "store_const", "const": ["true"]}
            if is_switch
            else {"action": _Append, "metavar": argument.kind.metavar}
        )
        names = [name for name in (argument.short, argument.label) if name]
        group.add_argument(*names, dest=_dest(argument), help=text.replace("%", "%%"), **how)


def _dest(argument: Argument) -> str:
    return f"argument {argument.field}"


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
        text += f" (default: {str(default).lower() if isinstance(default, bool) else default})"
    group.add_argument(
        *names,
        action=_Append,
        metavar=option.kind.metavar,
        env_var=option.variable,
        is_config_file_arg=option.name == "config",
        help=text.replace("%", "%%"),
    )


class _Append(argparse._StoreAction):
    """Collects every value of a flag. It is a store action because ConfigArgParse demands one for --config."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])


class _Help(argparse.HelpFormatter):
    """Help whose lines break only at spaces, because the hyphens in it are parts of names."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """The lines of the text, each of them wrapped."""
        lines = [
            textwrap.fill(line, width, break_on_hyphens=False, subsequent_indent="    ")
            if line.startswith(" ")
            else textwrap.fill(line, width, break_on_hyphens=False)
            for line in text.split("\n")
        ]
        return textwrap.indent("\n".join(lines), indent)


def _find_words(rest: Sequence[str], faults: Faults) -> list[str]:
    """The words that are neither flags nor values of unknown flags; the latter are noted as faults."""
    words = []
    follows_unknown = False
    for word in rest:
        name, equals, _ = word.partition("=")
        if len(word) > 1 and word.startswith("-"):
            meant = find_closest_option(name.lstrip("-"))
            hint = find_closest(name.lstrip("-").lower(), _INSTEAD) or meant
            text = f"unknown option{suggest(hint, '--')}"
            faults.add(cut(name), "flag", text, *meant)
            follows_unknown = not equals
        elif follows_unknown:  # its value, which may be a secret
            follows_unknown = False
        else:
            words.append(word)
    return words
