"""What is printed, to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest

from kms_tornado.client.cli import output
from kms_tornado.client.cli.session import Session

from .runner import Kmsctl

TABLE = (
    ("unique_identifier", "names", "is_wrapped", "last_change", "length"),
    [
        ("uid-1", ("a", "b\x1b[0m\u202e"), True, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), 256),
        ("uid-2", (), False, None, None),
    ],
)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session({})
    with click.Context(click.Command("any"), obj=session):
        yield session


def test_table_in_a_pipe_is_bare_values(session: Session, capsys: Any) -> None:
    output.show_table(*TABLE)
    assert capsys.readouterr() == (
        "uid-1\ta,b\\x1b[0m\\u202e\ttrue\t2030-01-02T03:04:05Z\t256\nuid-2\t\tfalse\t\t\n",
        "",
    )


def test_table_as_json_has_names_and_everything_as_it_is(session: Session, capsys: Any) -> None:
    session.options.is_json = True
    output.show_table(*TABLE)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == [
        {
            "unique_identifier": "uid-1",
            "names": ["a", "b\x1b[0m\u202e"],
            "is_wrapped": True,
            "last_change": "2030-01-02T03:04:05Z",
            "length": 256,
        },
        {
            "unique_identifier": "uid-2",
            "names": [],
            "is_wrapped": False,
            "last_change": None,
            "length": None,
        },
    ]


def test_empty_table_is_nothing_in_a_pipe_and_an_empty_list_in_json(
    session: Session, capsys: Any
) -> None:
    output.show_table(("a",), [])
    assert capsys.readouterr().out == ""
    session.options.is_json = True
    output.show_table(("a",), [])
    assert json.loads(capsys.readouterr().out) == []


def test_fields_in_a_pipe_and_as_json(session: Session, capsys: Any) -> None:
    output.show_fields({"name": "alice", "expires": datetime(2030, 1, 1, tzinfo=UTC)})
    assert capsys.readouterr().out == "name\talice\nexpires\t2030-01-01T00:00:00Z\n"
    session.options.is_json = True
    output.show_fields({"name": "alice"})
    assert json.loads(capsys.readouterr().out) == {"name": "alice"}


def test_value_as_json_is_a_member_or_the_document(session: Session, capsys: Any) -> None:
    session.options.is_json = True
    output.show_value("uid-1", name="unique_identifier")
    assert json.loads(capsys.readouterr().out) == {"unique_identifier": "uid-1"}
    output.show_value("uid-1")
    assert json.loads(capsys.readouterr().out) == "uid-1"


def test_pleasantries_are_for_people_at_a_terminal(session: Session, capsys: Any) -> None:
    output.say("done")
    assert capsys.readouterr() == ("", "")
    with mock.patch("sys.stderr.isatty", return_value=True):
        output.say("done")
        assert capsys.readouterr() == ("", "done\n")
        session.options.is_quiet = True
        output.say("done")
        assert capsys.readouterr() == ("", "")


# --- asking -------------------------------------------------------------------------------------


def test_dangerous_thing_is_refused_where_nobody_can_be_asked(session: Session) -> None:
    with pytest.raises(click.UsageError, match=r"This destroys it\. .* --yes"):
        output.confirm("This destroys it.")


def test_dangerous_thing_is_done_with_yes(session: Session) -> None:
    session.options.is_confirmed = True
    output.confirm("This destroys it.")


# --- in a terminal ------------------------------------------------------------------------------

PROGRAM = """
import sys, click
from datetime import datetime, UTC
from kms_tornado.client.cli import main, output
import kms_tornado.client.cli.server as server

@click.command()
@click.pass_obj
def command(session):
    {body}

server.server_version = command
sys.exit(main.main(["server-version", *sys.argv[1:]]))
"""


def in_terminal(tmp_path: Path, body: str, *argv: str, answer: str = "", **more: str) -> Any:
    """What a command of this body prints in a terminal."""
    program = PROGRAM.format(body=body)
    return Kmsctl(tmp_path).terminal(*argv, answer=answer, program=program, **more)


ROW = (
    "output.show_table(('unique_identifier', 'time'), [('uid', datetime(2030, 1, 1, tzinfo=UTC))])"
)


def test_terminal_gets_headings_and_local_times(tmp_path: Path) -> None:
    shown = in_terminal(tmp_path, ROW, TZ="Asia/Tokyo", TERM="dumb").stdout
    assert [line.split() for line in shown.splitlines()] == [
        ["Identifier", "Time"],
        ["uid", "2030-01-01", "09:00:00+09:00"],
    ]


def test_rows_too_wide_for_the_terminal_take_two_lines_and_truth_is_named(tmp_path: Path) -> None:
    columns = ("unique_identifier", "state", "is_wrapped", "is_owned", "owner")
    rows = [("uid", "Active", True, False, None), ("u", "Pre-Active", False, True, "bob")]
    body = f"output.show_table({columns!r}, {rows!r})"
    shown = in_terminal(tmp_path, body, COLUMNS="30").stdout
    assert shown.splitlines() == [
        "uid",
        "  Active  is wrapped",
        "u",
        "  Pre-Active  is owned  bob",
    ]


def test_terminal_gets_no_colours_where_none_are_wanted(tmp_path: Path) -> None:
    assert "\x1b[1m" in in_terminal(tmp_path, ROW).stdout
    assert "\x1b" not in in_terminal(tmp_path, ROW, TERM="dumb").stdout
    assert re.findall(r"\x1b\[[34]\dm", in_terminal(tmp_path, ROW, NO_COLOR="1").stdout) == []


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("y", 0, "done"),
        ("n", 1, "nothing was done"),
        ("\n", 1, "nothing was done"),
        ("\x03", 130, ""),
    ],
    ids=["yes", "no", "return", "Ctrl-C"],
)
def test_question_in_a_terminal(tmp_path: Path, answer: str, code: int, words: str) -> None:
    body = "output.confirm('This destroys it.'); output.say('done')"
    outcome = in_terminal(tmp_path, body, answer=answer)
    assert outcome.code == code
    assert "This destroys it.\nGo on? [y/N]: " in outcome.stdout
    assert outcome.stdout.rstrip().endswith(words)
