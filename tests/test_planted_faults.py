"""The list of planted faults stays true: each of its lines is there, and what replaces it compiles."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from .planted_faults import ROOT, Outcome, copy_source, format_row, run_tests
from .planted_faults_table import FAULTS, RULES, Fault
from .rows import each_row


@each_row("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_can_still_be_planted(fault: Fault) -> None:
    source = (ROOT / fault.path).read_text()
    assert "\n" not in fault.old + fault.new
    faulty = fault.plant(source)
    assert faulty != source
    if fault.path.suffix == ".py":
        compile(faulty, str(fault.path), "exec")


def test_tests_that_must_catch_it_exist() -> None:
    @functools.cache
    def text_of(file: str) -> str:
        return (ROOT / "tests" / file).read_text()

    assert [fault.name for fault in FAULTS if not fault.tests] == []
    absent = [
        f"{fault.name}: {file}::{name}"
        for fault in FAULTS
        for file, _, name in (test.partition("::") for test in fault.tests)
        if f"def {name.partition('[')[0]}" not in text_of(file)
    ]
    assert absent == []


def test_every_rule_has_its_faults_and_every_fault_its_name() -> None:
    assert {fault.rule for fault in FAULTS} == set(RULES)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 24


def test_line_that_is_not_there_once_is_no_place_for_a_fault() -> None:
    fault = Fault("S1", "nothing", "errors.py", "x = 1", "x = 2", ())
    assert fault.plant("x = 1\n") == "x = 2\n"
    for source in ("", "x = 1\nx = 1\n"):
        with pytest.raises(ValueError, match="not once"):
            fault.plant(source)


def test_verdict_is_told_from_what_the_tests_say(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    good, bad, broken = "assert True", "assert False", "this is no Python"
    for name, body in (("good", good), ("bad", bad), ("broken", broken)):
        text = f"def test_it():\n    {body}\n"
        (tmp_path / f"tests/test_{name}.py").write_text(text)
    outcomes = [run_tests(tmp_path, [f"test_{name}.py"]) for name in ("good", "bad", "broken")]
    assert [outcome.verdict for outcome in outcomes] == ["MISSED", "caught", "BROKEN"]
    assert [outcome.by for outcome in outcomes] == [None, "test_bad.py::test_it", None]


def test_row_says_what_was_planted_and_what_caught_it() -> None:
    fault = Fault("S1", "a nonce is taken twice", "x.py", "a", "b", ("test_x.py",))
    assert format_row(fault, Outcome("test_x.py::test_it", None, 2.4)) == (
        "caught S1  a nonce is taken twice [2 s] test_x.py::test_it"
    )
    assert format_row(fault, Outcome(None, None, 1.0)).startswith("MISSED S1 ")


def test_copy_is_what_the_tests_run_on(tmp_path: Path) -> None:
    copy = copy_source(tmp_path)
    module = "kms_tornado/errors/kmip.py"
    assert (copy / module).read_text() == (ROOT / module).read_text()
    assert (copy / "tox.ini").is_file()
