"""What a reader types: the README's first example, getting started. (The tutorial has `test_tutorial`.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import Block, blocks
from .session import run_session

PAGES = ("docs/getting-started.md",)


def readme() -> list[Block]:
    """Without the test command and the application that embeds the token layer."""
    return [
        each
        for each in blocks("README.md")
        if "tox" not in each.text and "from_issuer" not in each.text
    ]


SESSIONS = {**{page: blocks(page) for page in PAGES}, "README.md": readme()}
BLOCKS = [each for page in SESSIONS.values() for each in page]


@pytest.mark.parametrize("page", SESSIONS)
def test_page_can_be_followed_as_it_stands(
    page: str, dev_server: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "report.pdf").write_bytes(b"pay 12 EUR")
    printed = run_session(SESSIONS[page], tmp_path, dev_server)
    if page == "README.md":  # which shows no outputs
        assert "decrypt" in printed.splitlines()
        assert b"pay" not in (tmp_path / "report.pdf.kms").read_bytes()
