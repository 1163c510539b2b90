"""An explanation says of each check what a server would, and ends as the server does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado import errors
from kms_tornado.auth.deny_list import parse_deny_list
from kms_tornado.auth.issuers.issuer import TrustedIssuer, TrustSettings
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.auth.rules.explaining import (
    Step,
    count_other_claims,
    explain_claims,
    explain_keys,
    explain_reading,
    find_answer,
    list_counting_claims,
    show,
)
from kms_tornado.auth.rules.verifier import TokenVerifier
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.errors import AuthenticationError, KMSError, UnknownKey

from ...rows import each_row
from ..samples import ABSENT, ISSUER, NOW, OTHER, token, trust
from .explained_tokens import KEYS, ROWS, claims

NAMES = [
    "form", "algorithm", "issuer", "type", "key", "signature",
    "times", "audience", "subject", "deny list", "binding", "user name", "groups",
    "required claims",
]  # fmt: skip


DENIED = parse_deny_list(b"sub=mallory")


def explain(text: str, trusted: TrustSettings, keys: KeySet = KEYS) -> list[Step]:
    reading = explain_reading(text, trusted)
    return [
        *reading.steps,
        *explain_keys(reading, keys),
        *explain_claims(reading, trusted, now=NOW, denied=DENIED),
    ]


def decide(text: str, trusted: TrustSettings, keys: KeySet = KEYS) -> KMSError | None:
    """As `Authenticator` does, with one key set before and after a refresh."""
    verifier = TokenVerifier(trusted)
    try:
        unverified, issuer = verifier.parse(text)
        try:
            verifier.verify(unverified, issuer, keys, now=NOW, denied=DENIED)
        except UnknownKey:
            verifier.check_unverified_claims(unverified, issuer, now=NOW)
            raise
    except AuthenticationError as exc:
        return exc
    return None


@each_row(("error", "step", "text", "keys", "policy"), ROWS)
def test_check_that_fails_is_named_and_is_the_servers_answer(
    error: type[KMSError], step: str, text: str, keys: KeySet, policy: dict[str, Any]
) -> None:
    trusted = trust(**policy)
    steps = explain(text, trusted, keys)
    failed = [each for each in steps if each.error is not None]
    assert failed[0].name == step
    assert type(failed[0].error) is error
    assert failed[0].text
    answer, decided = find_answer(steps), decide(text, trusted, keys)
    assert type(answer) is type(decided) is error
    assert str(answer) == str(decided)


def _leaves(cls: type) -> Iterator[type]:
    for subclass in cls.__subclasses__():
        if subclass.__module__.startswith("kms_tornado"):
            yield subclass
            yield from _leaves(subclass)


def test_every_way_to_refuse_a_token_has_a_row() -> None:
    shown = {error.values[0] for error in ROWS}
    # Those of a request are no matter of the token.
    of_request = {errors.NotPossessed, *_leaves(errors.NotPossessed)}
    assert shown == {*_leaves(errors.InvalidToken), errors.InsufficientScope} - of_request


@pytest.mark.parametrize(
    "policy", [{}, {"group_claim": "g", "required_claims": (RequiredClaim("g", "a"),)}]
)
def test_good_token_passes_every_check(policy: dict[str, Any]) -> None:
    steps = explain(claims(g=["b", "a"]), trust(**policy))
    assert [step.name for step in steps] == NAMES
    assert all(step.is_made and step.error is None and step.text for step in steps)
    assert find_answer(steps) is None


def test_checks_behind_the_one_that_fails_are_made_all_the_same() -> None:
    steps = explain(token({"kid": "k9"}, {"exp": 1, "aud": "x", "sub": "*"}), trust())
    assert {step.name for step in steps if step.error is not None} == {
        "key",
        "times",
        "audience",
        "user name",
    }
    assert [step.name for step in steps if not step.is_made] == ["signature"]


def test_issuer_is_chosen_by_what_the_token_names() -> None:
    trusted = trust(TrustedIssuer(ISSUER), TrustedIssuer(OTHER), namespace_by_issuer=True)
    steps = {step.name: step.text for step in explain(claims(iss=OTHER), trusted)}
    assert steps["issuer"] == f'"{OTHER}" is configured'
    assert steps["user name"] == f'sub makes the user "{OTHER}#alice"'
    assert steps["audience"] == "is not checked"


def test_tenant_and_the_rules_of_its_issuer_are_told() -> None:
    uri = "https://login.example/{tenantid}/v2.0"
    issuer = TrustedIssuer(
        uri, "https://login.example/keys", user_claim=("oid",), tenants=frozenset({"t1", "t2"})
    )
    trusted = trust(issuer, namespace_by_issuer=True)
    text = claims(iss="https://login.example/t1/v2.0", tid="t1", oid="o")
    steps = {step.name: step.text for step in explain(text, trusted)}
    assert steps["issuer"] == '"https://login.example/t1/v2.0" is configured, for the tenant "t1"'
    assert steps["user name"] == 'oid makes the user "https://login.example/t1/v2.0#o"'
    assert {"tid", "oid"} <= set(list_counting_claims(explain_reading(text, trusted), trusted))
    other = claims(iss="https://login.example/t1/v2.0", tid="t2", oid="o")
    failed = [step for step in explain(other, trusted) if step.error is not None]
    assert (failed[0].name, failed[0].text) == ("issuer", "tid is not the tenant of iss")


def test_claims_that_count_are_listed_and_no_others() -> None:
    trusted = trust(
        user_claim="email", group_claim="g", required_claims=(RequiredClaim("scope", "a"),)
    )
    text = claims(email="a@x", email_verified=True, g=["b"], scope="a", at_hash="secret", phone="1")
    listed = list_counting_claims(explain_reading(text, trusted), trusted)
    assert set(listed) == {
        "iss",
        "exp",
        "iat",
        "aud",
        "sub",
        "email",
        "email_verified",
        "g",
        "scope",
    }
    assert list_counting_claims(explain_reading("opaque", trusted), trusted) == {}


def test_claim_within_another_is_listed_by_its_path() -> None:
    required = (RequiredClaim("/r/a", "x"), RequiredClaim("/r/b", "x"), RequiredClaim("gone", 1))
    trusted = trust(
        group_claim="realm.groups",
        required_claims=required,
        user_claim=("email", "cid"),
        audience_claim=("aud", "cid"),
    )
    text = claims(
        aud=ABSENT, cid="kms", realm={"groups": ["g"]}, r={"a": "x", "b": "y", "c": "z"}, p=1
    )
    reading = explain_reading(text, trusted)
    listed = list_counting_claims(reading, trusted)
    assert {"cid", "realm.groups", "/r/a", "/r/b"} <= set(listed)
    assert not {"realm", "r", "gone"} & set(listed)
    assert listed["/r/b"] == '"y"'
    assert count_other_claims(reading, trusted) == 1
    steps = {step.name: step.text for step in explain(text, trusted)}
    assert steps["audience"] == 'cid is "kms"'
    assert steps["user name"] == 'cid makes the user "kms"'
    assert steps["groups"] == 'realm.groups makes ["group:g"]'
    assert steps["required claims"] == "the required claim /r/b is missing or differs"


@each_row("value", ["a\x1b[2Jb", "a\nb", "\ud800", "\u202e", "x" * 9999, {"a": ["\r"]}])
def test_value_is_shown_on_one_short_line(value: Any) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert len(shown) < 250
    shown.encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
MEMBERS = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "g", "scope"]), VALUES
)


@settings(max_examples=150)
@given(changes=MEMBERS, kid=st.sampled_from(["ES256-1", "k9", None]))
def test_explanation_of_any_claims_ends_as_the_server_does(
    changes: dict[str, Any], kid: str | None
) -> None:
    trusted = trust(group_claim="g", required_claims=(RequiredClaim("scope", "kms"),))
    text = token({"kid": kid if kid is not None else ABSENT}, changes)
    steps = explain(text, trusted)
    answer, decided = find_answer(steps), decide(text, trusted)
    assert (type(answer), str(answer)) == (type(decided), str(decided))
    signature = text.rpartition(".")[2]
    assert all(signature not in step.text and step.text.isprintable() for step in steps)


@settings(max_examples=100)
@given(
    st.text()
    | st.from_regex(
        r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}", fullmatch=True
    )
)
def test_garbage_is_explained_too(text: str) -> None:
    steps = explain(text, trust())
    assert steps[0].name == "form"
    assert isinstance(find_answer(steps), AuthenticationError)


def test_what_a_bound_token_has_to_come_with_is_told() -> None:
    key, certificate = "A" * 43, "B" * 42 + "A"
    text = claims(cnf={"jkt": key, "x5t#S256": certificate})
    [step] = [each for each in explain(text, trust()) if each.name == "binding"]
    assert step.error is None
    assert key in step.text
    assert certificate in step.text
    reading = explain_reading(text, trust())
    assert "cnf" in list_counting_claims(reading, trust())
    off = trust(bound_tokens="off")
    assert "cnf" not in list_counting_claims(reading, off)
    [step] = [each for each in explain(text, off) if each.name == "binding"]
    assert step.text == "is not looked at"
