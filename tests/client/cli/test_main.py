"""kmsctl as a program: what it loads, what it says of mistakes, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Place
from .loaded import HEAVY, loaded_by
from .runner import ROOT, Kmsctl


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


# --- start-up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        pytest.param(["--help"], {}, id="help"),
        pytest.param(["--version"], {}, id="version"),
        pytest.param(["server-version", "--help"], {}, id="help of a command"),
        pytest.param(["completion", "bash"], {}, id="completion script"),
        pytest.param(
            [],
            {"_KMSCTL_COMPLETE": "bash_complete", "COMP_WORDS": "kmsctl se", "COMP_CWORD": "1"},
            id="completion",
        ),
    ],
)
def test_help_and_completion_load_next_to_nothing(
    kmsctl: Kmsctl, argv: list[str], variables: dict[str, str]
) -> None:
    code, names = loaded_by(kmsctl, *argv, **variables)
    assert code == 0
    assert not {name for name in names if name.startswith(HEAVY)}
    assert len(names) <= 150  # the interpreter has some 60 of its own, click 70


def test_plain_command_loads_what_one_request_needs(place: Place, kmsctl: Kmsctl) -> None:
    code, names = loaded_by(
        kmsctl, "server-version", KMS_URL=place.url, KMS_TOKEN=place.token("alice@example.com")
    )
    assert code == 0
    assert "urllib3" in names
    unwanted = set(HEAVY) - {"urllib3", "kms_tornado.kmip"}
    assert not names & {*unwanted, "asyncio", "tornado", "sqlalchemy", "tomlkit", "jose"}
    assert len(names) <= 325


# --- mistakes on the command line ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["server-versoin"], ["did you mean server-version?"], id="command"),
        pytest.param(
            ["frobnicate"], ["no such command", "are the commands here"], id="nothing like it"
        ),
        pytest.param(["--jsn", "server-version"], ["--jsn", "--json"], id="option before"),
        pytest.param(["server-version", "--jsn"], ["--jsn", "--json"], id="option behind"),
        pytest.param(["server-version", "more"], ["more"], id="argument too many"),
    ],
)
def test_mistake_is_answered_with_one_line_that_helps_and_exit_code_2(
    kmsctl: Kmsctl, argv: list[str], words: list[str]
) -> None:
    outcome = kmsctl(*argv)
    assert outcome.code == 2
    assert outcome.stdout == ""
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("kmsctl: ")
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        pytest.param(["encrypt", "f", "--for", "a", "--for", "b"], "--for", id="two recipients"),
        pytest.param(["encrypt", "f", "--for", "a", "-k", "a"], "--for", id="two spellings"),
        pytest.param(["locate", "--name=a", "-n", "b"], "--name", id="a criterion"),
        pytest.param(["sym", "keys", "create", "-l", "128", "-l", "256"], "--number-of-bits", id="deep"),
    ],
)  # fmt: skip
def test_option_that_takes_one_value_is_given_once(
    kmsctl: Kmsctl, argv: list[str], option: str
) -> None:
    """Of two recipients, the last one alone could read the file."""
    outcome = kmsctl(*argv)
    assert outcome.code == 2
    assert outcome.stderr.startswith(f"kmsctl: {option} takes one value: give it once (see ")


def test_options_that_may_come_again_do(place: Place, kmsctl: Kmsctl) -> None:
    """Tags, flags, and what an alias has given already."""
    made = kmsctl(
        "--url", "http://127.0.0.1:1", "sym", "keys", "create", "-t", "a", "-t", "b", "--json", "--json",
        "--url", "http://127.0.0.1:1", "--url", place.url, KMS_TOKEN=place.token("alice"),
    )  # fmt: skip
    assert made.code == 0, made.stderr


def test_help_is_asked_for_as_a_command_too(kmsctl: Kmsctl) -> None:
    for words in ([], ["share"], ["sym", "keys", "export"]):
        asked = kmsctl("help", *words)
        assert (asked.code, asked.stdout) == (0, kmsctl(*words, "--help").stdout)
        assert asked.stdout.startswith("Usage: kmsctl")


def test_no_command_at_all_shows_the_help_and_exits_with_2(kmsctl: Kmsctl) -> None:
    outcome = kmsctl()
    assert outcome.code == 2
    assert "server-version" in outcome.stderr
    assert outcome.stdout == ""


def test_ctrl_c_while_the_program_is_loaded_is_no_traceback(kmsctl: Kmsctl) -> None:
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from kms_tornado.client.cli.main import main; sys.exit(main(['ls']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=kmsctl.environment(), cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# --- without the extra --------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["click"])
def test_missing_extra_is_told_in_one_line(kmsctl: Kmsctl, package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from kms_tornado.client.cli.main import main; sys.exit(main(['--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=kmsctl.environment(), cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"kmsctl: the package {package} is not installed: pip install 'kms-tornado[client]'\n"
    )


# --- the letters of ckms ------------------------------------------------------------------------


def test_version_has_the_letter_of_ckms(kmsctl: Kmsctl) -> None:
    assert kmsctl("-V").stdout == kmsctl("--version").stdout


def test_letter_of_the_configuration_stands_before_the_command_and_is_the_commands_own_behind_it(
    kmsctl: Kmsctl,
) -> None:
    outcome = kmsctl("-c", "no-such-file", "locate")
    assert (outcome.code, "no-such-file" in outcome.stderr) == (2, True)
    outcome = kmsctl("ec", "keys", "create", "-c", "no-such-curve")
    assert "is not one of 'nist-p256'" in outcome.stderr
