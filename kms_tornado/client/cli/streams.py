"""stdin, stdout and stderr, if whoever started the program has closed one of them (``>&-``)."""

from __future__ import annotations

import os
import sys
from typing import Final

#: The streams by their descriptors, and how /dev/null is opened in their place: reading from a closed stdin and
#: writing to a closed stdout stay errors, and what would be told on stderr is told to nobody.
_STREAMS: Final = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))  # fmt: skip


def fill_missing_streams() -> None:
    """Open something in the place of each closed stream.

    Otherwise the next file to be opened would get the stream's number, and everything that is printed would go into
    that file. Python's object for the stream would be None, which no code expects.
    """
    for number, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        descriptor = os.open(os.devnull, flags)
        if descriptor != number:  # somebody has opened a file meanwhile
            os.dup2(descriptor, number)
            os.close(descriptor)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
