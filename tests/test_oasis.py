"""The mandatory cases of the KMIP 2.1 profiles against a running server, over HTTP.

The cases are read from ../shared, rewritten from XML to JSON TTLV, sent message by message, and the
answers compared structurally (`oasis_case`). FAILING names what fails, with its reason.
``python -m tests.oasis_table`` prints case and result.
"""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from collections.abc import Iterator

import pytest

from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.operations.discovery import PROFILES

from .kmip_items import Item
from .oasis import ABSENT, CASES, VARIABLE, leaves
from .oasis_case import (
    IGNORED,
    OWN,
    Case,
    Differs,
    owner_of,
    read_case,
    run_case,
)
from .oasis_server import ENCODINGS, FAILING, serving
from .rows import each_row


@pytest.fixture(scope="module", params=["sqlite, json", "postgresql, binary"])
def served(request, tmp_path_factory):
    """A server, and the encoding to ask it in: codecs know of no database, so two of four pairs will do."""
    database, encoding = request.param.split(", ")
    with serving(tmp_path_factory.mktemp("kms"), database) as server:
        yield server, encoding


@each_row("path", CASES, ids=lambda path: path.stem, absent=ABSENT)
def test_case_of_the_profiles(served, path):
    kms, encoding = served
    # One of the table that raises nothing passes now: it is to be taken off.
    with (
        contextlib.closing(kms.user(owner_of(path, encoding))) as user,
        pytest.raises(Differs) if path.stem in FAILING else contextlib.nullcontext(),
    ):
        run_case(read_case(path), ENCODINGS[encoding](user))


# --- the comparison itself ----------------------------------------------------------------------


def recorded_answers(case: Case) -> Iterator[tuple[Item, Item]]:
    """What is expected, and the same as an answer: each variable has some value."""
    known = {
        found[1]: f"<{found[1]}>"
        for pair in case.pairs
        for message in pair
        for leaf in leaves(message)
        if (found := VARIABLE.fullmatch(str(leaf["value"])))
    }
    for _, expected in case.pairs:
        case.variables = dict(known)
        yield expected, copy.deepcopy(case.filled(expected))


@each_row("path", CASES, ids=lambda path: path.stem, absent=ABSENT)
def test_recorded_answers_are_what_the_comparison_accepts(path):
    case = read_case(path)
    for expected, recorded in recorded_answers(case):
        case.compare(expected, recorded)


CHANGED = {
    "Integer": lambda value: f"{value}|CRLSign" if isinstance(value, str) else value + 1,
    "Boolean": lambda value: not value,
    "TextString": lambda value: f"{value}x",
}


@each_row("path", CASES, ids=lambda path: path.stem, absent=ABSENT)
def test_comparison_notices_any_other_value(path):
    case = read_case(path)
    for expected, recorded in recorded_answers(case):
        for leaf in compared(recorded):
            before = leaf["value"]
            leaf["value"] = (
                "OperationPending"
                if leaf["tag"] == "ResultStatus"
                else CHANGED[leaf["type"]](before)
            )
            with pytest.raises(Differs):
                case.compare(expected, recorded)
            leaf["value"] = before


def compared(item: Item) -> Iterator[Item]:
    """The leaves whose values count one by one."""
    if item["tag"] in {*IGNORED, *OWN, "VendorIdentification"}:
        return
    if isinstance(item["value"], list):
        for child in item["value"]:
            yield from compared(child)
    elif item["type"] in CHANGED or item["tag"] == "ResultStatus":
        yield item


@pytest.mark.skipif(not CASES, reason=ABSENT)
@each_row("profile", PROFILES, ids=lambda profile: profile.cases)
def test_profile_is_claimed_whose_cases_all_pass(profile):
    cases = {path.stem for path in CASES if path.stem.startswith(profile.cases)}
    assert cases
    assert cases.isdisjoint(FAILING)
    assert ENUMERATIONS["ProfileName"].oasis[profile.number].endswith("Server")


@pytest.mark.skipif(not CASES, reason=ABSENT)
def test_table_names_cases_only():
    names = Counter(path.stem for path in CASES)
    assert set(FAILING) <= set(names)
    assert len(names) == 86
