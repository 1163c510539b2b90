"""Progress on stderr: how far a command has come, as a bar on a terminal, else as a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from .output import tell

_INTERVAL_S = 10.0


class Progress:
    """``with Progress("objects", total) as progress: progress.update(done)``.

    unit: of what is counted.
    The bar is made by rich, from the extra `ops`; without that, a terminal gets lines, too.
    """

    def __init__(self, unit: str, total: int = 0) -> None:
        self._unit = unit
        self._total = total
        self._stack = ExitStack()
        self._show: Callable[[int], None] = self._print_line
        self._next = time.monotonic() + _INTERVAL_S

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._show = self._open_bar() or self._show
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def update(self, done: int, total: int | None = None) -> None:
        """Show how many are done. total: if it was not known before."""
        self._total = self._total if total is None else total
        self._show(done)

    def _open_bar(self) -> Callable[[int], None] | None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress
        except ImportError:
            return None
        columns = (TextColumn(self._unit), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = RichProgress(*columns, console=Console(file=sys.stderr))
        self._stack.enter_context(bar)
        task = bar.add_task(self._unit, total=self._total)
        return lambda done: bar.update(task, completed=done, total=max(done, self._total))

    def _print_line(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL_S
            tell(f"{done} of {max(done, self._total)} {self._unit}")
