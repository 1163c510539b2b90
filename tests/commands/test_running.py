"""`kms-tornado COMMAND …`: which command it is, what it reads, how it ends."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import re
from pathlib import Path

import pytest

from kms_tornado.commands import COMMANDS, exit_codes, find_command, find_unknown_command
from kms_tornado.commands import running as running_module
from kms_tornado.commands.running import run_command
from kms_tornado.errors import ConfigurationError, ItemNotFound, Unavailable
from kms_tornado.options import OPTIONS, Command, parse

from ..docs.blocks import ROOT
from ..rows import each_row
from ..server import NO_AUTH, check_refused, run


@each_row("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_has_a_module_that_runs_it(command: Command) -> None:
    module = importlib.import_module(f"kms_tornado.commands.{command.module}")
    assert inspect.iscoroutinefunction(module.run)


@each_row("command", COMMANDS.values(), ids=COMMANDS)
def test_no_argument_of_a_command_has_the_name_of_an_option(command: Command) -> None:
    names = {argument.name.lower() for argument in command.arguments}
    assert names.isdisjoint(
        {option.name for option in OPTIONS} | {"help", "version", "print-config"}
    )
    fields = [argument.field for argument in command.arguments]
    assert len(fields) == len(set(fields))


@each_row("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_is_in_the_table_of_the_page(command: Command) -> None:
    page = (ROOT / "docs/operating.md").read_text()
    usage = command.usage.removesuffix(" [option ...]")
    assert f"| `{usage}` |" in page


@pytest.mark.parametrize(
    ("argv", "name", "rest"),
    [
        (["health"], "health", []),
        (["health", "--ready", "-c", "f"], "health", ["--ready", "-c", "f"]),
        (["-c", "health"], None, ["-c", "health"]),
        (["--dev"], None, ["--dev"]),
        ([], None, []),
    ],
    ids=str,
)
def test_command_is_what_the_line_begins_with(
    argv: list[str], name: str | None, rest: list[str]
) -> None:
    command, found = find_command(argv)
    assert (command.name if command else None, list(found)) == (name, rest)


def test_word_that_is_no_command_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    line = check_refused(run("helth", *NO_AUTH, cwd=tmp_path), 2)
    assert line == "kms-tornado: 'helth' is no command; did you mean health?"
    assert "the commands are: audit verify, " in check_refused(run("serve", cwd=tmp_path), 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["audit"], "'audit' is no command; the commands are: audit verify, audit tail, "),
        (["Audit", "show"], "'Audit show' is no command; the commands are: audit verify, "),
        (["audit", "--follow"], "'audit' is no command; the commands are: audit verify, "),
    ],
    ids=str,
)
def test_first_word_of_commands_alone_is_answered_with_those_commands(
    line: list[str], said: str
) -> None:
    assert (find_unknown_command(line) or "").startswith(said)


def test_word_that_is_no_command_shows_no_token() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl"
    assert (find_unknown_command([token]) or "").startswith("'[token]' is no command")
    assert (find_unknown_command(["audit", token]) or "").startswith("'audit [token]' is no")


def test_command_prints_the_configuration_that_it_would_use(tmp_path: Path) -> None:
    finished = run("health", "--print-config", *NO_AUTH, "--port", "4711", cwd=tmp_path)
    assert finished.returncode == 0
    assert "port = 4711  # flag" in finished.stdout.splitlines()


def test_configuration_of_a_command_is_checked_as_the_server_s(tmp_path: Path) -> None:
    assert "--port (flag): out of range" in check_refused(
        run("health", *NO_AUTH, "--port", "99999", cwd=tmp_path), 2
    )


@each_row("command", COMMANDS.values(), ids=COMMANDS)
@each_row(
    "variables",
    [{}, {"KMS_JWT_AUDIENCE": "a", "KMS_JWKS_URI": "https://a.example"}],
    ids=["none", "half"],
)
def test_commands_that_check_no_token_need_no_issuer(
    command: Command, variables: dict[str, str]
) -> None:
    words = ["word" for argument in command.arguments if argument.is_required]
    if command.name != "explain":
        assert parse(words, variables, command=command).settings.trust is None
        return
    with pytest.raises(ConfigurationError, match="--jwt-issuer-uri"):
        parse(words, variables, command=command)


def cannot_write(number: int) -> ConfigurationError:
    """As where a file is written, and the reason is known two errors further."""
    unusable, error = ValueError("cannot be made"), ConfigurationError("FILE cannot be made")
    unusable.__cause__, error.__cause__ = OSError(number, os.strerror(number)), unusable
    return error


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_backup_is_no_stream(command: str, tmp_path: Path) -> None:
    line = check_refused(run(command, "-", *NO_AUTH, cwd=tmp_path), 2)
    assert line.endswith("a backup is a file, which has its name once it is whole, and no stream")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (cannot_write(errno.ENOSPC), 1, "FILE cannot be made"),
        (cannot_write(errno.ENXIO), 1, "FILE cannot be made"),
        (cannot_write(errno.EACCES), 2, "FILE cannot be made"),
        (ConfigurationError("a directory is needed", "data_dir"), 2, "--data-dir (default): a dir"),
        (Unavailable("no answer", detail="refused"), 1, "no answer: refused"),
        (Unavailable("no answer"), 1, "no answer\n"),
        (ItemNotFound("no such object"), 1, "no such object"),
        (FileNotFoundError(2, "No such file"), 1, "No such file"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_a_command_raises_is_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail(context: object) -> int:
        raise error

    monkeypatch.setattr("kms_tornado.commands.health.run", fail)
    monkeypatch.setattr(running_module, "harden_process", lambda: None)
    monkeypatch.setattr("kms_tornado.logs.configure", lambda *_: None)
    assert run_command(COMMANDS["health"], NO_AUTH) == code
    printed = capsys.readouterr()
    assert re.fullmatch(r"kms-tornado: .*\n", printed.err)
    assert line in printed.err
    assert printed.out == ""


def test_refusal_is_one_line_whatever_the_library_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_codes.refuse("several\n  lines", 1) == 1
    assert capsys.readouterr().err == "kms-tornado: several lines\n"
