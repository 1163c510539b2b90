"""The arguments of a command: what follows its name, besides the options, which every command reads.

A command is a row like this, too. The table of commands is elsewhere: options only know how to read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from .kinds import OptionKind, Switch
from .option_value import Faults


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command.

    name: of a flag, without its dashes, or of a positional argument, in capitals as in the usage.
    is_required: for a positional argument.
    default: the value if there is none.
    repeatable: whether its value is a tuple. A positional one is then the command's last.
    short: the short form of a flag, with its dash.
    """

    name: str
    kind: OptionKind
    help: str
    is_positional: bool = False
    is_required: bool = False
    repeatable: bool = False
    default: Any = None
    short: str | None = None

    @property
    def label(self) -> str:
        return self.name if self.is_positional else f"--{self.name}"

    @property
    def field(self) -> str:
        """The key of its value in `ParsedOptions.arguments`."""
        return self.name.lower().replace("-", "_")

    @property
    def usage(self) -> str:
        """The argument as it appears in the usage line."""
        text = self.label
        if not self.is_positional and self.kind.metavar is not None:
            text += f" {self.kind.metavar}"
        text = text if self.is_required else f"[{text}]"
        return f"{text}..." if self.repeatable else text


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    name: its words on the command line.
    module: the module of the package `commands` that runs it.
    checks_tokens: whether it checks tokens, and so needs an issuer, as the server does.
    """

    name: str
    module: str
    summary: str
    arguments: tuple[Argument, ...] = ()
    checks_tokens: bool = False

    @property
    def usage(self) -> str:
        words = [self.name, *(argument.usage for argument in self.arguments), "[option ...]"]
        return " ".join(words)


def assign_words(
    command: Command, words: Sequence[str], faults: Faults
) -> tuple[dict[str, list[str]], Sequence[str]]:
    """({field of a positional argument: its words}, the words that are left over).

    A missing required argument is noted as a fault, unless there are others, which may have consumed it.
    """
    assigned: dict[str, list[str]] = {}
    rest = list(words)
    for argument in command.arguments:
        if not argument.is_positional:
            continue
        count = len(rest) if argument.repeatable else 1
        if rest:
            assigned[argument.field], rest = rest[:count], rest[count:]
        elif argument.is_required and not faults.lines:
            text = f"is missing: kms-tornado {command.usage}"
            faults.add(argument.label, "argument", text)
    return assigned, rest


def convert_arguments(
    command: Command, texts: Mapping[str, Sequence[str]], faults: Faults
) -> dict[str, Any]:
    """{field: value} of every argument of the command. Faults are noted."""
    return {
        argument.field: _convert(argument, texts.get(argument.field, ()), faults)
        for argument in command.arguments
    }


def _convert(argument: Argument, texts: Sequence[str], faults: Faults) -> Any:
    place = "argument" if argument.is_positional else "flag"
    if len(texts) > 1 and not argument.repeatable and not isinstance(argument.kind, Switch):
        faults.add(argument.label, place, "given more than once")
        return argument.default
    values = []
    for text in texts:
        try:
            values.append(argument.kind.from_text(text))
        except ConfigurationError as exc:
            faults.add(argument.label, place, exc.text)
    if argument.repeatable:
        return tuple(values)
    return values[-1] if values else argument.default
