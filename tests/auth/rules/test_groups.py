"""Which groups a token's claim gives its user."""

from __future__ import annotations

import pytest

from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.rules.groups import MAX_GROUPS, build_groups
from kms_tornado.auth.tokens.token_policy import TokenPolicy
from kms_tornado.errors import ConfigurationError, TooManyGroups

from ...rows import each_row

ISSUER = TrustedIssuer("https://issuer.example/")
POLICY = TokenPolicy(group_claim="groups")


@each_row(
    ("claims", "groups"),
    [
        pytest.param({}, set(), id="absent"),
        pytest.param({"groups": []}, set(), id="an empty list"),
        pytest.param({"groups": None}, set(), id="null"),
        pytest.param({"groups": {"devs": True}}, set(), id="an object"),
        pytest.param({"groups": 7}, set(), id="a number"),
        pytest.param({"groups": "devs"}, {"group:devs"}, id="one string"),
        pytest.param({"groups": "devs ops"}, {"group:devs ops"}, id="one string with a space"),
        pytest.param({"groups": ["devs", "ops", "devs"]}, {"group:devs", "group:ops"}, id="a list"),
        pytest.param({"groups": ["devs", 7, None, ["x"], {"a": 1}, True]}, {"group:devs"}, id="other values"),
        pytest.param({"groups": ["", "*", " a", "a\u200b", "x" * 256, "Zoe\u0308"]}, set(), id="no names"),
        pytest.param({"groups": ["group:devs", "cert:devs"]}, set(), id="names that could mislead"),
        pytest.param({"groups": ["/realm/devs"]}, {"group:/realm/devs"}, id="a path"),
        pytest.param({"roles": ["devs"]}, set(), id="another claim"),
    ],
)  # fmt: skip
def test_groups_are_the_names_in_the_claim(claims: dict[str, object], groups: set[str]) -> None:
    assert build_groups(claims, issuer=ISSUER, policy=POLICY) == groups
    assert build_groups(claims, issuer=ISSUER, policy=TokenPolicy()) == frozenset()


@each_row(
    ("claim", "groups"),
    [
        pytest.param("realm_access.roles", {"group:devs"}, id="a path"),
        pytest.param("/resource_access/my.app/roles", {"group:ops"}, id="a pointer"),
        pytest.param("realm_access", set(), id="an object is no list"),
        pytest.param("realm_access.groups", set(), id="nothing there"),
    ],
)
def test_claim_of_groups_may_stand_within_another(claim: str, groups: set[str]) -> None:
    claims = {
        "realm_access": {"roles": ["devs"]},
        "resource_access": {"my.app": {"roles": ["ops"]}},
    }
    policy = TokenPolicy(group_claim=claim)
    assert build_groups(claims, issuer=ISSUER, policy=policy) == groups


def test_in_namespaces_a_group_is_one_issuers() -> None:
    policy = TokenPolicy(group_claim="groups", namespace_by_issuer=True)
    claims = {"groups": ["devs", "https://other.example/#devs"]}
    assert build_groups(claims, issuer=ISSUER, policy=policy) == {
        "group:https://issuer.example/#devs",
        "group:https://issuer.example/#https://other.example/#devs",
    }


def test_as_many_groups_as_are_read_pass_and_one_more_is_refused() -> None:
    names = list(map(str, range(MAX_GROUPS)))
    assert len(build_groups({"groups": [*names, *names, "*"]}, issuer=ISSUER, policy=POLICY)) == 256
    with pytest.raises(TooManyGroups):
        build_groups({"groups": [*names, "one more"]}, issuer=ISSUER, policy=POLICY)


def test_claim_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="group claim: a name is needed"):
        TokenPolicy(group_claim="")
