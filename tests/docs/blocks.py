"""The fenced code blocks of the README and of the pages below docs/, as values.

Each module of tests/docs that runs or checks blocks lists them in its ``BLOCKS``, and `test_claims`
compares these lists with all the blocks that there are: one that nothing runs fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_OPENING = re.compile(r"^( *)(`{3,}|~{3,}|:{3,})(.*)$")
_CODE_DIRECTIVE = re.compile(r"\{(?:code-block|code|sourcecode)\}\s*(\S*)")


@dataclass(frozen=True, slots=True)
class Block:
    """page: its path below the root. line: of the opening fence. language: "" where none is given."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Everything that is written for people, as Markdown. CHANGELOG.md has no code."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    built = DOCS / "_build"
    return [*top, *sorted(page for page in DOCS.rglob("*.md") if built not in page.parents)]


def blocks(page: str | None = None, language: str | None = None) -> list[Block]:
    """The code blocks of one page or of all, in one language or in any, in their order."""
    return [
        block
        for path in pages()
        if page is None or path == ROOT / page
        for block in parse_blocks(path.read_text(), str(path.relative_to(ROOT)))
        if language is None or block.language == language
    ]


def block(page: str, language: str, containing: str) -> Block:
    """The page's one block in this language that has the text."""
    (only,) = [each for each in blocks(page, language) if containing in each.text]
    return only


def parse_blocks(markdown: str, page: str) -> list[Block]:
    """Raises ValueError for a fence that is not closed."""
    parsed = []
    lines = iter(enumerate(markdown.splitlines(), 1))
    for number, line in lines:
        opening = _OPENING.match(line)
        if opening is None:
            continue
        indent, fence, info = opening.groups()
        body: list[str] = []
        for _, inner in lines:
            if inner.strip() == fence:
                break
            body.append(inner.removeprefix(indent))
        else:
            raise ValueError(f"{page}:{number}: the fence is not closed")
        language = _language(info.strip())
        if language is not None:
            parsed.append(Block(page, number, language, "\n".join(body) + "\n"))
    return parsed


def _language(info: str) -> str | None:
    """None for a directive that holds no code, such as a table of contents."""
    if not info.startswith("{"):
        return info
    code = _CODE_DIRECTIVE.match(info)
    return None if code is None else code[1]
