"""The commands of kmsctl in docs/kmsctl.md, generated from click.

``python -m tests.kmsctl_page`` writes them into the page; a test keeps them equal.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from kms_tornado.client.cli.commands import COMMANDS
from kms_tornado.client.cli.root import kmsctl

PAGE = Path(__file__).parent.parent / "docs/kmsctl.md"

BEGIN, END = "<!-- commands: python -m tests.kmsctl_page -->", "<!-- end -->"
GLOBAL_BEGIN = "<!-- global options: python -m tests.kmsctl_page -->"

#: Before a paragraph, what keeps click from wrapping it; here, what makes it an example.
UNWRAPPED = "\b"


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """(words, command) of every command and group, in the order of the page."""
    context = click.Context(kmsctl)
    for name in COMMANDS:
        command = kmsctl.get_command(context, name)
        assert command is not None
        yield from _walk((name,), command)


def _walk(
    words: tuple[str, ...], command: click.Command
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _walk((*words, name), child)


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words begin with, and the words behind it."""
    known = _read_commands()
    for count in range(len(words), 0, -1):
        command = known.get(tuple(words[:count]))
        if command is not None:
            return command, words[count:]
    raise LookupError(" ".join(words))


@functools.cache
def _read_commands() -> Mapping[tuple[str, ...], click.Command]:
    return dict(commands())


def paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def examples(command: click.Command) -> list[str]:
    """The lines of the help that are commands: in a paragraph that is not wrapped, or behind the options."""
    unwrapped = [part for part in paragraphs(command) if part.startswith(UNWRAPPED)]
    lines = "\n".join([*unwrapped, command.epilog or ""]).splitlines()
    return [line.strip() for line in lines if line.strip(f"{UNWRAPPED} ")]


def render_commands() -> str:
    return "\n\n".join(_render(words, command) for words, command in commands())


def _render(words: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(("kmsctl", *words))
    arguments = " ".join(
        param.make_metavar(click.Context(command))
        for param in command.params
        if isinstance(param, click.Argument)
    )
    parts = [f"{'#' * min(2 + len(words), 4)} {name}"]
    if not isinstance(command, click.Group):
        parts.append(f"`{' '.join(filter(None, (name, '[OPTIONS]', arguments)))}`")
    parts += [
        " ".join(_escape(paragraph).split())
        for paragraph in paragraphs(command)
        if not paragraph.startswith(UNWRAPPED)
    ]
    shown = examples(command)
    if shown:
        parts.append("\n".join(["```sh", *shown, "```"]))
    table = render_options([param for param in command.params if isinstance(param, click.Option)])
    return "\n\n".join([*parts, table] if table else parts)


def render_options(options: list[click.Option]) -> str:
    """A table of those that are listed in the help; the empty text where there are none."""
    rows = []
    for option in options:
        if option.hidden:
            continue
        names = sorted(option.opts, key=len)
        text = " ".join((option.help or "").split())
        if isinstance(option.type, click.Choice):
            text = f"{text.removesuffix('.')}: {', '.join(map(str, option.type.choices))}."
        elif not option.is_flag:
            names[-1] += f" {option.make_metavar(click.Context(kmsctl))}"
        shown = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| {shown} | {_escape(text)} |")
    return "\n".join(["| option | |", "|---|---|", *rows]) if rows else ""


def _escape(text: str) -> str:
    """What would be Markdown in a text that is none."""
    return re.sub(r"([*_<>|\[\]])", r"\\\1", text)


def rewritten(text: str) -> str:
    """The page with the commands and the global options as they are. Raises LookupError without their places."""
    options = [param for param in kmsctl.params if isinstance(param, click.Option)]
    for begin, part in ((BEGIN, render_commands()), (GLOBAL_BEGIN, render_options(options))):
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(END)
        if not found or not ended:
            raise LookupError(f"{PAGE.name} has no place for {begin}")
        text = f"{before}{begin}\n\n{part}\n\n{END}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
