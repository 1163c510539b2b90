"""Option: what one row of the table of options says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from .kinds import OptionKind


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    default: in the file's form; None where the option is not set by default.
    unset: what --print-config shows in that case.
    setting: the field that it fills, if that is not its name with underscores; see `field`.
    collect: the collection for the values of a repeatable option.
    separator: between entries in the environment.
    is_flag and in_file: False if the option cannot come from that source.
    mask: hides what is secret in a value that is shown.
    may_be_single: for a repeatable option that may be a string in the file, because it was not always repeatable.
    credential: the name of the file in $CREDENTIALS_DIRECTORY that the option names by default.
    """

    name: str
    kind: OptionKind
    help: str
    default: Any = None
    unset: str = "none"
    setting: str = ""
    repeatable: bool = False
    collect: Callable[[Iterable[Any]], Collection[Any]] = tuple
    separator: str = ","
    short: str | None = None
    is_flag: bool = True
    in_file: bool = True
    mask: Callable[[str], str] | None = None
    may_be_single: bool = False
    credential: str | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return "KMS_" + self.name.upper().replace("-", "_")

    @property
    def field(self) -> str:
        """The field that the option fills, in Settings or a class that is a part of it."""
        return self.setting or self.name.replace("-", "_")

    @property
    def needs_entry(self) -> bool:
        """Whether an empty list would be none of its values: those of a repeatable option with a default."""
        return self.default is not None

    @property
    def label(self) -> str:
        """The option's name in the texts of faults."""
        return self.flag if self.is_flag else self.variable
