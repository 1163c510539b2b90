"""kms_tornado.testing: its tokens are judged by the application's own rules, and its stand-ins by none."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jose import jws
from tornado.web import Application

from kms_tornado import BearerAuth, Principal, RequiredClaim
from kms_tornado.auth.credentials import Credentials
from kms_tornado.errors import AuthenticationError, MissingToken, UnknownKey
from kms_tornado.testing import BearerTestMixin, TestIssuer, fake_auth

from .rows import each_row


def check(auth: Any, token: str) -> Principal | None:
    found: Principal | None = auth.check_now(Credentials([f"Bearer {token}"]))
    return found


OWN = BearerAuth.from_issuer(
    "https://login.example.com/",
    audience=["orders", "prices"],
    algorithms="RS256",
    token_types={"at+jwt"},
    user_claim="email",
    required_claims=[RequiredClaim("role", "clerk")],
)
GOOD: dict[str, Any] = {
    "email": "alice@example.com",
    "email_verified": True,
    "role": "clerk",
}


def test_token_that_fits_the_rules_of_the_application_is_accepted() -> None:
    issuer = TestIssuer.of(OWN)
    principal = check(issuer.auth(OWN), issuer.token(**GOOD))
    assert principal is not None
    assert (principal.name, principal.issuer) == ("alice@example.com", "https://login.example.com/")


@each_row(
    ("types", "typ"),
    [
        ({"at+jwt"}, "at+jwt"),
        ({None, "x+jwt", "application/at+jwt"}, "at+jwt"),
        ({"at+jwt", "JWT"}, "JWT"),
    ],
)
def test_tokens_are_of_a_type_that_the_application_accepts(
    types: set[str | None], typ: str
) -> None:
    own = BearerAuth.from_issuer("https://i.example/", audience="orders", token_types=types)
    issuer = TestIssuer.of(own)
    assert jws.get_unverified_header(issuer.token())["typ"] == typ
    assert check(issuer.auth(own), issuer.token())


def test_tokens_are_those_of_a_tenant_that_is_let_in() -> None:
    own = BearerAuth.from_issuer(
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        jwks_uri="https://login.microsoftonline.com/common/discovery/v2.0/keys",
        audience="orders",
        tenants=["b", "a"],
        namespace_by_issuer=True,
    )
    issuer = TestIssuer.of(own)
    principal = check(issuer.auth(own), issuer.token("alice"))
    assert principal is not None
    assert principal.name == "https://login.microsoftonline.com/a/v2.0#alice"
    with pytest.raises(AuthenticationError):
        check(issuer.auth(own), issuer.token("alice", tid="b"))


@each_row(
    "change",
    [
        pytest.param({"role": "guest"}, id="a claim"),
        pytest.param({"role": None}, id="a claim that is left out"),
        pytest.param({"header": {"typ": "JWT"}}, id="the type"),
        pytest.param({"aud": "others"}, id="the audience"),
        pytest.param({"iss": "https://other.example"}, id="the issuer"),
        pytest.param({"exp": 0}, id="the time"),
        pytest.param({"header": {"kid": "another"}}, id="the key"),
    ],
)
def test_token_that_breaks_one_rule_of_the_application_is_refused(change: dict[str, Any]) -> None:
    issuer = TestIssuer.of(OWN)

    async def decide() -> None:
        auth = issuer.auth(OWN)
        token = issuer.token(**(GOOD | change))
        if check(auth, token) is None:
            await auth.check_waiting(Credentials([f"Bearer {token}"]))

    with pytest.raises(AuthenticationError):
        asyncio.run(decide())


def test_token_of_another_issuer_of_the_same_name_is_refused() -> None:
    issuer, other = TestIssuer(), TestIssuer()
    with pytest.raises(AuthenticationError):
        asyncio.run(issuer.auth().check_waiting(Credentials([f"Bearer {other.token('alice')}"])))


def test_application_without_this_issuer_is_not_stood_in_for() -> None:
    with pytest.raises(ValueError, match=r"trusts no issuer https://issuer\.example$"):
        TestIssuer().auth(OWN)


def test_started_check_asks_no_network() -> None:
    async def run() -> Principal | None:
        issuer = TestIssuer()
        async with issuer.auth() as auth:
            unknown = issuer.token("alice", header={"kid": "another"})
            with pytest.raises(UnknownKey):  # after a refresh
                await auth.check_waiting(Credentials([f"Bearer {unknown}"]))
            assert auth.fetches()[issuer.uri]["ok"] > 1  # the keys that it began with are one
            assert [status.state for status in auth.status()] == ["ok"]
            return check(auth, issuer.token("alice"))

    principal = asyncio.run(asyncio.wait_for(run(), 20))
    assert principal is not None
    assert principal.name == "alice"


def test_stand_in_is_the_principal_that_it_was_given() -> None:
    alice = Principal("alice", "1", "https://issuer.example", {}, 0)
    assert fake_auth(alice).check_now(Credentials()) is alice


def test_stand_in_for_nobody_refuses() -> None:
    with pytest.raises(MissingToken):
        fake_auth(None).check_now(Credentials())
    assert fake_auth(None).recall(Credentials()) is None


def test_stand_in_takes_claims_only_with_a_name() -> None:
    with pytest.raises(TypeError, match="with the name of a user only"):
        fake_auth(None, scope="x")


def test_stand_in_that_is_started_as_a_server_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "kms_tornado.auth"):
        asyncio.run(fake_auth("alice").start())
    assert "NO TOKEN IS CHECKED" in caplog.text


def test_stand_in_warns_at_once_where_no_test_makes_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "kms_tornado.auth"):
        fake_auth("alice")
    assert caplog.text == ""
    program = "from kms_tornado.testing import fake_auth; fake_auth('alice')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "NO TOKEN IS CHECKED" in done.stderr


def test_stand_in_made_by_a_test_of_unittest_does_not_warn(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import unittest\nfrom kms_tornado.testing import fake_auth\nAUTH = fake_auth('alice')\n"
        "class T(unittest.TestCase):\n    def test_it(self):\n        fake_auth('bob')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "test_it"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Ran 1 test" in done.stderr
    assert "NO TOKEN" not in done.stderr


class Case(BearerTestMixin):
    __test__ = False  # the tests below run it

    def get_app(self) -> Any:
        return self.app

    app: Any = None

    def runTest(self) -> None:
        """Nothing is asked."""


def test_application_has_its_own_check_again_after_the_test() -> None:
    Case.app = Application([], bearer_auth=OWN)
    assert Case().run().wasSuccessful()  # type: ignore[union-attr]
    assert Case.app.settings["bearer_auth"] is OWN


def test_what_is_no_application_is_told() -> None:
    Case.app = object()
    result = Case().run()
    assert result is not None
    assert "needs a tornado.web.Application" in result.errors[0][1]
