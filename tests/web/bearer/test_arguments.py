"""Mistakes of an application that embeds the handlers are told where they are made, in one line that helps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.web import Application, RequestHandler

from kms_tornado import BearerAuth, BearerRequestHandler, RequiredClaim, handlers, requires
from kms_tornado.auth.issuers.issuer import TrustedIssuer, TrustSettings
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.auth.tokens.token_policy import TokenPolicy
from kms_tornado.errors import ConfigurationError
from kms_tornado.settings.service import make_service_settings

from ...rows import each_row
from ...support import running

ISSUER = "https://issuer.example/"


@each_row(
    ("name", "hint"),
    [
        ("leeway", "did you mean leeway_s?"),
        ("user", "did you mean user_claim?"),
        ("algorithm", "did you mean algorithms?"),
        ("required_claim", "did you mean required_claims?"),
        ("audienc", "did you mean audience?"),
        ("jwks_url", "did you mean jwks_uri?"),
        ("caching_size", "did you mean cache_size?"),
        ("zzz", "it has algorithms, allow_unverified_email, audience, audience_claim, "),
    ],
)
def test_argument_that_from_issuer_does_not_have_is_told(name: str, hint: str) -> None:
    arguments: Any = {name: 30}
    with pytest.raises(TypeError) as refused:
        BearerAuth.from_issuer(ISSUER, **arguments)
    message = str(refused.value)
    assert message.startswith(f"BearerAuth.from_issuer() has no argument {name}: {hint}")
    assert "\n" not in message


def test_audience_is_spelled_as_an_issuer_has_it_too() -> None:
    for audiences in ("my-api", ["my-api"], iter(["my-api"])):
        auth = BearerAuth.from_issuer(ISSUER, audiences=audiences)
        assert auth.settings.issuers == (TrustedIssuer(ISSUER, audiences=frozenset({"my-api"})),)
    with pytest.raises(TypeError, match="are the same argument"):
        BearerAuth.from_issuer(ISSUER, audience="a", audiences="a")


def test_argument_that_handlers_does_not_have_is_told(tmp_path: Path) -> None:
    for name, meant in {"datadir": "data_dir", "max_body_bytes": "max_body_size"}.items():
        arguments: Any = {name: tmp_path}
        with pytest.raises(
            TypeError, match=rf"^handlers\(\) has no argument {name}: did you mean {meant}"
        ):
            handlers("/kms", **arguments)


def test_policy_takes_any_iterable_and_a_single_text() -> None:
    claim = RequiredClaim("role", "clerk")
    for algorithms, types in (
        ("RS256", "at+jwt"),
        (["RS256"], ["at+jwt"]),
        ({"RS256"}, ("at+jwt",)),
    ):
        auth = BearerAuth.from_issuer(
            ISSUER, audience="a", algorithms=algorithms, token_types=types, required_claims=[claim]
        )
        assert auth.settings.policy == TokenPolicy(
            algorithms=frozenset({"RS256"}), token_types=frozenset({"at+jwt"}), required_claims=(claim,)
        )  # fmt: skip
    assert BearerAuth.from_issuer(ISSUER, audience="a").settings.policy == TokenPolicy()


def test_a_text_alone_is_one_entry_and_never_its_letters() -> None:
    claim = RequiredClaim("role", "clerk")
    one: Any = TrustedIssuer(
        ISSUER, audiences="my-api", token_types="at+jwt", required_claims=claim  # type: ignore[arg-type]
    )  # fmt: skip
    many: Any = TrustedIssuer(ISSUER, audiences=["my-api"], token_types=["AT+JWT"])  # type: ignore[arg-type]
    assert one.audiences == many.audiences == {"my-api"}
    trust = TrustSettings(issuers=(one,))
    assert trust.policy_of(one) == TokenPolicy(
        token_types=frozenset({"at+jwt"}), required_claims=(claim,)
    )
    policy: Any = TokenPolicy(algorithms="ES256", token_types="JWT")  # type: ignore[arg-type]
    assert (policy.algorithms, policy.token_types) == ({"ES256"}, {"jwt"})
    settings = make_service_settings(privileged_users="alice", auditors="root")
    assert [*settings.privileged_users, *settings.auditors] == ["alice", "root"]


@each_row(
    "make",
    [
        lambda: RequiredClaim("role", ["clerk"]),  # type: ignore[arg-type]
        lambda: RequiredClaim("role", None),  # type: ignore[arg-type]
        lambda: RequiredClaim("role", ({"clerk"},)),  # type: ignore[arg-type]
        lambda: BearerAuth.from_issuer(ISSUER, required_claims={"scope": "read"}),  # type: ignore[dict-item]
        lambda: BearerAuth.from_issuer(ISSUER, required_claims="scope=read"),  # type: ignore[arg-type]
        lambda: TrustSettings((TrustedIssuer(ISSUER, required_claims=("scope",)),)),  # type: ignore[arg-type]
        lambda: TrustedIssuer(ISSUER, audiences=[7]),  # type: ignore[arg-type]
    ],
    ids=["list", "None", "set", "mapping", "text", "of an issuer", "audience"],
)
def test_what_no_token_can_be_compared_with_is_refused_where_it_is_written(
    make: Callable[[], object],
) -> None:
    with pytest.raises(ConfigurationError, match=r"^(required claim|required_claims|audiences): "):
        make()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"max_body_size": 0}, "max_body_size: a whole number, at least 1 byte"),
        ({"max_body_size": "1M"}, "max_body_size: a whole number, at least 1 byte"),
        ({"user_rate": -1}, "user_rate: a whole number, not negative"),
        ({"user_concurrency": 0.5}, "user_concurrency: a whole number, not negative"),
    ],
)
def test_bounds_that_handlers_cannot_keep_are_refused(
    arguments: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        handlers("/kms", data_dir=tmp_path / "data", **arguments)
    assert str(refused.value) == text


@pytest.mark.parametrize(
    "prefix",
    ["kms", "/", "/kms/", "//kms", "/a//b", "/a/../b", "/.", "/k ms", "/kms?x", "/kms#x", "/ü", "/%zz", "/a|b"],
)  # fmt: skip
def test_prefix_that_no_request_would_have_is_refused(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"prefix"):
        handlers(prefix, data_dir=tmp_path / "data")


def test_prefix_is_a_path_and_no_pattern(tmp_path: Path) -> None:
    kms = handlers("/c++/(kms.v1)*", data_dir=tmp_path / "data", auth=InsecureNoAuth("somebody"))
    with running(lambda: Application([*kms])) as client:
        metadata = client.get("/.well-known/oauth-protected-resource/c++/(kms.v1)*")
        assert metadata.json()["resource"].endswith("/c++/(kms.v1)*")
        assert client.get("/c++/(kms.v1)*/version").status == 200
        for other in ("/c++/kms.v1/version", "/c++/(kmsxv1)*/version", "/c/(kms.v1)*/version"):
            assert client.get(other).status == 404


@each_row(
    "claims",
    [
        {}, {"scope": ""}, {"scope": "  "}, {"scope": ["a"]}, {"scope": 5}, {"scope": True}, {"role": None}, {"role": {"a"}},
        {"role": ()}, {"role": ("a", None)}, {"scope": ()}, {"scope": ("a b",)}, {"scope": ("a", "")}, {"scope": ("a", 5)},
        {"level": float("nan")}, {"level": float("inf")},
    ],
)  # fmt: skip
def test_requires_refuses_what_guards_nothing_or_nobody_could_meet(claims: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"^requires\(\) takes claims"):
        requires(**claims)


@each_row("argument", ["orders:write", str.join, RequiredClaim("scope", ("a b", "c")), None])
def test_requires_without_the_name_of_a_claim_is_refused(argument: Any) -> None:
    with pytest.raises(TypeError, match=r"^requires\(\) takes claims"):
        requires(argument)


@each_row("methods", ["GET", ("get",), ("GET", "FETCH"), None, 7, ["GET", "post"]])
def test_public_methods_that_would_mean_others_are_refused_with_the_class(methods: Any) -> None:
    with pytest.raises(TypeError, match=r"^Orders\.public_methods must be a tuple of HTTP methods"):
        type("Orders", (BearerRequestHandler,), {"public_methods": methods})


class Orders(BearerRequestHandler):
    def get(self) -> None:
        self.write("never")


class Unprotected(RequestHandler):
    @requires(scope="a")  # type: ignore[type-var]
    def get(self) -> None:
        self.write("never")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, "no bearer_auth"),
        ({"bearer_auth": None}, "no bearer_auth"),
        ({"bearer_auth": ISSUER}, "as bearer_auth a str"),
        ({"bearer_auth": BearerAuth}, "as bearer_auth a type"),
        (
            {"bearer_auth": TrustSettings(issuers=(TrustedIssuer(ISSUER),))},
            "as bearer_auth a TrustSettings",
        ),
    ],
    ids=["missing", "None", "text", "class", "settings"],
)
def test_missing_bearer_auth_is_a_500_and_the_log_says_what_to_write(
    settings: dict[str, Any], found: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(lambda: Application([("/orders", Orders)], **settings)) as client:
        for token in (None, "x.y.z"):
            answer = client.get("/orders", token=token)
            assert (answer.status, answer.json()["error"]) == (500, "server_error")
    lines = [record for record in caplog.records if record.name == "kms_tornado.auth"]
    assert len(lines) == 2
    for line in lines:
        assert line.levelno == logging.ERROR
        assert line.exc_info is None
        assert line.getMessage().partition(" request_id=")[0] == (
            "GET /orders: Orders refuses every request, because the application's settings have "
            f"{found}: write tornado.web.Application(routes, bearer_auth=BearerAuth.from_issuer(…))"
        )


def test_mounted_kms_without_bearer_auth_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """A probe of readiness finds it before the first request does."""
    kms = handlers("/kms", data_dir=tmp_path / "data")
    with running(lambda: Application([*kms]), kms) as client:
        answer = client.get("/kms/ready")
        assert answer.status == 503
        assert "the application's settings have no bearer_auth" in answer.text
        assert client.get("/kms/whoami", token="x.y.z").status == 500


def test_requires_on_a_handler_that_knows_no_token_lets_nobody_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running(lambda: Application([("/", Unprotected)])) as client:
        assert client.get("/", token="x.y.z").status == 500
    assert "@requires needs a handler with BearerAuthMixin, not Unprotected" in caplog.text
