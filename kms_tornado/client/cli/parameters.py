"""The kinds of values that options take: names of KMIP's enumerations, bytes in hexadecimal, input files."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Any

import click
from click.shell_completion import CompletionItem


class KMIPName(click.ParamType):  # type: ignore[type-arg]
    """A value of one of KMIP's enumerations, by its name in any spelling: SHA-256, sha256.

    enumeration: the name of its class in `kmip.enums`, which is imported when a value is given.
    suffix: the end of the names, which people leave out, as in ckms: public-key for PublicKeyLink.
    """

    def __init__(self, enumeration: str, *, suffix: str = "") -> None:
        self.name = enumeration
        self.enumeration = enumeration
        self.suffix = suffix

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> IntEnum:
        if isinstance(value, IntEnum):
            return value
        from ...kmip import enums
        from ...kmip.tables import ENUMERATIONS

        table = ENUMERATIONS[self.enumeration]
        number = table.number(value)
        if number is None and self.suffix:
            number = table.number(value + self.suffix)
        if number is None:
            self.fail(f"{value!r} is none: {_advice(value, list(table.cosmian.values()))}")
        try:
            member: IntEnum = getattr(enums, self.enumeration)(number)
        except ValueError:
            self.fail(f"{value!r} is known to KMIP and not to this program")
        return member

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from ...kmip.tables import ENUMERATIONS

        names = ENUMERATIONS[self.enumeration].cosmian.values()
        return [
            CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())
        ]


def _advice(value: str, names: list[str]) -> str:
    """All the names if there are few, else those with a similar spelling."""
    from difflib import get_close_matches

    by_lower_case = {name.lower(): name for name in names}
    close = get_close_matches(value.lower(), by_lower_case, n=3)
    if len(names) > _FEW and close:
        return f"did you mean {' or '.join(by_lower_case[name] for name in close)}?"
    return f"the values are {', '.join(names)}"


#: How many names fit on a line or two.
_FEW = 12


class NewName(click.ParamType):  # type: ignore[type-arg]
    """A name for a new object. It must not be empty, which is never meant."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("it is empty: is a variable of the shell not set?", param, ctx)
        return str(value)


class WholeNumber(click.IntRange):
    """click's, which calls what is none "no valid integer range"."""

    name = "whole number"


class InputFile(click.File):
    """click's, but that a file which cannot be opened is refused as one that cannot be read is, and is no wrong usage."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> IO[Any]:
        """Raises OSError."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as exc:
            if isinstance(exc.__context__, OSError):
                raise exc.__context__ from None
            raise


class HexBytes(click.ParamType):  # type: ignore[type-arg]
    """Bytes in hexadecimal, as in ckms."""

    name = "hex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return bytes.fromhex(value)
        except ValueError:
            self.fail("an even number of hexadecimal digits is needed")
