"""The commands of kmsctl in docs/kmsctl-commands.md, and its global options in docs/kmsctl.md, generated from click.

``python -m tests.kmsctl_page`` writes them into the pages; a test keeps them equal. A command whose description and options
are those of an earlier one, for another noun, is told as such.
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

_ROOT = Path(__file__).parent.parent
PAGE, COMMANDS_PAGE = _ROOT / "docs/kmsctl.md", _ROOT / "docs/kmsctl-commands.md"

END = "<!-- end -->"
#: What a noun is called in the texts of its verbs.
_NOUNS = re.compile(
    r"(the |an? )?(symmetric key|RSA key|elliptic-curve key|private key|certificate|key|object)s?"
)

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
    sections: list[str] = []
    told: dict[str, str] = {}
    for words, command in commands():
        name = " ".join(("kmsctl", *words))
        head, body = _render_head(words, command), _render_body(command)
        subject = _NOUNS.sub("", re.sub("```sh.*?```", "", body, flags=re.DOTALL))
        first = told.setdefault(subject, name)
        if first != name:
            body = f"As [{first}](#{first.replace(' ', '-')})."
        sections += [head, body]
    return "\n\n".join(sections)


def _render_head(words: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(("kmsctl", *words))
    arguments = " ".join(
        param.make_metavar(click.Context(command))
        for param in command.params
        if isinstance(param, click.Argument)
    )
    heading = f"{'#' * min(1 + len(words), 4)} {name}"
    if isinstance(command, click.Group):
        return heading
    return f"{heading}\n\n`{' '.join(filter(None, (name, '[OPTIONS]', arguments)))}`"


def _render_body(command: click.Command) -> str:
    parts = [
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


def rewrite_global_options(text: str) -> str:
    """docs/kmsctl.md with the options of every command as they are. Raises LookupError without their place."""
    options = [param for param in kmsctl.params if isinstance(param, click.Option)]
    return _rewrite(text, "global options", render_options(options))


def rewrite_commands(text: str) -> str:
    """docs/kmsctl-commands.md with the commands as they are. Raises LookupError without their place."""
    return _rewrite(text, "commands", render_commands())


def _rewrite(text: str, subject: str, part: str) -> str:
    begin = f"<!-- {subject}: python -m tests.kmsctl_page -->"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise LookupError(f"there is no place for {begin}")
    return f"{before}{begin}\n\n{part}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(rewrite_global_options(PAGE.read_text()))
    COMMANDS_PAGE.write_text(rewrite_commands(COMMANDS_PAGE.read_text()))
