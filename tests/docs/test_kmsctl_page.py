"""docs/kmsctl.md and docs/kmsctl-commands.md: the commands are click's own, the examples can be typed, the table for ckms is true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from kms_tornado.client.cli.batch_file import make_message
from kms_tornado.client.cli.commands import COMMANDS
from kms_tornado.client.cli.session import Session

from .. import kmsctl_page
from ..rows import each_row
from .blocks import Block, blocks

PAGE, COMMANDS_PAGE = "docs/kmsctl.md", "docs/kmsctl-commands.md"
TEXT = kmsctl_page.PAGE.read_text()

#: The examples of the commands, and the batch file.
BLOCKS = [*blocks(PAGE, "sh"), *blocks(COMMANDS_PAGE, "sh"), *blocks(PAGE, "json")]

LINES = [line for each in BLOCKS if each.language == "sh" for line in each.text.splitlines()]


def test_commands_are_those_of_the_program() -> None:
    commands = kmsctl_page.COMMANDS_PAGE.read_text()
    assert kmsctl_page.rewrite_commands(commands) == commands, "python -m tests.kmsctl_page"
    assert kmsctl_page.rewrite_global_options(TEXT) == TEXT, "python -m tests.kmsctl_page"


def test_every_command_stands_under_what_it_is_for() -> None:
    section = TEXT.partition("## Find a command")[2].partition("\n## ")[0]
    named = re.findall(r"\[`([a-z -]+)`\]\((?:kmsctl-commands\.md)?#", section)
    assert {words.split()[0] for words in named} == set(COMMANDS)
    for words in named:
        assert kmsctl_page.find_command(words.split())[1] == []


@each_row(
    "words",
    [words for words, cls in kmsctl_page.commands() if not isinstance(cls, click.Group)],
    ids=" ".join,
)
def test_every_command_has_an_example(words: tuple[str, ...]) -> None:
    command, _ = kmsctl_page.find_command(list(words))
    assert any("kmsctl " in line for line in kmsctl_page.examples(command))


@each_row("line", LINES)
def test_example_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed, and not run. The files that it reads are there."""
    monkeypatch.chdir(tmp_path)
    line = line.partition("| kmsctl ")[2] or line.partition("$(kmsctl ")[2].rstrip('")') or line
    words = shlex.split(line.removeprefix("kmsctl ").partition(" | ")[0].partition(" > ")[0])
    for word in words:
        if re.fullmatch(r"[\w-]+(\.[\w-]+)+", word) and "@" not in word:
            Path(word).touch()
    command, arguments = kmsctl_page.find_command(words)
    with command.make_context("kmsctl", list(arguments), obj=Session({})):
        pass


def test_batch_file_is_one() -> None:
    (each,) = blocks(PAGE, "json")
    message = json.loads(make_message(each.text))
    assert [item["tag"] for item in message["value"]] == ["RequestHeader", "BatchItem", "BatchItem"]


def _rows() -> list[tuple[str, str]]:
    """(ckms, kmsctl) of the table."""
    section = TEXT.partition("## From ckms")[2]
    return re.findall(r"^\| (.+?) \| (.*?) ?\| .*\|$", section, re.M)[1:]


@each_row(("theirs", "ours"), _rows(), ids=lambda text: text)
def test_what_stands_for_a_command_of_ckms_is_there(theirs: str, ours: str) -> None:
    for text in re.findall(r"`([^`]+)`", ours):
        if text.startswith("--"):
            known = {name for param in kmsctl_page.kmsctl.params for name in param.opts}
            assert text in known
        else:
            assert kmsctl_page.find_command(text.split())[1] == []


def test_blocks_of_the_page_are_these() -> None:
    assert {each.language for each in BLOCKS} == {"sh", "json"}
    assert all(isinstance(each, Block) for each in BLOCKS)
