"""The blocks that are not run: what they name exists.

Commands have only options that there are, configuration is accepted, programs compile and their
imports succeed, JSON that is TTLV has tags that KMIP has.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kms_tornado import options
from kms_tornado.client.cli.session import Session
from kms_tornado.client.configuration.configuration import parse_configuration
from kms_tornado.commands import find_command, find_unknown_command
from kms_tornado.kmip.tables import TAG_NUMBERS
from kms_tornado.web.app import METRICS_ROUTE, ROUTES

from .. import kmsctl_page
from . import (
    test_answers,
    test_audit_format,
    test_backup,
    test_deploying,
    test_embedding,
    test_file_format,
    test_kmip_port,
    test_kmsctl_page,
    test_postgresql,
    test_python_client,
    test_runbook,
    test_sessions,
    test_tutorial,
)
from .blocks import ROOT, Block, blocks

_RUNNERS = (
    test_answers,
    test_audit_format,
    test_backup,
    test_deploying,
    test_embedding,
    test_file_format,
    test_kmip_port,
    test_kmsctl_page,
    test_postgresql,
    test_python_client,
    test_runbook,
    test_sessions,
    test_tutorial,
)
_RUN = {each for runner in _RUNNERS for each in runner.BLOCKS}
BLOCKS = [
    each
    for each in blocks()
    if each not in _RUN and each.language in {"sh", "python", "json", "toml"}
]

_TRUST = ["--jwt-issuer-uri", "https://issuer.example.com/"]
_ENVIRONMENTS = re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE)


def of(language: str) -> Any:
    return pytest.mark.parametrize(
        "block", [pytest.param(b, id=b.place) for b in BLOCKS if b.language == language]
    )


@of("sh")
def test_commands_and_their_options_exist(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for command in commands_of(block.text):
        check_command(command)


def commands_of(text: str) -> list[list[str]]:
    """Each command's words; comments and the shell's own words left out."""
    lines = text.replace("\\\n", " ").splitlines()
    words = [word for line in lines for word in [*shlex.split(line, comments=True), ";"]]
    commands: list[list[str]] = [[]]
    for word in words:
        if word in {"&&", ";", "|", "||"}:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def check_command(command: list[str]) -> None:
    match command:
        case ["kms-tornado" | "kms_tornado", *arguments]:
            check_options(arguments)
        case ["python", "-m", "kms_tornado", *arguments]:
            check_options(arguments)
        case ["kmsctl", *arguments]:
            check_kmsctl(arguments)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module) is not None
        case ["pip", "install", *packages]:
            for extra in re.findall(r"\[(\w+)\]", " ".join(packages)):
                assert extra in extras(), extra
        case ["tox", *arguments]:
            for name in re.findall(r"-e (\S+)", " ".join(arguments)):
                assert {*name.split(",")} <= {*_ENVIRONMENTS, "py"}, name
        case ["curl", *arguments]:
            paths = [re.match(r"(?:\$KMS_URL|https?://[^/]+)(/.*)", word) for word in arguments]
            assert any(paths), f"no URL of the server in {command}"
            for path in filter(None, paths):
                check_route(path[1])
        case [
            "cp" | "chmod" | "git" | "sqlite3" | "pg_dump" | "systemctl" | "kill" | "openssl",
            *_,
        ]:
            pass  # the machine's own
        case _ if re.match(r"(export )?\w+=", " ".join(command)):
            pass
        case _:
            raise AssertionError(f"nothing checks {command[0]}: see tests/docs/test_checks.py")


def check_options(arguments: list[str]) -> None:
    """As the server reads them. Any file will do: what the page names is not on this machine."""
    arguments = [word for word in arguments if word != "…"]
    for place, word in enumerate(arguments):
        if (
            re.fullmatch(r"--[\w-]+-file|-c|--config", word)
            and not Path(arguments[place + 1]).exists()
        ):
            arguments[place + 1] = "/dev/null" if word in {"-c", "--config"} else __file__
    needs_issuer = not {"--dev", "--insecure-no-auth", "--jwt-issuer-uri"} & {*arguments}
    trust = _TRUST if needs_issuer else []
    command, rest = find_command(arguments)
    assert find_unknown_command(rest) is None or command is not None
    with contextlib.suppress(SystemExit):  # --help, --version
        options.parse([*rest, *trust], {}, command=command)


def check_kmsctl(arguments: list[str]) -> None:
    command, rest = kmsctl_page.find_command(arguments)
    with command.make_context("kmsctl", list(rest), obj=Session({})):
        pass


def check_route(path: str) -> None:
    path = path.partition("?")[0]
    routes = [route for route, _ in [*ROUTES, METRICS_ROUTE]]
    assert any(re.fullmatch(route, path) for route in routes), path


def extras() -> dict[str, Any]:
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    found: dict[str, Any] = setup.call_args.kwargs["extras_require"]
    return found


@of("toml")
def test_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    if "http_config" in block.text:
        assert parse_configuration(block.text, block.place).warnings == ()
        return
    file = tmp_path / "kms.toml"
    file.write_text(re.sub(r'(?m)^([\w-]+-file) = ".*"$', rf'\1 = "{__file__}"', block.text))
    has_issuer = re.search("^(jwt-issuer-uri|dev|insecure-no-auth)", block.text, re.MULTILINE)
    options.parse(["-c", str(file), *([] if has_issuer else _TRUST)], {})


@of("python")
def test_program_compiles_and_its_imports_succeed(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text, block.place)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), alias.name


@of("json")
def test_json_is_json_and_ttlv_has_known_tags(block: Block) -> None:
    check_node(json.loads(block.text))


def check_node(value: Any) -> None:
    if isinstance(value, list):
        for child in value:
            check_node(child)
    elif isinstance(value, dict) and "tag" in value:
        assert value.keys() <= {"tag", "type", "value"}
        assert value["tag"] in {*TAG_NUMBERS, "IvCounterNonce", "ByteString"}, value["tag"]
        check_node(value["value"])
