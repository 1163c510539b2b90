"""docs/tutorial.md is followed in a terminal, by a person with a browser, and prints what the page shows."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

from ..terminal import Terminal, terminal
from ..web.process.dev.browser import ALICE, Visitor
from .blocks import Block, blocks
from .placeholders import Values
from .session import commands_to_run

PAGE = "docs/tutorial.md"
BLOCKS = [each for each in blocks(PAGE) if each.language == "sh"]


def exchanges() -> Iterator[tuple[Block, Block | None]]:
    """(commands, what they print): None where the page shows nothing."""
    page: Sequence[Block] = blocks(PAGE)
    for each, following in zip_longest(page, page[1:]):
        if each.language == "sh":
            shown = following if following is not None and following.language == "text" else None
            yield each, shown


class Person:
    """Signs in as alice where a page is shown, and presses Enter where a question has an answer already."""

    def __init__(self) -> None:
        self._pages: set[str] = set()

    def watch(self, printed: str) -> str:
        page = re.search(r"(http://[^/\s]+)(/authorize\?\S+)\n\n", printed)
        if page is not None and page[0] not in self._pages:
            self._pages.add(page[0])
            browser = Visitor(page[1])
            answer = browser.choose(browser.get(page[2]), ALICE)
            with urllib.request.urlopen(answer.headers["Location"], timeout=10) as back:
                assert back.status == 200
        return "\n" if re.search(r"(\]|usual ones):\Z", printed) else ""


def follow(screen: Terminal, variables: dict[str, str]) -> None:
    values = Values()
    for commands, shown in exchanges():
        printed = "".join(screen.run(line)[0] for line in commands_to_run(commands, variables))
        try:
            values.match_text("" if shown is None else shown.text, printed)
        except AssertionError as exc:
            exc.add_note(f"at {commands.place}")
            raise


def test_tutorial_is_followed_to_its_end(dev_server: dict[str, str], tmp_path: Path) -> None:
    variables = {
        **dev_server,
        "BROWSER": "true",
    }  # a program that does nothing: the person is `Person`
    with terminal(tmp_path, variables, watch=Person().watch) as screen:
        follow(screen, variables)
        assert screen.run("kmsctl whoami --json | grep '\"name\"'")[1] == 0
    print(screen.transcript)
    assert (tmp_path / "bobs.txt").read_text() == "pay 12 EUR\n"
    assert b"pay" not in (tmp_path / "invoice.txt.kms").read_bytes()


def test_tutorial_has_ten_commands_at_most() -> None:
    assert len(BLOCKS) <= 10


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_other_pages_lead_to_the_tutorial(page: str) -> None:
    assert "tutorial.md)" in (Path(__file__).parents[2] / page).read_text()
