"""What the commands print: tables on a terminal, bare values in a pipe, one JSON document for `--json`.

A terminal gets headings, colours and local times. A pipe gets values alone, one row a line, columns
separated by tabs, lists by commas, times in UTC. What comes from a server is printed with control
characters made visible: a Name must not drive the terminal of whoever lists it.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import click

from .session import Session
from .terminal_text import make_visible

Cell = str | int | bool | datetime | Sequence[str] | None


@contextmanager
def printing(*identifiers: str) -> Iterator[None]:
    """Print on stdout; a reader who may leave (``| head``) changes no exit code, as all that was to do is done.

    identifiers: of new objects, which nobody else knows. They are told on stderr where stdout cannot be written, as
    on a full disk. Raises OSError then.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError:
        if identifiers:
            warn(f"the server has done it: {', '.join(identifiers)}")
        raise


def discard_output(stream: TextIO | None = None) -> None:
    """Redirect stdout, or stderr, to nowhere, so that the interpreter's flush at exit does not fail once more."""
    with suppress(OSError, ValueError):  # no file below it: a test's stand-in
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)


@printing()
def show_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows. columns: names for JSON, such as unique_identifier; a terminal shows them as headings."""
    session = current_session()
    if session.is_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif session.is_terminal:
        if rows:
            _print_table([_format_heading(column) for column in columns], rows)
    else:
        for row in rows:
            print("\t".join(_format_for_pipe(cell) for cell in row))


@printing()
def show_fields(fields: Mapping[str, Cell]) -> None:
    """Print named values, one a line."""
    session = current_session()
    if session.is_json:
        show_json(dict(fields))
    elif session.is_terminal:
        _print_table(None, [(_format_heading(name), value) for name, value in fields.items()])
    else:
        for name, value in fields.items():
            print(f"{name}\t{_format_for_pipe(value)}")


def show_value(value: Cell, *, name: str | None = None) -> None:
    """Print one value. name: its member's name in JSON; without one, the document is the value itself."""
    session = current_session()
    if session.is_json:
        text = json_text(value if name is None else {name: value})
    else:
        text = _format_cell(value) if session.is_terminal else _format_for_pipe(value)
    with printing(*([str(value)] if name == "unique_identifier" else [])):
        print(text)


@printing()
def show_json(document: Any) -> None:
    """Print one JSON document in ASCII, because some characters that JSON leaves unescaped would steer a terminal."""
    print(json_text(document))


def json_text(document: Any) -> str:
    """The document in ASCII, with datetimes in UTC."""
    return json.dumps(document, indent=2, default=_json_value)


def say(text: str) -> None:
    """Tell a person at a terminal, on stderr, what was done; otherwise print nothing."""
    if current_session().is_talkative:
        print(make_visible(text), file=sys.stderr)


def warn(text: str) -> None:
    """Tell the user something important on stderr, if that can be written, whether or not it is a terminal."""
    with suppress(OSError):
        print(f"kmsctl: {make_visible(text)}", file=sys.stderr)


def confirm(consequence: str) -> None:
    """Ask before something dangerous. consequence: a sentence that says what will happen.

    Raises click.UsageError where nobody can be asked, and Refused where the answer is no.
    """
    if current_session().options.is_confirmed:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"{consequence} Nobody is here to be asked: add --yes to do it")
    print(make_visible(consequence), file=sys.stderr)
    if not click.confirm("Go on?", default=False, err=True):
        raise Refused("nothing was done")


class Refused(Exception):
    """What the user asked for is not done, or is not true: exit code 1. str() is one line."""


def current_session() -> Session:
    """The session of the command that is running."""
    session = click.get_current_context().find_object(Session)
    assert session is not None
    return session


def _format_heading(column: str) -> str:
    if column == "unique_identifier":
        return "Identifier"
    words = column.replace("_", " ").capitalize() if column.islower() else column
    return words.removesuffix(" url") + " URL" if words.endswith(" url") else words


def _format_cell(cell: Cell) -> str:
    """A cell for a person: local time with its zone, and words for booleans."""
    if isinstance(cell, datetime):
        return _local(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return _join(cell, ", ")


def _format_for_pipe(cell: Cell) -> str:
    """A cell for a program: UTC, and JSON's words for booleans."""
    if isinstance(cell, datetime):
        return _utc(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return _join(cell, ",")


def _join(cell: str | int | Sequence[str] | None, separator: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str | int):
        return make_visible(str(cell))
    return separator.join(make_visible(item) for item in cell)


def _local(time: datetime) -> str:
    try:
        return time.astimezone().isoformat(sep=" ", timespec="seconds")
    except (OverflowError, ValueError):  # on the last day of the year 9999 it is 10000 elsewhere
        return _utc(time)


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json_value(value: object) -> Any:
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, Sequence | frozenset | set):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _print_table(headings: Sequence[str] | None, rows: Sequence[Sequence[Cell]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    shown = [[_format_cell(cell) for cell in row] for row in rows]
    if headings is not None and _least_width([headings, *shown]) > console.width:
        _print_narrow(headings, rows, console.width)
        return
    table = Table(box=None, show_header=headings is not None, header_style="bold", pad_edge=False)
    width = len(headings or rows[0])
    for index in range(width):
        # The first column names the row: it stays in one piece, so that it can be selected and pasted.
        heading = headings[index] if headings else ""
        table.add_column(heading, overflow="fold", no_wrap=index == 0)
    for row in shown:
        table.add_row(*map(Text, row))
    console.print(table)


def _least_width(rows: Sequence[Sequence[str]]) -> int:
    """The width of the table with no word broken. Words that are too long for any column may be broken."""
    from rich.cells import cell_len

    first, *others = zip(*rows, strict=True)
    words = [[word for text in column for word in text.split()] for column in others]
    least = [min(max(map(cell_len, column), default=0), _LONG_WORD) for column in words]
    return max(map(cell_len, first)) + sum(_BETWEEN_COLUMNS + width for width in least)


_LONG_WORD = 20
_BETWEEN_COLUMNS = 2


def _print_narrow(headings: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> None:
    """Print each row on two lines, where columns would break words."""
    for first, *others in rows:
        print(_format_cell(first))
        texts = [_without_heading(*pair) for pair in zip(headings[1:], others, strict=True)]
        text = "  ".join(filter(None, texts))
        print(
            textwrap.fill(
                text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )
        )


def _without_heading(heading: str, cell: Cell) -> str:
    """A cell that is understood without its heading: a boolean is named if it is true, and otherwise left out."""
    if isinstance(cell, bool):
        return heading.lower() if cell else ""
    return _format_cell(cell)
