"""The terminal that the pages are followed at is one, for the programs that run in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .terminal import SHELLS, see, terminal


@pytest.mark.parametrize("shell", SHELLS)
def test_shell_runs_lines_in_a_terminal_of_its_own(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    with terminal(tmp_path, {"NAME": "it's"}, shell=shell) as screen:
        assert screen.run('test -t 0 && test -t 1 && echo "$NAME"') == ("it's\n", 0)
        assert screen.run("export A=b; false")[1] == 1
        assert screen.run("echo $A; stty size") == ("b\n40 100\n", 0)
        assert screen.paste(["echo 1", "cat < /dev/null", "echo 2"])[2] == ("2\n", 0)
    assert "$ echo $A; stty size\nb\n40 100\n" in screen.transcript


def test_person_at_the_terminal_may_act_while_a_command_waits(tmp_path: Path) -> None:
    def watch(printed: str) -> str:
        if printed.endswith("Who?"):
            return "bob\n"
        if "go on\n" in printed:
            (tmp_path / "flag").touch()
        return ""

    with terminal(tmp_path, {}, watch=watch) as screen:
        waiting = "echo go on; until test -e flag; do sleep 0.01; done; echo done"
        assert screen.run(waiting) == ("go on\ndone\n", 0)
        asking = "read -p 'Who? ' name && echo $name"
        assert screen.run(asking) == ("Who? bob\nbob\n", 0)


def test_what_is_seen_is_the_last_state_of_a_line_without_its_colours() -> None:
    assert see(b"10 %\r100 %\r\n\x1b[1;32mdone\x1b[0m  \r\n") == "100 %\ndone\n"
