"""What comes from elsewhere steers no terminal."""

from __future__ import annotations

import pytest

from kms_tornado.client.cli.terminal_text import make_visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("invoices für Bob", "invoices für Bob", id="plain"),
        pytest.param("\x1b]0;title\x07", "\\x1b]0;title\\x07", id="escape sequence"),
        pytest.param("\x9b31m", "\\x9b31m", id="the same in one character"),
        pytest.param("a\tb\nc", "a\\tb\\nc", id="tab and newline"),
        pytest.param("\u202ecba", "\\u202ecba", id="right to left"),
        pytest.param("\ud800", "\\ud800", id="half a character"),
    ],
)
def test_control_characters_are_made_visible(text: str, shown: str) -> None:
    assert make_visible(text) == shown
