"""Every page of docs/ that the code cites exists, and so does the section; no other document is cited."""

from __future__ import annotations

import re
from pathlib import Path

from ..rows import each_row
from .blocks import DOCS, ROOT

_CITED = re.compile(r'docs/([\w-]+\.md)(?:,\s+(?:#\s+)?"([^"]+)")?')
#: A document by name. What the tests read from `shared/`, where it is at hand, is skipped where it is not.
_DOCUMENT = re.compile(r"(?<![\w/])(?!shared/)[\w./-]*\w\.md\b")


def modules() -> list[Path]:
    here = Path(__file__).parent
    return [
        path
        for part in ("kms_tornado", "tests", "examples", "conf", ".ci")
        for path in sorted((ROOT / part).rglob("*"))
        if path.is_file() and here not in path.parents and "__pycache__" not in path.parts
    ]


def citations() -> list[tuple[str, str, str]]:
    """(module, page, section or ""), each once."""
    return sorted(
        {
            (str(path.relative_to(ROOT)), page, re.sub(r"\s+(#\s+)?", " ", section))
            for path in modules()
            for page, section in _CITED.findall(path.read_text())
        }
    )


@each_row(("module", "page", "section"), citations())
def test_cited_page_and_section_exist(module: str, page: str, section: str) -> None:
    text = (DOCS / page).read_text()
    if section:
        assert section in re.findall(r"^#+ (.*)$", text, re.MULTILINE)


def test_nothing_is_cited_that_a_reader_cannot_open() -> None:
    absent = [
        f"{path.relative_to(ROOT)}:{number} {name}"
        for path in modules()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for name in _DOCUMENT.findall(line)
        if not (ROOT / name).is_file()
    ]
    assert absent == []
