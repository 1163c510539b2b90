"""The arguments of a command, which stand between its name and the options that all commands have."""

from __future__ import annotations

from pathlib import Path

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.options import Argument, Command, Integer, Switch, Text, parse

from ..rows import each_row
from .helpers import TRUSTING

COPY = Command(
    "copy",
    "copy",
    "copies a file",
    (
        Argument(
            "FILE", Text("FILE", Path), "what is copied", is_positional=True, is_required=True
        ),
        Argument("TO", Text("TO"), "where to", is_positional=True, repeatable=True),
        Argument("dry-run", Switch(), "only say it", default=False),
        Argument("times", Integer(1, 9), "how often", default=1),
        Argument("mark", Text("WORD"), "a mark", repeatable=True),
    ),
)
NOTHING = Command("nothing", "nothing", "takes no arguments")


@each_row(
    ("argv", "changed"),
    [
        pytest.param(["f"], {}, id="what is required alone"),
        pytest.param(["f", *TRUSTING], {}, id="before the options"),
        pytest.param([*TRUSTING, "f"], {}, id="behind the options"),
        pytest.param(["--port", "1", "f", "--dev"], {}, id="between options"),
        pytest.param(["f", "a", "b"], {"to": ("a", "b")}, id="repeatable takes the rest"),
        pytest.param(["f", "--dev", "a", "--port", "1", "b"], {"to": ("a", "b")}, id="scattered"),
        pytest.param(["--dry-run", "f"], {"dry_run": True}, id="switch, which takes no word"),
        pytest.param(["f", "--times=3"], {"times": 3}, id="number"),
        pytest.param(["f", "--mark", "a", "--mark", "b"], {"mark": ("a", "b")}, id="repeated flag"),
    ],
)
def test_arguments_stand_wherever_options_leave_room(argv, changed):
    trust = [] if {"--dev", TRUSTING[0]} & {*argv} else TRUSTING
    parsed = parse([*argv, *trust], {}, command=COPY)
    expected = {"file": Path("f"), "to": (), "dry_run": False, "times": 1, "mark": ()}
    assert parsed.arguments == expected | changed


def test_a_single_dash_is_a_word():
    assert parse(["-", *TRUSTING], {}, command=COPY).arguments["file"] == Path("-")


@pytest.mark.parametrize(
    ("argv", "command", "line"),
    [
        pytest.param(
            [],
            COPY,
            "FILE (argument): is missing: kms-tornado copy FILE [TO]... [--dry-run] [--times N] "
            "[--mark WORD]... [option ...]",
            id="none",
        ),
        pytest.param([""], COPY, "FILE (argument): the value is empty", id="empty"),
        pytest.param(
            ["f", "--times", "10"], COPY, "--times (flag): out of range: 1 to 9, not 10", id="10"
        ),
        pytest.param(
            ["f", "--times", "1", "--times", "2"],
            COPY,
            "--times (flag): given more than once",
            id="twice",
        ),
        pytest.param(
            ["--tims", "f"],
            COPY,
            "--tims (flag): unknown option",
            id="what may have taken the word",
        ),
        pytest.param(
            ["x"], NOTHING, "'x' (flag): belongs to no option; is a quote missing?", id="too many"
        ),
        pytest.param(
            ["--dry-run"], NOTHING, "--dry-run (flag): unknown option", id="of another command"
        ),
    ],
)
def test_wrong_argument_is_named(argv, command, line):
    with pytest.raises(ConfigurationError) as caught:
        parse([*argv, *TRUSTING], {}, command=command)
    assert str(caught.value) == line


def test_word_that_is_no_argument_shows_no_token():
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl"
    with pytest.raises(ConfigurationError) as caught:
        parse([token, *TRUSTING], {}, command=NOTHING)
    assert str(caught.value) == "'[token]' (flag): belongs to no option; is a quote missing?"


def test_help_of_a_command_tells_its_arguments_and_the_options(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        parse(["--help"], {}, command=COPY)
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"usage: kms-tornado {COPY.usage} copies a file options:")
    assert "FILE: what is copied; TO: where to --dry-run only say it --times N how often" in text
    assert "--mark WORD a mark (repeatable)" in text
    assert "--data-dir DIR" in text


def test_help_of_the_server_lists_the_commands(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        parse(["--help"], {}, commands=[COPY, NOTHING])
    printed = capsys.readouterr().out
    assert "       kms-tornado COMMAND [argument ...] [option ...]\n" in printed
    assert "\n  copy: copies a file\n  nothing: takes no arguments\n" in printed
