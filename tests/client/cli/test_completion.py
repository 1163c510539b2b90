"""completion, and what a shell is answered."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from kms_tornado.client.cli.commands import COMMANDS

from .runner import COMMAND, Kmsctl


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_asks_kmsctl(kmsctl: Kmsctl, shell: str) -> None:
    outcome = kmsctl("completion", shell)
    assert outcome.code == 0
    assert f"_KMSCTL_COMPLETE={shell}_complete" in outcome.stdout


def test_bash_takes_the_script(kmsctl: Kmsctl) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    script = kmsctl("completion", "bash").stdout + "\ncomplete -p kmsctl\n"
    done = subprocess.run([bash], input=script, capture_output=True, text=True, check=False)
    assert "_kmsctl_completion" in done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_by_the_script_and_shows_whole_descriptions(
    kmsctl: Kmsctl, tmp_path: Path
) -> None:
    program = tmp_path / "kmsctl"
    command, *arguments = COMMAND
    program.write_text(f'#!/bin/sh\nexec {command} {shlex.join(arguments)} "$@"\n')
    program.chmod(0o755)
    script = kmsctl("completion", "fish").stdout + '\ncomplete -C "kmsctl access-r"\n'
    done = subprocess.run(
        ["fish"], input=script, capture_output=True, text=True, check=False,
        env=kmsctl.environment(PATH=f"{tmp_path}:{os.environ['PATH']}"),
    )  # fmt: skip
    assert done.stdout == f"access-rights\t{COMMANDS['access-rights'][1]}\n", done.stderr


def test_unknown_shell_is_refused(kmsctl: Kmsctl) -> None:
    outcome = kmsctl("completion", "tcsh")
    assert outcome.code == 2
    assert "bash" in outcome.stderr


def complete(kmsctl: Kmsctl, words: str) -> list[str]:
    """What bash would offer for the last of the words."""
    outcome = kmsctl(
        _KMSCTL_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert (outcome.code, outcome.stderr) == (0, "")
    return [line.partition(",")[2] for line in outcome.lines]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("kmsctl ser", ["server-version"]),
        ("kmsctl access-rights o", ["owned", "obtained"]),
        ("kmsctl locate --cryptographic-l", ["--cryptographic-length"]),
        ("kmsctl locate --object-type Secr", ["SecretData"]),
        ("kmsctl --js", ["--json"]),
        ("kmsctl completion z", ["zsh"]),
    ],
)
def test_commands_options_and_values_are_completed(
    kmsctl: Kmsctl, words: str, offered: list[str]
) -> None:
    assert sorted(complete(kmsctl, words)) == sorted(offered)


def test_all_commands_are_offered(kmsctl: Kmsctl) -> None:
    assert complete(kmsctl, "kmsctl ") == list(COMMANDS)
