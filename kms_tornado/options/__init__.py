"""Options: one table, read from flags, environment and file into `Settings`.

`parse` finds every mistake before it raises ConfigurationError, whose text is the one line to
print: for each mistake the option, where it was set, and what is wrong. It never shows the value
of a secret. Adding an option is one row in `table`, plus its use in `assemble`.

Imports point one way: words → kinds | converters → table → given → flags | file | assemble |
doubts | result → parsing.
"""

from .converters import mask_url
from .kinds import Integer, Kind, Seconds, Switch, Text
from .parsing import parse
from .result import Effective, Parsed, format_effective
from .table import GROUPS, OPTIONS, Option

__all__ = [
    "GROUPS",
    "OPTIONS",
    "Effective",
    "Integer",
    "Kind",
    "Option",
    "Parsed",
    "Seconds",
    "Switch",
    "Text",
    "format_effective",
    "mask_url",
    "parse",
]
