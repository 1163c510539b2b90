"""A principal and its claims cannot be changed, and show no claim in a repr."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from kms_tornado.auth.principal import Claims, Principal

from ..rows import each_row
from .samples import ISSUER, NOW


def test_verified_claims_cannot_be_changed() -> None:
    """A remembered token hands the same claims to the next request."""
    claims = Claims.freeze({"roles": ["user"], "org": {"id": 1}})
    attempts: list[Any] = [
        lambda: claims.update(admin=True),
        lambda: claims.__setitem__("a", 1),
        lambda: claims.__delitem__("roles"),
        lambda: claims.setdefault("a", 1),
        lambda: claims.pop("roles"),
        lambda: claims.popitem(),
        lambda: claims.clear(),
        lambda: claims.__ior__({"a": 1}),
        lambda: claims["org"].update(id=2),
        lambda: claims["roles"].append("admin"),
        lambda: claims["roles"].__iadd__(["admin"]),
        lambda: claims["roles"].__imul__(2),
        lambda: claims["roles"].extend(["admin"]),
        lambda: claims["roles"].insert(0, "admin"),
        lambda: claims["roles"].__setitem__(0, "admin"),
        lambda: claims["roles"].__delitem__(0),
        lambda: claims["roles"].clear(),
        lambda: claims["roles"].pop(),
        lambda: claims["roles"].remove("user"),
        lambda: claims["roles"].sort(),
        lambda: claims["roles"].reverse(),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    assert claims == {"roles": ["user"], "org": {"id": 1}}


def test_a_copy_of_verified_claims_is_plain() -> None:
    copied = pickle.loads(pickle.dumps(Claims.freeze({"roles": ["user"]})))
    copied["roles"].append("x")
    assert copied == {"roles": ["user", "x"]}


def test_a_principal_is_frozen_and_its_claims_are_not_in_its_repr() -> None:
    who = Principal("alice", "alice", ISSUER, Claims.freeze({"ssn": "123-45"}), NOW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        who.name = "bob"  # type: ignore[misc]
    assert "123-45" not in repr(who)


def test_token_of_a_principal_is_in_no_repr_copy_or_pickle() -> None:
    claims = Claims.freeze({"sub": "alice"})
    remembered = Principal("alice", "1", ISSUER, claims, NOW, "k1", frozenset({"group:a"}))
    who = remembered.with_token("x.y.z")
    assert (who.token, remembered.token) == ("x.y.z", "")
    assert (who, hash(who)) == (remembered, hash(remembered))
    assert dataclasses.astuple(who) == dataclasses.astuple(remembered)
    for shown in (repr(who), f"{who}", str(dataclasses.asdict(who)), str(pickle.dumps(who))):
        assert "x.y.z" not in shown
    for copied in (copy.copy(who), copy.deepcopy(who), pickle.loads(pickle.dumps(who))):
        assert (copied, copied.token) == (who, "")
    with pytest.raises((AttributeError, TypeError)):
        who.token = "a.b.c"  # type: ignore[misc]


@each_row(
    ("claims", "scopes"),
    [
        pytest.param({}, (), id="none"),
        pytest.param({"scope": "a b  a"}, ("a", "b"), id="a text"),
        pytest.param({"scp": ["b", "a"]}, ("b", "a"), id="a list"),
        pytest.param({"scope": "a", "scp": "b a"}, ("a", "b"), id="both"),
        pytest.param({"scope": ["a", 1, None, ["b"]], "scp": {"c": 1}}, ("a",), id="odd values"),
        pytest.param({"scope": 7, "scp": True}, (), id="numbers"),
    ],
)
def test_scopes_are_listed_once_each_from_both_claims(
    claims: dict[str, Any], scopes: tuple[str, ...]
) -> None:
    who = Principal("alice", "alice", ISSUER, Claims.freeze(claims), NOW)
    assert who.scopes == scopes
