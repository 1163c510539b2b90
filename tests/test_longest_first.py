"""The longest files are begun first: each is there, and named once."""

from __future__ import annotations

from . import longest_first
from .longest_first import FILES, TESTS, group_of, place_of


def test_every_file_is_there_and_named_once() -> None:
    assert [file for file in FILES if not (TESTS / file).is_file()] == []
    assert len(set(FILES)) == len(FILES)


def test_files_that_are_not_named_come_last() -> None:
    assert place_of(TESTS / FILES[0]) == 0
    assert place_of(TESTS / FILES[-1]) < place_of(TESTS / longest_first.__file__)


def test_files_that_share_a_browser_are_run_in_one_process() -> None:
    views, story = (
        group_of(f"tests/web/ui/{file}::test_it") for file in ("test_views.py", "test_story.py")
    )
    assert views == story
    assert group_of("tests/web/test_app.py::test_it") == "tests/web/test_app.py"
