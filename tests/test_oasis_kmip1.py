"""The OASIS cases of KMIP 1.0, 1.2 and 1.4 against a running server, over POST /kmip in binary, those of 1.4 in JSON, too.

As `test_oasis`; ``python -m tests.oasis_table --version 1.2`` has all of them in both encodings. `oasis_kmip1` names what fails, with its reason.
"""

from __future__ import annotations

import contextlib

import pytest

from .oasis import KMIP1_CASES
from .oasis_case import Differs, owner_of, read_case, run_case
from .oasis_kmip1 import reason_to_fail, unused_rows
from .test_oasis import ENCODINGS, serving


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("kms"), "sqlite") as server:
        yield server


@pytest.mark.parametrize("path", KMIP1_CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case_of_kmip_1(kms, path):
    reason = reason_to_fail(path)
    encodings = ["binary", "json"] if path.parent.name.endswith("1.4") else ["binary"]
    failed = []
    for encoding in encodings:
        with contextlib.closing(kms.user(owner_of(path, encoding))) as user:
            try:
                run_case(read_case(path), ENCODINGS[encoding](user))
            except Differs as exc:
                if reason is None:
                    raise
                failed.append(str(exc))
    if reason is not None:
        assert len(failed) == len(encodings), "it passes now: take it off the table"
        pytest.xfail(f"{reason} ({failed[0]})")


@pytest.mark.skipif(not KMIP1_CASES, reason="the cases are not here")
def test_table_names_cases_only():
    assert len(KMIP1_CASES) == 267
    assert unused_rows(KMIP1_CASES) == set()
