"""Options: one table, read from flags, environment and file into `Settings`.

`parse` finds every fault before it raises ConfigurationError, whose text is the one line to
print: for each fault the option, where it was set, and what is wrong. It never shows the value
of a secret. A new option is one row in a module of `groups`, the field of `settings` that it fills, and its use.

Imports point one way: kinds | converters → option → groups → table → option_value → arguments | issuer_tables →
issuers → flags | file | assemble | warnings | result → parsing.
"""

from .arguments import Argument, Command
from .converters import mask_url
from .kinds import Integer, OptionKind, Seconds, Switch, Text
from .option import Option
from .parsing import parse
from .result import EffectiveOption, ParsedOptions, format_effective, format_fault
from .table import GROUPS, OPTIONS

__all__ = [
    "GROUPS",
    "OPTIONS",
    "Argument",
    "Command",
    "EffectiveOption",
    "Integer",
    "Option",
    "OptionKind",
    "ParsedOptions",
    "Seconds",
    "Switch",
    "Text",
    "format_effective",
    "format_fault",
    "mask_url",
    "parse",
]
