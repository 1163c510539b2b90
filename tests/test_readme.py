"""README, CONTRIBUTING.md and the tables in docs/ are true: commands, links, names.

The blocks of code of all pages are run or checked in tests/docs.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kms_tornado import errors, options
from kms_tornado.domain.lifecycle import Use
from kms_tornado.kmip.enums import State
from kms_tornado.web.app import METRICS_ROUTE, ROUTES

from . import support_table
from .docs.blocks import ROOT, block, pages
from .issuer import Issuer
from .rows import each_row
from .server import environment, eventually, free_port
from .support import Client

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
HTTP = (ROOT / "docs/http.md").read_text()


def test_readme_is_a_page() -> None:
    assert len(README.splitlines()) <= 110


# --- the commands -------------------------------------------------------------------------------


@each_row("file", [".ci/run", ".github/workflows/test.yml", "CONTRIBUTING.md"])
def test_test_command_is_the_same_everywhere(file: str) -> None:
    command = block("README.md", "sh", "tox -e").text.strip()
    assert command in (ROOT / file).read_text()


def test_ci_runs_on_every_version_that_the_package_names() -> None:
    setup = (ROOT / "setup.py").read_text()
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', setup)
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    assert re.findall(r'"(3\.\d+)"', workflow) == versions


def test_embedding_example_serves_a_user_and_refuses_strangers(tmp_path: Path) -> None:
    port = free_port()
    with Issuer("ES256") as issuer:
        code = block("README.md", "python", "from_issuer").text
        code = code.replace("https://tenant.eu.auth0.com/", issuer.uri).replace("8888", str(port))
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(),
            stderr=subprocess.DEVNULL,
        )
        try:
            client = Client(port)
            eventually(lambda: _is_up(client), timeout_s=30)
            answer = client.get("/orders", token=issuer.token(aud="my-api"))
            assert answer.json()["user"] == "alice"
            assert client.get("/orders", token=issuer.token(aud="another-api")).status == 401
        finally:
            process.kill()
            process.wait()


def _is_up(client: Client) -> bool:
    try:
        return client.get("/orders").status == 401
    except OSError:
        return False


def test_embedding_example_is_about_ten_lines() -> None:
    code = block("README.md", "python", "from_issuer").text
    lines = [line for line in code.splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith(("import ", "from "))]) <= 10


# --- what the pages name ------------------------------------------------------------------------


def _without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _links() -> list[tuple[Path, str]]:
    return [
        (page, target)
        for page in pages()
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", _without_code(page.read_text()))
    ]


@functools.cache
def _anchors(file: Path) -> frozenset[str]:
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    )


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page, target in _links():
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(f"{page.name}: {target}")
    assert broken == []


def _named_paths() -> list[tuple[Path, str]]:
    """What stands as `code` and is a path of this repository."""
    return [
        (page, path)
        for page in pages()
        for path in re.findall(
            r"`((?:kms_tornado|tests|conf|docs|examples)/[\w/.-]+)`",
            _without_code(page.read_text()),
        )
    ]


def test_every_path_that_a_page_names_exists() -> None:
    named = sorted(set(_named_paths()))
    assert [f"{page.name}: {path}" for page, path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", sorted(support_table.PLACES.values()))
def test_tables_are_the_server_s_own(page: str) -> None:
    """``python -m tests.support_table`` writes them."""
    text = (ROOT / page).read_text()
    assert support_table.rewritten(text, page) == text


@each_row("path", [route for route, _ in [*ROUTES, METRICS_ROUTE]])
def test_every_route_is_listed(path: str) -> None:
    assert f"{path.replace('(.+)', '{uid}')}`" in HTTP


@each_row(
    "words",
    sorted(
        {
            cls.description.removeprefix("token ")
            for cls in vars(errors).values()
            if isinstance(cls, type)
            and issubclass(cls, errors.AuthenticationError)
            and cls not in {errors.AuthenticationError, errors.InvalidToken}
        }
    ),
)
def test_every_refusal_is_explained(words: str) -> None:
    assert words in HTTP


def test_every_option_is_in_the_list() -> None:
    listed = (ROOT / "docs/options.md").read_text()
    file = (ROOT / "conf/kms.toml").read_text()
    assert "../conf/kms.toml" in listed
    assert [o.name for o in options.OPTIONS if o.in_file and f"\n#{o.name} =" not in file] == []


def test_every_provider_has_a_section() -> None:
    page = (ROOT / "docs/providers.md").read_text()
    files = {path.name for path in (ROOT / "conf").glob("*.toml")} - {"kms.toml"}
    included = set(re.findall(r"\{literalinclude\} \.\./conf/([\w-]+\.toml)", page))
    assert included == files


def test_table_of_states_says_what_the_life_cycle_does() -> None:
    uses = (Use.PROTECT, Use.PROCESS, Use.READ, Use.INSPECT, Use.CHANGE)
    rows = [
        f"| {state.name.replace('_', '-').title()} | "
        + " | ".join("yes" if state in use.states else "no" for use in uses)
        + " |"
        for state in State
    ]
    assert "\n".join(rows) in (ROOT / "docs/keys.md").read_text()


# --- where the tests are ------------------------------------------------------------------------


def test_table_of_tests_names_every_package_and_folders_that_exist() -> None:
    rows = dict(re.findall(r"^\| `(kms_tornado[\w/]*)` \| `(tests[\w/]*)`", CONTRIBUTING, re.M))
    packages = {
        str(path.parent.relative_to(ROOT))
        for path in (ROOT / "kms_tornado").rglob("__init__.py")
        if "migrations" not in path.parts
    }
    assert set(rows) == packages, "CONTRIBUTING.md, Where the tests are"
    assert [tests for tests in rows.values() if not (ROOT / tests).is_dir()] == []


def test_every_module_has_a_test_file_of_its_name_or_a_row_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `(kms_tornado/[\w/]+\.py)` \| (.+) \|$", CONTRIBUTING, re.M))
    without = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "kms_tornado").rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
        if not _mirror_of(path).exists()
    }
    assert set(rows) == without, "CONTRIBUTING.md, Where the tests are"
    named = {name for cell in rows.values() for name in re.findall(r"`([^`]+)`", cell)}
    assert [name for name in named if not (ROOT / name).exists()] == []


def _mirror_of(module: Path) -> Path:
    within = module.relative_to(ROOT / "kms_tornado")
    return ROOT / "tests" / within.parent / f"test_{within.name}"
