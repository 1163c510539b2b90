"""The innermost frame that a rule names decides the stage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.stage_table import _RULES, STAGES, find_stage
from tests.bench.stages import OPERATIONS, PAGE, write_page

from ..rows import each_row

SITE = "/usr/lib/python3/site-packages"
LANE = ("/x/kms_tornado/web/fast_lane.py", "_find_answer")
RUN = (f"{SITE}/asyncio/runners.py", "run")


@each_row(
    ("frames", "stage"),
    [
        pytest.param([LANE, RUN], "read", id="the lane itself"),
        pytest.param([("/x/kms_tornado/kmip/schema_plan.py", "f"),
                      ("/x/kms_tornado/kmip/messages/bodies.py", "parse_request"), LANE], "parse", id="a helper of parsing"),
        pytest.param([("/x/kms_tornado/kmip/schema_plan.py", "f"),
                      ("/x/kms_tornado/kmip/messages/bodies.py", "format_bare_response"), LANE], "format", id="of formatting"),
        pytest.param([("/x/kms_tornado/crypto/sealing/row_mac.py", "compute"),
                      ("/x/kms_tornado/store/sqlite/reader.py", "fetch"), LANE], "crypto", id="a MAC while reading"),
        pytest.param([("/x/kms_tornado/store/sqlite/reader.py", "fetch"), LANE], "fetch", id="a read"),
        pytest.param([("/x/kms_tornado/store/sqlite/writer.py", "_run")], "commit", id="the thread that writes"),
        pytest.param([(f"{SITE}/tornado/iostream.py", "_handle_write")], "send", id="Tornado writes"),
        pytest.param([(f"{SITE}/tornado/iostream.py", "_read_to_buffer")], "read", id="Tornado reads"),
        pytest.param([("<string>", "__init__"), ("/x/kms_tornado/audit/record.py", "f"), LANE], "audit", id="a value of the audit"),
        pytest.param([(f"{SITE}/logging/__init__.py", "emit"), LANE], "log", id="a log line"),
        pytest.param([RUN], "loop", id="the loop"),
        pytest.param([("/usr/lib/python3/threading.py", "run")], "other", id="nobody's"),
        pytest.param([], "other", id="nothing"),
    ],
)  # fmt: skip
def test_stage(frames: list[tuple[str, str]], stage: str) -> None:
    assert find_stage(frames) == stage


def test_each_stage_of_a_rule_has_a_line_in_the_table() -> None:
    assert {stage for _, _, stage in _RULES} <= set(STAGES)


def test_each_rule_about_our_own_code_names_a_file_that_is_there() -> None:
    root = Path(__file__).parents[2]
    files = [str(path) for path in root.glob("kms_tornado/**/*.py")]
    own = [rule.pattern for rule, _, _ in _RULES if "kms_tornado" in rule.pattern]
    stale = [pattern for pattern in own if not any(re.search(pattern, file) for file in files)]
    assert stale == []


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_the_page_has_each_stage(database: str) -> None:
    page = PAGE.read_text()
    table = page.partition(f"<!-- stages: {database} -->\n")[2].partition("<!--")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line]
    assert rows[0][0] == "stage"
    assert set(rows[0][1:]) <= set(OPERATIONS)
    assert [row[0] for row in rows[2:]] == [*STAGES, "all"]


def test_a_table_is_put_in_place_of_the_one_before() -> None:
    page = "a\n<!-- stages: SQLite -->\nold\n<!-- end of stages -->\nz\n"
    assert write_page(page, "SQLite", "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="stages: PostgreSQL"):
        write_page(page, "PostgreSQL", "new")
