"""Every page of docs/ that the code cites exists, and so does the section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import DOCS, ROOT

_CITED = re.compile(r'docs/([\w-]+\.md)(?:,\s+(?:#\s+)?"([^"]+)")?')


def citations() -> list[tuple[str, str, str]]:
    """(module, page, section or ""), each once."""
    here = Path(__file__).parent
    modules = [
        path
        for part in ("kms_tornado", "tests", "examples")
        for path in sorted((ROOT / part).rglob("*.py"))
        if here not in path.parents
    ]
    return sorted(
        {
            (str(path.relative_to(ROOT)), page, re.sub(r"\s+(#\s+)?", " ", section))
            for path in modules
            for page, section in _CITED.findall(path.read_text())
        }
    )


@pytest.mark.parametrize(("module", "page", "section"), citations())
def test_cited_page_and_section_exist(module: str, page: str, section: str) -> None:
    text = (DOCS / page).read_text()
    if section:
        assert section in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
