"""Where commands get data from (a file, stdin, or an option in hexadecimal), and how they send it in parts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import click

#: Bytes of one request. The server takes 7 MiB; fewer keep this program small and the server's other users
#: from waiting.
PART_BYTES = 2 * 1024 * 1024


class Part(NamedTuple):
    """One piece of the data. The last three fields are KMIP's; they are None where the data is sent whole."""

    data: bytes
    correlation_value: bytes | None
    init_indicator: bool | None
    final_indicator: bool | None

    @property
    def is_last(self) -> bool:
        """Whether the answer to this part is the result."""
        is_whole = self.correlation_value is None and not self.init_indicator
        return bool(self.final_indicator) or is_whole


@contextmanager
def naming_file(name: str) -> Iterator[None]:
    """An error of reading says which file it was, which Python tells only of one that cannot be opened."""
    try:
        yield
    except OSError as exc:
        if exc.filename is None:
            exc.filename = name
        raise


def open_data(file: BinaryIO | None, data: bytes | None) -> BinaryIO:
    """The data: from the option if it is given, else from the file, else from stdin."""
    if data is not None:
        if file is not None:
            raise click.UsageError("the data are given twice: in a file and by --data")
        return BytesIO(data)
    return file if file is not None else sys.stdin.buffer


def send_in_parts(source: BinaryIO, send: Callable[[Part], Any]) -> Any:
    """Send all of the data, in one request if it fits; the answer to the last one.

    send: sends one part, and returns the response with its correlation_value.
    """
    part, following = read_part(source, PART_BYTES), read_part(source, PART_BYTES)
    if not following:
        return send(Part(part, None, None, None))
    correlation_value, is_first = None, True
    while True:
        is_last = not following
        answer = send(Part(part, correlation_value, is_first or None, is_last or None))
        if is_last:
            return answer
        correlation_value, is_first = answer.correlation_value, False
        part, following = following, read_part(source, PART_BYTES)


def read_part(source: BinaryIO, most_bytes: int = -1) -> bytes:
    """As `read`; an error names the source."""
    with naming_file(getattr(source, "name", "<data>")):
        return source.read(most_bytes)
