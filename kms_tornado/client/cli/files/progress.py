"""A progress bar on the terminal, for work that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..session import Session
from ..terminal_text import make_visible

if TYPE_CHECKING:
    from rich.progress import Progress

#: With fewer, the bar would be gone before anybody has read it, and rich takes longer to load than they do.
SHOWN_FROM_BYTES = 32 * 1024 * 1024


@contextmanager
def show_progress(
    session: Session, title: str, total: int | None
) -> Iterator[Callable[[int], None]]:
    """A function to be called with the number of bytes that are done.

    total: None where it is not known. The bar appears after a certain number of bytes, and disappears at the end.
    """
    if not session.is_talkative:
        yield _show_nothing
        return
    bar: Progress | None = None

    def observe(done: int) -> None:
        nonlocal bar
        if bar is None:
            if done < SHOWN_FROM_BYTES:
                return
            bar = _start_bar(title, total)
        bar.update(bar.task_ids[0], completed=done)

    try:
        yield observe
    finally:
        if bar is not None:
            bar.stop()


def _show_nothing(done: int) -> None:
    """Do nothing: there is nobody to look at a bar."""


def _start_bar(title: str, total: int | None) -> Progress:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task(escape(make_visible(title)), total=total)
    bar.start()
    return bar
