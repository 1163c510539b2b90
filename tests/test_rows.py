"""What a test of a table of rows says: all rows are tried, and each that fails is named."""

from __future__ import annotations

import inspect

import pytest

from .rows import each_row

tried = []


@each_row(
    ("number", "is_even"), [(2, True), pytest.param(3, True, id="three"), (4, False), (6, True)]
)
def fails(number, is_even):
    tried.append(number)
    assert (number % 2 == 0) is is_even


def notes_of(group):
    return [note for failure in group.exceptions for note in failure.__notes__]


def test_all_rows_are_tried_and_those_that_fail_are_named():
    tried.clear()
    with pytest.raises(ExceptionGroup, match="2 of 4 rows failed") as caught:
        fails()
    assert tried == [2, 3, 4, 6]
    assert notes_of(caught.value) == [
        "in the row three", "in the row {'number': 4, 'is_even': False}",
    ]  # fmt: skip


@pytest.mark.parametrize("end", [pytest.skip, pytest.fail, pytest.xfail])
def test_row_that_pytest_would_end_has_failed(end):
    @each_row("number", [1, 2], ids=["one", "two"])
    def ends(number):
        if number == 1:
            end("now")

    with pytest.raises(ExceptionGroup, match="1 of 2 rows failed") as caught:
        ends()
    assert notes_of(caught.value) == ["in the row one"]


def test_tables_can_be_crossed():
    seen = []

    @each_row("first", "ab")
    @each_row("second", [1, 2], ids=str)
    def crosses(first, second, beside):
        seen.append((first, second, beside))

    crosses(beside="fixture")
    assert seen == [
        ("a", 1, "fixture"), ("a", 2, "fixture"), ("b", 1, "fixture"), ("b", 2, "fixture"),
    ]  # fmt: skip


@each_row("number", [1, 2])
def test_fixtures_are_those_that_the_test_asks_for(number, tmp_path):
    (tmp_path / str(number)).touch()
    assert (tmp_path / "1").exists()


def test_table_without_a_row_or_with_marks_is_refused():
    for rows in ([], [pytest.param(1, marks=pytest.mark.xfail)]):
        with pytest.raises(AssertionError):
            each_row("number", rows)


def test_table_that_may_be_absent_skips_its_test():
    @each_row("number", [], absent="the numbers are not here")
    def never_run(number, tmp_path): ...

    [mark] = never_run.pytestmark
    assert (mark.name, mark.kwargs) == ("skip", {"reason": "the numbers are not here"})
    assert [*inspect.signature(never_run).parameters] == ["tmp_path"]


def test_argument_that_the_test_has_not_is_refused():
    with pytest.raises(AssertionError, match="unknown"):
        each_row("other", [1])(lambda number: None)
