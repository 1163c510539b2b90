"""Which noun has which verbs, and that the lists of them load nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..loaded import HEAVY, MODULES
from ..runner import Kmsctl

#: Noun → its verbs.
ENDING = ["activate", "revoke", "destroy"]
KEYS = ["create", "export", "import", "rekey", "re-key", *ENDING]
VERBS = {
    "sym": ["keys", "encrypt", "decrypt"],
    "sym keys": KEYS,
    "rsa": ["keys", "encrypt", "decrypt", "sign", "sign-verify"],
    "rsa keys": KEYS,
    "ec": ["keys", "sign", "sign-verify"],
    "ec keys": KEYS,
    "secret-data": ["create", "export", "import", *ENDING],
    "certificates": ["export", "import", *ENDING, "encrypt", "decrypt"],
}


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


@pytest.mark.parametrize("noun", VERBS)
def test_help_of_a_noun_lists_its_verbs(kmsctl: Kmsctl, noun: str) -> None:
    outcome = kmsctl(*noun.split(), "--help")
    _, _, listed = outcome.stdout.partition("Commands:\n")
    verbs = [line.split()[0] for line in listed.splitlines() if line[2:3].strip()]
    assert set(verbs) >= set(VERBS[noun])


@pytest.mark.parametrize("noun", VERBS)
def test_every_verb_explains_itself_with_an_example(kmsctl: Kmsctl, noun: str) -> None:
    for verb in VERBS[noun]:
        outcome = kmsctl(*noun.split(), verb, "--help")
        assert outcome.code == 0, outcome.stderr
        assert f"Usage: kmsctl {noun} {verb}" in outcome.stdout
        assert verb == "keys" or "kmsctl " in outcome.stdout.partition("Options:")[2] or (
            "\n  kmsctl " in outcome.stdout
        )  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sym", "keys", "--help"], None),
        (["certificates", "--help"], None),
        ([], "kmsctl sym keys ex"),
        ([], "kmsctl rsa si"),
    ],
)
def test_lists_and_completion_of_verbs_load_next_to_nothing(
    kmsctl: Kmsctl, argv: list[str], words: str | None
) -> None:
    variables = {}
    if words:
        count = str(len(words.split()) - 1)
        variables = {"_KMSCTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *argv], env=kmsctl.environment(**variables),
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    names = done.stderr.splitlines()[-1].split()[2:]
    assert not {name for name in names if name.startswith(HEAVY)}
    if words:
        assert done.stdout.split(",")[1].strip().startswith(words.split()[-1])
