"""`-m pressure` runs what it names: the files are there, each in one place."""

from __future__ import annotations

from . import pressure


def test_every_file_is_there_and_named_once() -> None:
    named = [file for files in pressure.FILES.values() for file in files]
    assert [file for file in named if not (pressure.TESTS / file).is_file()] == []
    assert sorted(named) == sorted(set(named))
