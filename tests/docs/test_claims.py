"""No block of code in the README or in docs/ that nothing runs or checks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from .blocks import Block, blocks, parse_blocks

#: What needs a test; a block of text is an output, a picture or a line of the log.
TESTED = ("sh", "python", "json", "toml")
OTHER = ("text",)


def claimed() -> set[Block]:
    modules = [path.stem for path in Path(__file__).parent.glob("test_*.py")]
    found = (importlib.import_module(f".{module}", __package__) for module in modules)
    return {each for module in found for each in getattr(module, "BLOCKS", ())}


def test_every_block_is_run_or_checked() -> None:
    unclaimed = [
        each.place for each in blocks() if each.language in TESTED and each not in claimed()
    ]
    assert unclaimed == []


def test_every_block_says_its_language() -> None:
    unknown = [each.place for each in blocks() if each.language not in (*TESTED, *OTHER)]
    assert unknown == [], f"one of {TESTED + OTHER}, or a runner for another one"


def test_blocks_are_found_by_their_fences() -> None:
    text = "a\n\n```sh\nls\n```\n\n- b\n  ````{code-block} toml\n  x = 1\n  ````\n```{toctree}\na\n```\n"
    assert [(each.line, each.language, each.text) for each in parse_blocks(text, "p")] == [
        (3, "sh", "ls\n"),
        (8, "toml", "x = 1\n"),
    ]


def test_fence_that_is_not_closed_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="p:1"):
        parse_blocks("```sh\nls\n", "p")
