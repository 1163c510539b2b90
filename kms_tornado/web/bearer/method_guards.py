"""What is made sure of when a handler's class is made: its HTTP methods are guarded, and what it says of them fits."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.web import Finish

from ...errors import MissingToken
from .hooks import HandlerHooks
from .refusals import refuse


def guard_methods(handler: type[HandlerHooks]) -> None:
    """Put a guard around each HTTP method of the class, including those of its base classes."""
    for name in handler.SUPPORTED_METHODS:
        attribute = name.lower()
        method = _find_method(handler, attribute)
        if method is None or getattr(handler, attribute) is getattr(method, "_guard", None):
            continue
        guard = _guard_method(method)
        if attribute not in vars(handler):
            guard._copy = guard  # type: ignore[attr-defined]
        setattr(handler, attribute, guard)


def _guard_method(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an HTTP method so that it does not run without a principal. This is the last line of defence."""

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        if self._principal is None and not (self._is_anonymous or self.is_public_method()):
            refuse(self, MissingToken("the handler was reached without authentication"))
            raise Finish
        result: Awaitable[None] | None = method(self, *args, **kwargs)
        return result

    # The function itself, not a flag: functools.wraps copies flags to a function that wraps this one.
    guarded._guard = guarded  # type: ignore[attr-defined]
    return guarded


def _find_method(handler: type[HandlerHooks], attribute: str) -> Callable[..., Any] | None:
    """Find a method as Python does, but skip the guards that base classes have around methods of their own bases.

    If an application's mixin stands before WebSocketHandler in a class, the methods of WebSocketHandler are meant.
    """
    for base in handler.__mro__:
        if attribute in vars(base):
            method: Callable[..., Any] | None = getattr(base, attribute)
            if method is None or getattr(method, "_copy", None) is not method:
                return method
    return None


def check_methods(handler: type[HandlerHooks]) -> None:
    """Refuse a class whose public or optional methods would not be the ones that its author meant."""
    for name in ("public_methods", "optional_methods"):
        methods: object = getattr(handler, name)
        if not isinstance(methods, (tuple, list, set, frozenset)) or not set(methods) <= set(
            handler.SUPPORTED_METHODS
        ):
            raise TypeError(
                f'{handler.__name__}.{name} must be a tuple of HTTP methods in capitals, such as ("GET",)'
            )
    if both := set(handler.public_methods) & set(handler.optional_methods):
        raise TypeError(
            f"{handler.__name__}: {min(both)} stands in public_methods, where no token is looked at, "
            "and in optional_methods"
        )
    if inspect.iscoroutinefunction(handler.write_refusal):
        raise TypeError(
            f"{handler.__name__}.write_refusal must not be a coroutine: nothing waits for it"
        )
