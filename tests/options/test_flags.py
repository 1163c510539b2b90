"""The command line, its help, and what is printed instead of serving."""

from __future__ import annotations

import ast

import pytest

import kms_tornado
from kms_tornado.options import OPTIONS, Switch, parse

from .helpers import PACKAGE, TRUSTING, refusal


def test_help_names_every_flag_with_its_variable_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        parse(["--help"], {"KMS_PORT": "nonsense"})
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        if option.is_flag:
            assert f" {option.flag} " in text
            assert f"[env var: {option.variable}]" in text
        if option.default is not None and not isinstance(option.kind, Switch):
            default = " ".join(option.default) if option.repeatable else option.default
            default = str(default).lower() if isinstance(default, bool) else default
            assert f"(default: {default})" in text
    assert "KMS_MASTER_KEY" in text
    assert "config file values which override defaults" in text


def test_version_names_the_program(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--version"], {})
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"kms-tornado {kms_tornado.__version__}\n"


def test_print_config_is_noticed():
    assert parse([*TRUSTING, "--print-config"], {}).print_config
    assert not parse(TRUSTING, {}).print_config


def test_only_options_imports_configargparse():
    importers = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        if "configargparse" not in source:  # to parse all of them takes a second
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [alias.name for alias in node.names] + [getattr(node, "module", "")]
            if "configargparse" in names:
                importers.add(path.relative_to(PACKAGE).as_posix())
    assert importers == {"options/flags.py"}


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("--host", "; did you mean --hostname?"),
        ("--issuer", "; did you mean --jwt-issuer-uri?"),
        ("--tls-cert", "; did you mean --tls-cert-file?"),
        ("--database", "; did you mean --database-url?"),
        ("--print-confg", "; did you mean --print-config?"),
        ("--versoin", "; did you mean --version?"),
        ("--claim", ""),  # there are several
        ("--colour", ""),
        ("-p", ""),
    ],
)
def test_unknown_flag_comes_with_the_one_that_was_probably_meant(flag, hint):
    assert refusal([*TRUSTING, flag]) == f"{flag} (flag): unknown option{hint}"
