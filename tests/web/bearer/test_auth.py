"""BearerAuth behind an application: without keys, with several issuers, set up wrongly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application

from kms_tornado.auth.credentials import Credentials
from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.auth.principal import Principal
from kms_tornado.errors import MissingToken
from kms_tornado.web.bearer.auth import BearerAuth

from ...issuer import Issuer, response
from ...support import Client, running
from .handlers import Calls, Orders, is_refused


@contextlib.contextmanager
def serving(auth: Any, *resources: Any, route: Any = Orders) -> Iterator[Client]:
    with running(lambda: Application([("/orders", route)], bearer_auth=auth), *resources) as client:
        yield client


def test_without_keys_the_answer_is_503_with_a_time_to_come_back() -> None:
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = response(b"{}", "500 Oops")
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            answer = client.get("/orders", token=issuer.token(aud="kms"))
            assert answer.status == 503
            assert "WWW-Authenticate" not in answer.headers
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
            assert set(answer.json()) == {"error", "error_description"}
            is_refused(client.get("/orders"), 401, None)
            is_refused(
                client.get("/orders", token=issuer.token(iss="https://evil.example/")),
                401,
                "invalid_token",
            )
            is_refused(client.get("/orders", token="x.y.z"), 401, "invalid_token")
            is_refused(
                client.get("/orders", headers={"Authorization": "Bearer"}), 400, "invalid_request"
            )
        assert issuer.fetches == 1


def test_the_first_request_waits_for_the_first_keys() -> None:
    with Issuer("ES256") as issuer:

        async def late(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)
            writer.write(response({"keys": issuer.keys}))

        issuer.answers[issuer.jwks_path] = late
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
        assert issuer.fetches == 1


def test_a_request_waits_no_longer_than_the_timeout_for_keys() -> None:
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = Issuer.silent
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(timeout_s=0.3)
        )
        with serving(auth, auth) as client:
            begun = time.monotonic()
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 503
            assert time.monotonic() - begun < 5


def test_not_started_it_refuses_every_token() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth) as client:
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 503
            is_refused(client.get("/orders"), 401, None)
        assert issuer.fetches == 0


@pytest.mark.parametrize("setting", [None, "text", object(), 5])
def test_settings_without_a_bearer_auth_answer_500_and_never_run_the_handler(
    setting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Calls.ran.clear()
    with serving(setting) as client:
        assert client.post("/orders", timeout_s=5).status == 500
        assert client.post("/orders", token="x.y.z", timeout_s=5).status == 500
    assert Calls.ran == []
    assert any(record.levelno >= logging.ERROR for record in caplog.records)


def test_a_client_that_leaves_while_keys_are_fetched_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Issuer("ES256") as issuer:

        async def late(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.3)
            writer.write(response({"keys": issuer.keys}))

        issuer.answers[issuer.jwks_path] = late
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            with socket.create_connection(("127.0.0.1", client.port)) as sock:
                head = f"GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {issuer.token(aud='kms')}\r\n\r\n"
                sock.sendall(head.encode())
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_two_bearer_auths_in_one_process_do_not_know_each_other() -> None:
    with Issuer("ES256") as first, Issuer("ES256") as second:
        second.key_name = "second"
        second.rotate(keep_old=False)
        one = BearerAuth.from_issuer(first.uri, audience="kms")
        two = BearerAuth.from_issuer(second.uri, audience="kms")
        with serving(one, one) as a, serving(two, two) as b:
            assert a.get("/orders", token=first.token(aud="kms")).status == 200
            assert b.get("/orders", token=second.token(aud="kms")).status == 200
            is_refused(a.get("/orders", token=second.token(aud="kms")), 401, "invalid_token")
            is_refused(b.get("/orders", token=first.token(aud="kms")), 401, "invalid_token")


def test_several_issuers_behind_one_application() -> None:
    with Issuer("ES256") as first, Issuer("RS256") as second:
        auth = BearerAuth(
            TrustSettings(
                (TrustedIssuer(first.uri), TrustedIssuer(second.uri, audiences=frozenset({"b"})))
            )
        )
        with serving(auth, auth) as client:
            assert client.get("/orders", token=first.token()).status == 200
            assert client.get("/orders", token=second.token(aud="b")).status == 200
            is_refused(client.get("/orders", token=second.token(aud="a")), 401, "invalid_token")
            is_refused(
                client.get("/orders", token=first.token(iss=second.uri, aud="b")),
                401,
                "invalid_token",
            )


def test_a_flood_of_unknown_kids_reaches_the_issuer_once() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(cooldown_s=0.5)
        )
        with serving(auth, auth) as client:
            good = issuer.token(aud="kms")
            assert client.get("/orders", token=good).status == 200
            time.sleep(0.55)
            before = issuer.fetches
            begun = time.monotonic()
            for number in range(100):
                is_refused(
                    client.get(
                        "/orders", token=issuer.token(aud="kms", header={"kid": f"x{number}"})
                    ),
                    401,
                    "invalid_token",
                )
            spent = time.monotonic() - begun
            assert 1 <= issuer.fetches - before <= 1 + spent / 0.5 + 1
            assert client.get("/orders", token=good).status == 200


def test_a_rotation_needs_no_restart_and_no_failed_request() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(cooldown_s=0)
        )
        with serving(auth, auth) as client:
            for _ in range(5):
                assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
                issuer.rotate()


# --- recall ---------------------------------------------------------------------------------------


def bearer(text: str) -> Credentials:
    return Credentials([f"Bearer {text}"])


def test_token_is_recalled_once_it_was_verified_and_no_longer_than_it_is_good(
    issuer: Issuer,
) -> None:
    async def scenario() -> None:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms", leeway_s=0)
        text = issuer.token(aud="kms")
        async with auth:
            now = [time.time()]
            auth.authenticator._now = lambda: now[0]
            assert auth.recall(bearer(text)) is None
            assert not auth.authenticator.tokens.misses  # nobody asked for a decision
            principal = await auth.check_waiting(bearer(text))
            assert auth.recall(bearer(text)) == principal
            for odd in (
                [],
                [f"Bearer {text}", f"Bearer {text}"],
                [f"bearer {text}"],
                [text],
                ["Basic x"],
            ):
                assert auth.recall(Credentials(odd)) is None
            now[0] = principal.expires_at + 1
            assert auth.recall(bearer(text)) is None

    asyncio.run(scenario())


# --- another method of authentication -------------------------------------------------------------


class Badges(InsecureNoAuth):
    """A method that knows another header scheme, and nothing of tokens."""

    realm = "badges"

    def check_now(self, credentials: Credentials) -> Principal:
        if list(credentials.authorization) != ["Badge 7"]:
            raise MissingToken("no badge")
        return super().check_now(credentials)


def test_handlers_ask_whatever_authentication_the_settings_name() -> None:
    with serving(Badges("alice")) as client:
        answer = client.get("/orders", headers={"Authorization": "Badge 7"})
        assert (answer.status, answer.json()["user"]) == (200, "alice")
        answer = client.get("/orders", headers={"Authorization": "Badge 8"})
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="badges"'
