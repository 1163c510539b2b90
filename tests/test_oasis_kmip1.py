"""The OASIS cases of KMIP 1.0, 1.2 and 1.4 against a running server, over POST /kmip in binary, those of 1.4 in JSON, too.

As `test_oasis`; ``python -m tests.oasis_table --version 1.2`` has all of them in both encodings. `oasis_kmip1` names what fails, with its reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re

import pytest

from .kms import ROOT
from .oasis import ABSENT, KMIP1_CASES, leaves
from .oasis_case import Case, Differs, owner_of, read_case, run_case
from .oasis_kmip1 import reason_to_fail, unused_rows
from .oasis_server import ENCODINGS, serving
from .rows import each_row


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("kms"), "sqlite") as server:
        yield server


@each_row("path", KMIP1_CASES, ids=lambda path: f"{path.parent.name}/{path.stem}", absent=ABSENT)
def test_case_of_kmip_1(kms, path):
    is_to_fail = reason_to_fail(path) is not None
    for encoding in ["binary", "json"] if path.parent.name.endswith("1.4") else ["binary"]:
        # One that is to fail and raises nothing passes now: it is to be taken off the table.
        with (
            contextlib.closing(kms.user(owner_of(path, encoding))) as user,
            pytest.raises(Differs) if is_to_fail else contextlib.nullcontext(),
        ):
            run_case(read_case(path), ENCODINGS[encoding](user))


def answered_at_once(case: Case) -> Case:
    """The case of a client that takes no asynchronous answers: Archive gets at once what Poll got later."""
    pairs = []
    for request, response in case.pairs:
        if any(leaf["value"] == "Poll" for leaf in leaves(request)):
            pairs[-1] = (pairs[-1][0], response)
            continue
        header, *items = request["value"]
        fields = [part for part in header["value"] if part["tag"] != "AsynchronousIndicator"]
        pairs.append(({**request, "value": [{**header, "value": fields}, *items]}, response))
    return dataclasses.replace(case, pairs=pairs)


@each_row(
    "path",
    [path for path in KMIP1_CASES if path.stem.startswith("TC_101_")],
    ids=lambda path: path.stem,
    absent=ABSENT,
)
def test_case_of_archiving_passes_but_for_its_asynchronous_answers(kms, path):
    for encoding, over in ENCODINGS.items():
        with contextlib.closing(kms.user(f"at-once-{owner_of(path, encoding)}")) as user:
            run_case(answered_at_once(read_case(path)), over(user))


@pytest.mark.skipif(not KMIP1_CASES, reason=ABSENT)
def test_table_names_cases_only():
    assert len(KMIP1_CASES) == 267
    assert unused_rows(KMIP1_CASES) == set()


@pytest.mark.skipif(not KMIP1_CASES, reason=ABSENT)
@each_row("version", ["1.0", "1.2", "1.4"])
def test_page_about_versions_has_the_figures(version):
    cases = [path for path in KMIP1_CASES if path.parent.name.endswith(version)]
    passing = sum(reason_to_fail(path) is None for path in cases)
    page = (ROOT / "docs/kmip-versions.md").read_text()
    (row,) = (line for line in page.splitlines() if f"OASIS, KMIP {version}" in line)
    assert [int(number) for number in re.findall(r"\b\d\d+\b", row)] == [passing, len(cases)]
