"""A wrong type of an argument is told where it is written, by the argument's name, and never with its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import (
    BearerApplication,
    BearerAuth,
    FastAnswer,
    Principal,
    RefreshPolicy,
    RequiredClaim,
    TokenPolicy,
    TrustedIssuer,
    TrustSettings,
    handlers,
)
from kms_tornado.argument_types import check_type, make_path
from kms_tornado.auth.bound.replays import ProcessReplays, SharedProofs
from kms_tornado.client import ConnectionSettings, KMSClient, PEMPair, ProxySettings
from kms_tornado.errors import ConfigurationError, WrongArgumentType
from kms_tornado.testing import TestIssuer, fake_auth

from .rows import each_row

ISSUER = TrustedIssuer("https://issuer.example")
NO_TEXTS: tuple[Any, ...] = (5, None, b"a", {"a": 1}, [5], [None], [["a"]], object())
NO_TEXT: tuple[Any, ...] = (5, True, b"a", ["a"], {}, object())
NO_NUMBER: tuple[Any, ...] = ("5", b"5", True, [5], {}, object())
NO_SWITCH: tuple[Any, ...] = ("false", 0, 1, None, [], object())


def make_issuer(**arguments: Any) -> TrustedIssuer:
    return TrustedIssuer(**{"uri": "https://issuer.example", **arguments})


def make_auth(**arguments: Any) -> BearerAuth:
    return BearerAuth.from_issuer(
        **{"issuer": "https://issuer.example", "audience": "a", **arguments}
    )


def make_trust(**arguments: Any) -> TrustSettings:
    return TrustSettings(**{"issuers": (ISSUER,), **arguments})


def make_claim(**arguments: Any) -> RequiredClaim:
    return RequiredClaim(**{"name": "role", "value": "clerk", **arguments})


def make_kms(**arguments: Any) -> object:
    return handlers(**{"prefix": "/kms", "data_dir": "kms-data", **arguments})


def make_connection(**arguments: Any) -> ConnectionSettings:
    return ConnectionSettings(**{"server_url": "https://kms.example", **arguments})


def make_client(**arguments: Any) -> object:
    return KMSClient(**{"settings": make_connection(), **arguments})


def make_principal(**arguments: Any) -> object:
    fields = {"name": "alice", "subject": "alice", "issuer": "i", "claims": {}, "expires_at": 1}
    return fake_auth(Principal(**{**fields, **arguments}))


#: (constructor, {argument: values of a wrong type})
_WRONG: tuple[tuple[Callable[..., object], Mapping[str, tuple[Any, ...]]], ...] = (
    (
        TokenPolicy,
        {
            **dict.fromkeys(("algorithms", "token_types", "audience_claim", "user_claim"), (5, b"a", {"a": 1}, [5], [["a"]])),
            **dict.fromkeys(("allow_unverified_email", "namespace_by_issuer", "needs_dpop_nonce"), NO_SWITCH),
            **dict.fromkeys(("leeway_s", "max_age_s"), NO_NUMBER),
            **dict.fromkeys(("group_claim", "bound_tokens", "deny_file"), NO_TEXT),
            "required_claims": (5, None, "", b"", {}, {"scope": "read"}, ["scope=read"], [RequiredClaim]),
        },
    ),
    (
        make_issuer,
        {
            "uri": (*NO_TEXT, None),
            **dict.fromkeys(("jwks_uri", "jwks_token_file"), NO_TEXT),
            **dict.fromkeys(("audiences", "tenants", "jwks_allow_http"), NO_TEXTS),
            **dict.fromkeys(("audience_claim", "user_claim", "token_types"), (5, b"a", {"a": 1}, [5])),
            "required_claims": (5, ["scope=read"], {"scope": "read"}),
        },
    ),
    (
        RefreshPolicy,
        {
            **dict.fromkeys(("interval_s", "cooldown_s", "timeout_s", "max_stale_s"), (*NO_NUMBER, None)),
            "ca_file": (*NO_TEXT, ""),
        },
    ),
    (
        make_trust,
        {
            "issuers": (5, None, ISSUER, "https://issuer.example", ["https://issuer.example"], {ISSUER: 1}),
            "policy": (5, None, {}, TokenPolicy),
            "refresh": (5, None, {}, RefreshPolicy),
            "cache_size": (*NO_NUMBER, 1.5, None),
            "realm": (*NO_TEXT, None),
            "public_url": NO_TEXT,
        },
    ),
    (make_claim, {"name": (*NO_TEXT, None)}),
    (
        make_auth,
        {
            "issuer": (*NO_TEXT, None),
            **dict.fromkeys(("audience", "tenants", "jwks_allow_http"), NO_TEXTS),
            **dict.fromkeys(("jwks_uri", "jwks_token_file", "deny_file", "public_url"), NO_TEXT),
            "refresh": (0, "", {}, RefreshPolicy),
            "shared_proofs": (0, "", {}, ProcessReplays),
            "user_claim": ([5],),
        },
    ),
    (
        make_kms,
        {
            **dict.fromkeys(("prefix", "database_url", "crypto_policy"), (*NO_TEXT, None)),
            **dict.fromkeys(("public_url", "data_dir", "audit_log", "audit_key_file", "master_key"), NO_TEXT),
            **dict.fromkeys(("ui", "kmip_interop", "audit_reads", "accept_rollback"), NO_SWITCH),
            **dict.fromkeys(("privileged_users", "auditors", "trusted_proxies"), NO_TEXTS),
            "master_key_file": (5, b"a", [5], {}),
            "scrub_interval_s": (*NO_NUMBER, None),
            "auth": (5, "", BearerAuth, object()),
        },
    ),
    (
        make_connection,
        {
            "server_url": (*NO_TEXT, None),
            "accept_invalid_certs": NO_SWITCH,
            **dict.fromkeys(("verified_cert", "ca_file", "cipher_suites"), NO_TEXT),
            **dict.fromkeys(("client_certificate", "proxy"), (5, "x", {})),
            "custom_headers": (5, {"a": "b"}, ["ab"], [("a",)], [("a", 5)]),
            "timeout_s": (*NO_NUMBER, None),
        },
    ),
    (lambda **arguments: ProxySettings(**{"url": "http://proxy", **arguments}), {"url": NO_TEXT, "exclusion_list": NO_TEXTS}),
    (lambda **arguments: PEMPair(**{"certificate": "c", "key": "k", **arguments}), {"certificate": NO_TEXT, "password": (5, b"x")}),
    (
        make_client,
        {"server_url": (5, b"x"), "token": (5, b"x", {}), "settings": (5, "https://kms.example"), "observe": (5, "x")},
    ),
    (BearerAuth, {"settings": (5, None, TrustSettings, ISSUER)}),
    (
        lambda **arguments: SharedProofs(ProcessReplays(float), **arguments),
        {"nonce_key": (None, "x" * 32, 32)},
    ),
    (lambda **arguments: TestIssuer(**arguments), {"uri": (5, None), "audience": (5, None, ["a"])}),
    (fake_auth, {"principal": (5, b"alice", {}, Principal)}),
    (make_principal, {"name": (5, None), "claims": ([], None), "expires_at": ("1", None)}),
    (
        lambda **arguments: BearerApplication([], **arguments),
        {"fast_routes": (5, None, [], {"/a": make_claim}, {("GET",): make_claim}, {("GET", 5): make_claim})},
    ),
    (
        FastAnswer,
        {"body": (5, None, [1]), "status": ("200", None, 200.0), "headers": (5, None, [("a", "b")], {"a": 1}, {1: "a"})},
    ),
)  # fmt: skip


@each_row(
    ("make", "argument", "value"),
    [
        (make, argument, value)
        for make, arguments in _WRONG
        for argument, values in arguments.items()
        for value in values
    ],
)
def test_value_of_another_type_is_refused_with_the_name_of_the_argument(
    make: Callable[..., object], argument: str, value: Any
) -> None:
    # An issuer's URI is the argument `issuer` of the one, and `uri` of the other.
    names = {"issuer": ("uri",), "audience": ("audience", "audiences")}.get(argument, (argument,))
    with pytest.raises(TypeError) as refused:
        make(**{argument: value})
    message = str(refused.value)
    assert message.startswith(tuple(f"{name}: " for name in names)), message
    assert "\n" not in message


@each_row(
    ("make", "argument", "value"),
    [
        (TokenPolicy, "leeway_s", math.nan),
        (TokenPolicy, "leeway_s", 301),
        (TokenPolicy, "max_age_s", math.nan),
        (TokenPolicy, "algorithms", "HS256"),
        (TokenPolicy, "algorithms", ()),
        (TokenPolicy, "user_claim", ()),
        (TokenPolicy, "bound_tokens", "yes"),
        (RefreshPolicy, "interval_s", math.nan),
        (RefreshPolicy, "timeout_s", 0),
        (make_issuer, "jwks_allow_http", ""),
        (make_issuer, "jwks_allow_http", "http://host"),
        (make_issuer, "jwks_allow_http", ["host:80"]),
        (make_issuer, "token_types", ()),
        (make_claim, "value", math.nan),
        (make_claim, "value", math.inf),
        (make_trust, "cache_size", -1),
        (make_trust, "issuers", ()),
        (make_trust, "public_url", "ftp://host"),
        (
            lambda **arguments: SharedProofs(ProcessReplays(float), **arguments),
            "nonce_key",
            b"x" * 15,
        ),
        (FastAnswer, "status", 99),
        (make_kms, "max_body_size", True),
        (make_kms, "user_rate", 0.5),
        (make_kms, "audit_log", ""),
    ],
)
def test_value_that_makes_no_sense_is_a_value_error(
    make: Callable[..., object], argument: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=r"\S") as refused:
        make(**{argument: value})
    assert make is FastAnswer or isinstance(refused.value, ConfigurationError)


def test_a_number_may_be_whole_and_a_file_a_path(tmp_path: Path) -> None:
    assert TokenPolicy(leeway_s=5, max_age_s=60).leeway_s == 5
    deny: Any = tmp_path / "deny"
    assert TokenPolicy(deny_file=deny).deny_file == str(deny)
    assert RefreshPolicy(ca_file=deny).ca_file == str(deny)
    assert make_path(None, "file") is None


def test_a_wrong_type_is_told_without_the_value() -> None:
    with pytest.raises(WrongArgumentType) as refused:
        check_type(("secret", b"secret"), tuple[str, ...], "names")
    assert str(refused.value) == "names: tuple[str, ...] is needed, not tuple of bytes, str"
    with pytest.raises(WrongArgumentType, match=r"^policy: TokenPolicy is needed, not None$"):
        check_type(None, TokenPolicy, "policy")
