"""stdin, stdout and stderr where whoever started the program has closed one of them (``>&-``)."""

from __future__ import annotations

import os
import sys
from typing import Final

#: The streams by their descriptors, and how /dev/null is opened in their place: reading from a closed stdin and
#: writing to a closed stdout stay errors, and what would be told on stderr is told to nobody.
_STREAMS: Final = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))  # fmt: skip


def fill_missing_streams() -> None:
    """Put something in the place of each stream that is closed.

    Else the next file that is opened gets its number, and what anybody prints goes into that file; and
    Python has None for the stream, which nobody asks before using it.
    """
    for number, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        descriptor = os.open(os.devnull, flags)
        if descriptor != number:  # somebody has opened a file meanwhile
            os.dup2(descriptor, number)
            os.close(descriptor)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
