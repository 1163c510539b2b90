"""Tables that one test goes through: every row is tried and each failure names its row, at none of a test's own cost."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

#: The longest name of a row that has none of its own.
_MAX_NAME = 300


def each_row(
    names: str | Sequence[str],
    rows: Iterable[Any],
    *,
    ids: Callable[[Any], object] | Iterable[object] | None = None,
    absent: str = "",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, whose arguments it takes, but that all rows are one test.

    Fixtures are made once, for all rows: a row leaves nothing behind that another one would meet. What a row raises
    is kept until all of them were tried. A row cannot be skipped, nor have marks.

    absent: why there may be no row at all, which then skips the test; without it a table has one or more.
    """
    arguments = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    table = _read(arguments, rows, ids)
    assert table or absent, "a table without a row would pass"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def try_all(**fixtures: Any) -> None:
            failures = []
            for name, values in table:
                try:
                    test(**values, **fixtures)
                except Exception as exc:
                    failures.append(_with_name(exc, name))
                except (
                    pytest.fail.Exception,
                    pytest.skip.Exception,
                    pytest.xfail.Exception,
                ) as exc:
                    ended = AssertionError(f"{type(exc).__name__}: {exc}").with_traceback(
                        exc.__traceback__
                    )
                    failures.append(_with_name(ended, name))
            if failures:
                tried = f"{len(failures)} of {len(table)} rows failed"
                raise ExceptionGroup(tried, failures) from None

        signature = inspect.signature(test)
        fixtures = [each for name, each in signature.parameters.items() if name not in arguments]
        assert len(fixtures) + len(arguments) == len(signature.parameters), "an argument is unknown"
        try_all.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        return try_all if table else pytest.mark.skip(reason=absent)(try_all)

    return decorate


def _read(
    arguments: Sequence[str], rows: Iterable[Any], ids: Any
) -> Sequence[tuple[str, dict[str, Any]]]:
    """Of each row its name, and argument → value."""
    table = []
    for row in rows:
        name = None
        if isinstance(row, _ParameterSet):
            assert not row.marks, "a row of a table cannot have marks"
            row, name = row.values, row.id
        elif len(arguments) == 1:
            row = (row,)
        values = dict(zip(arguments, row, strict=True))
        if name is None and callable(ids):
            name = "-".join(str(ids(value)) for value in values.values())
        table.append((str(name or values)[:_MAX_NAME], values))
    if ids is None or callable(ids):
        return table
    return [(str(name), values) for name, (_, values) in zip(ids, table, strict=True)]


_ParameterSet = type(pytest.param())


def _with_name(exc: Exception, name: str) -> Exception:
    exc.add_note(f"in the row {name}")
    return exc
