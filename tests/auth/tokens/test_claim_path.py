"""Where a claim stands: its exact name, a path with dots, a JSON pointer."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.auth.principal import Claims
from kms_tornado.auth.tokens.claim_path import check_claim_path, find_claim, find_outermost
from kms_tornado.errors import ConfigurationError

from ...rows import each_row

CLAIMS: dict[str, Any] = {
    "sub": "alice",
    "none": None,
    "realm_access": {"roles": ["kms"], "a.b": 1},
    "resource_access": {"my.app": {"roles": ["x"]}, "a/b": 2, "c~d": 3, "": 4},
    "exact.name": "exact",
    "exact": {"name": "within"},
    "https://kms.example.com/roles": ["r"],
    "/pointed": "exact",
    "pointed": "within",
    "list": ["zero", {"one": 1}],
}


@each_row(
    ("name", "value"),
    [
        pytest.param("sub", "alice", id="a claim"),
        pytest.param("absent", None, id="no claim"),
        pytest.param("none", None, id="null"),
        pytest.param("realm_access.roles", ["kms"], id="a path"),
        pytest.param("realm_access.absent", None, id="no member"),
        pytest.param("realm_access.a.b", None, id="names with dots are no path's"),
        pytest.param("realm_access.roles.0", None, id="a path leads into no list"),
        pytest.param("sub.x", None, id="nor into a text"),
        pytest.param("none.x", None, id="nor into null"),
        pytest.param("absent.x", None, id="nor from nothing"),
        pytest.param("exact.name", "exact", id="the exact name goes first"),
        pytest.param("https://kms.example.com/roles", ["r"], id="a name that is a URL"),
        pytest.param("/realm_access/roles", ["kms"], id="a pointer"),
        pytest.param("/resource_access/my.app/roles", ["x"], id="a pointer to a name with dots"),
        pytest.param("/resource_access/a~1b", 2, id="a slash in a name"),
        pytest.param("/resource_access/c~0d", 3, id="a tilde in a name"),
        pytest.param("/resource_access/", 4, id="an empty name"),
        pytest.param("/pointed", "exact", id="the exact name goes first, with a slash too"),
        pytest.param("/sub", "alice", id="a pointer to a claim"),
        pytest.param("/list/0", "zero", id="an item"),
        pytest.param("/list/1/one", 1, id="a member of an item"),
        pytest.param("/list/2", None, id="behind the last item"),
        pytest.param("/list/-", None, id="no item"),
        pytest.param("/list/-1", None, id="not from the end"),
        pytest.param("/list/01", None, id="a leading zero"),
        pytest.param("/list/\u0661", None, id="a digit of another script"),
        pytest.param("/", None, id="a claim with an empty name"),
        pytest.param("/realm_access/roles/x", None, id="no index"),
    ],
)
def test_claim_is_found_by_its_name_a_path_or_a_pointer(name: str, value: Any) -> None:
    assert find_claim(CLAIMS, name) == value
    assert find_claim(Claims.freeze(CLAIMS), name) == value


@each_row(
    ("name", "outermost"),
    [
        ("sub", "sub"), ("absent", "absent"), ("realm_access.roles", "realm_access"), ("exact.name", "exact.name"),
        ("/resource_access/my.app", "resource_access"),
    ],
)  # fmt: skip
def test_claim_that_a_path_leads_into_is_known(name: str, outermost: str) -> None:
    assert find_outermost(CLAIMS, name) == outermost


@each_row("name", ["", "/a~b", "/a~", "/~2"])
def test_name_that_nothing_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^group claim: "):
        check_claim_path(name, "group claim")


@each_row("name", ["a", "a.b", "/a~0~1", "a~b", "..", "/"])
def test_any_other_name_is_taken(name: str) -> None:
    check_claim_path(name, "group claim")
