"""Protocol versions, and what the table says of them."""

from __future__ import annotations

import enum

import pytest

from kms_tornado import errors
from kms_tornado.kmip.enums import ResultReason
from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.kmip.versions import (
    HISTORY,
    SUPPORTED_VERSIONS,
    Changes,
    ProtocolVersion,
    Vocabulary,
    check_supported,
    choose_answer_version,
    format_versions,
    select_versions,
)

V20, V21 = ProtocolVersion(2, 0), ProtocolVersion(2, 1)

# --- which versions -----------------------------------------------------------------------------


def test_newest_version_is_preferred():
    assert [*map(str, SUPPORTED_VERSIONS)] == ["2.1", "2.0", "1.4", "1.3", "1.2", "1.1", "1.0"]


@pytest.mark.parametrize("supported", SUPPORTED_VERSIONS, ids=str)
def test_supported_version_passes(supported):
    check_supported(supported)


@pytest.mark.parametrize(
    "unsupported", [ProtocolVersion(1, 5), ProtocolVersion(2, 2), ProtocolVersion(3, 0)], ids=str
)
def test_unsupported_version_is_answered_with_those_to_try(unsupported):
    with pytest.raises(
        errors.UnsupportedProtocolVersion,
        match=r"this server speaks KMIP 2\.1, 2\.0, 1\.4, .* and 1\.0",
    ):
        check_supported(unsupported)
    assert format_versions() == "2.1, 2.0, 1.4, 1.3, 1.2, 1.1 and 1.0"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        pytest.param((1, 2), (1, 2), id="one of ours"),
        pytest.param((1, 7), (1, 4), id="the newest of its major version"),
        pytest.param((2, 9), (2, 1), id="the newest of all"),
        pytest.param((3, 0), (2, 1), id="no such major version"),
        pytest.param((0, 9), (1, 0), id="older than all"),
    ],
)
def test_refusal_is_in_a_version_that_the_client_may_know(asked, answered):
    assert choose_answer_version(ProtocolVersion(*asked)) == ProtocolVersion(*answered)


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        pytest.param((), tuple(SUPPORTED_VERSIONS), id="none: all of ours"),
        pytest.param((V20, V21), (V20, V21), id="in the client's order"),
        pytest.param((V20, V21, V20), (V20, V21), id="each once"),
        pytest.param((ProtocolVersion(3, 0), V20), (V20,), id="what both speak"),
        pytest.param((ProtocolVersion(3, 0),), (), id="nothing in common"),
    ],
)
def test_discovery_selects_what_both_sides_speak(offered, selected):
    assert select_versions(offered) == selected


# --- the table ----------------------------------------------------------------------------------

#: What KMIP 2.0 has (§11.24, §11.45 and §11.23 of its specification) and PyKMIP leaves out.
_NOT_IN_PYKMIP = {
    ("KeyFormatType", 0x17),  # PKCS#10
    ("ResultReason", 0x48),  # Private Protection Storage Unavailable
    ("ResultReason", 0x49),  # Public Protection Storage Unavailable
    ("ItemType", 0x0B),  # Date Time Extended
}
_NAMES_IN_PYKMIP = {"Tag": "Tags", "ItemType": "Types"}


def test_what_a_client_of_2_0_does_not_know_is_in_the_row_of_2_1():
    """Every enumeration of the tables, tags included, beside those of PyKMIP 0.11, which ends with 2.0."""
    theirs = pytest.importorskip("kmip.core.enums")
    unknown = set()
    for name, enumeration in ENUMERATIONS.items():
        peer = getattr(theirs, _NAMES_IN_PYKMIP.get(name, name), None)
        if enumeration.name != name or not isinstance(peer, enum.EnumType):
            continue
        known = {member.value for member in peer}
        unknown |= {(name, number) for number in {*enumeration.oasis} - known if number < 1 << 31}
    added = HISTORY[V21].added
    numbers = ENUMERATIONS["Tag"].exact
    assert unknown - _NOT_IN_PYKMIP == {
        *added.values,
        *(("Tag", numbers[tag]) for tag in added.tags),
    }
    assert added.attributes <= added.tags


def test_row_with_a_reason_that_nothing_stands_in_for_is_refused():
    reason = ("ResultReason", int(ResultReason.CONSTRAINT_VIOLATION))
    added = Vocabulary(values=frozenset({reason}))
    with pytest.raises(ValueError, match="stand-in"):
        Changes(added=added)
    Changes(added=added, stand_ins={reason: int(ResultReason.INVALID_FIELD)})
