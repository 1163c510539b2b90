"""What `GET /objects` may ask for."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.enums import ObjectType, State
from kms_tornado.service.listing_request import (
    MAX_OBJECTS,
    MAX_TEXT_LENGTH,
    BadListingRequest,
    ListingRequest,
    format_cursor,
    parse_listing_request,
)
from kms_tornado.store.interface.lists import ListPosition


def test_without_parameters_the_newest_of_the_caller_s_own_are_asked_for() -> None:
    assert parse_listing_request({}) == ListingRequest()


def test_every_parameter_counts() -> None:
    request = parse_listing_request(
        {
            "of": ["owned"],
            "state": ["PreActive,Active"],
            "type": ["SymmetricKey"],
            "text": ["InVoice"],
            "attention": ["true"],
            "limit": [str(MAX_OBJECTS)],
            "cursor": [format_cursor(ListPosition(5, 7))],
        }
    )
    assert request == ListingRequest(
        is_owned=True,
        states=frozenset({State.PRE_ACTIVE, State.ACTIVE}),
        object_types=frozenset({ObjectType.SYMMETRIC_KEY}),
        text="invoice",
        needs_attention=True,
        limit=MAX_OBJECTS,
        after=ListPosition(5, 7),
    )


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"owner": ["alice"]}, id="unknown"),
        pytest.param({"of": ["owned", "obtained"]}, id="twice"),
        pytest.param({"of": ["all"]}, id="of"),
        pytest.param({"state": ["active"]}, id="state"),
        pytest.param({"state": [""]}, id="empty state"),
        pytest.param({"type": ["SymmetricKey,"]}, id="type"),
        pytest.param({"text": ["x" * (MAX_TEXT_LENGTH + 1)]}, id="text"),
        pytest.param({"attention": ["1"]}, id="attention"),
        pytest.param({"attention": ["true"], "of": ["obtained"]}, id="attention of others'"),
        pytest.param({"grantee": [""]}, id="grantee"),
        pytest.param({"grantee": ["bob"], "of": ["obtained"]}, id="grantee of others'"),
        pytest.param({"limit": ["0"]}, id="no limit"),
        pytest.param({"limit": [str(MAX_OBJECTS + 1)]}, id="limit"),
        pytest.param({"limit": ["١"]}, id="other digits"),
        pytest.param({"cursor": ["1"]}, id="cursor"),
        pytest.param({"cursor": ["1.2.3"]}, id="longer cursor"),
        pytest.param({"cursor": ["-1.2"]}, id="negative cursor"),
        pytest.param({"cursor": [f"{10**18}.1"]}, id="huge cursor"),
    ],
)
def test_what_makes_no_sense_is_refused_without_repeating_it(
    parameters: dict[str, list[str]],
) -> None:
    with pytest.raises(BadListingRequest) as refusal:
        parse_listing_request(parameters)
    assert "xx" not in str(refusal.value)
