"""How far a command has come: a bar on a terminal, lines elsewhere, and nothing for what is quick."""

from __future__ import annotations

import io
import sys

import pytest

from kms_tornado.commands import progress
from kms_tornado.commands.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_quick_command_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("objects", 2) as shown:
        shown.update(2)
    assert capsys.readouterr() == ("", "")


def test_line_every_ten_seconds_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with Progress("objects", 100) as shown:
        for now in range(25):
            shown.update(now * 5)
    assert capsys.readouterr().err == "50 of 100 objects\n100 of 100 objects\n"


def test_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("objects", 10) as shown:
        shown.update(5)
        shown.update(12)  # there are more than were counted before
    assert "objects" in terminal.getvalue()
    assert "12/12" in terminal.getvalue()


def test_terminal_without_rich_gets_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    terminal = Terminal()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with Progress("objects", 10) as shown:
        now = 11.0
        shown.update(5)
    assert terminal.getvalue() == "5 of 10 objects\n"
