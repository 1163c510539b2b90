"""Hooks: calls code of an application where its exceptions must not hold up an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Hooks:
    """Calls code of the application. Its exceptions are caught; the first one is kept for the log."""

    def __init__(self) -> None:
        self.fault: BaseException | None = None

    def call(self, hook: Callable[..., object], *args: object) -> bool:
        """Call the hook; whether it returned without an exception."""
        try:
            hook(*args)
        except (Exception, asyncio.CancelledError) as exc:  # Tornado, too, takes both for a fault
            self.fault = self.fault or exc
            return False
        return True
