"""What `GET /objects` may ask for."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.enums import ObjectType, State
from kms_tornado.service.objects.listing_request import (
    MAX_OBJECTS,
    MAX_TEXT_LENGTH,
    BadListingRequest,
    ListingRequest,
    parse_listing_request,
    refuse_parameters,
)

from ...rows import each_row


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
            "cursor": ["of the answer before"],
        }
    )
    assert request == ListingRequest(
        is_owned=True,
        states=frozenset({State.PRE_ACTIVE, State.ACTIVE}),
        object_types=frozenset({ObjectType.SYMMETRIC_KEY}),
        text="invoice",
        needs_attention=True,
        limit=MAX_OBJECTS,
        cursor="of the answer before",
    )


@each_row(
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
        pytest.param({"cursor": ["a", "a"]}, id="cursor twice"),
    ],
)
def test_what_makes_no_sense_is_refused_without_repeating_it(
    parameters: dict[str, list[str]],
) -> None:
    with pytest.raises(BadListingRequest) as refusal:
        parse_listing_request(parameters)
    assert "xx" not in str(refusal.value)


def test_where_there_are_no_parameters_any_is_refused_without_repeating_it() -> None:
    refuse_parameters({})
    with pytest.raises(BadListingRequest) as refusal:
        refuse_parameters({"xx": ["xx"]})
    assert "xx" not in str(refusal.value)
