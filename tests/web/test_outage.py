"""The issuer is down, comes back, rotates its keys: what callers and operators see meanwhile."""

from __future__ import annotations

import time

import pytest

from ..issuer import Issuer
from ..server import LOCATE, QUICK, ServerProcess, eventually, serving, trusting


@pytest.fixture
def issuer():
    with Issuer("ES256") as issuer:
        yield issuer


def call(server, token):
    return server.client.kmip(token, LOCATE)


def good(server, issuer):
    return call(server, issuer.token(aud="kms"))


def is_ready(server):
    return server.client.get("/ready").status == 200


def test_issuer_that_is_down_at_start_is_503_until_it_comes_and_then_heals_by_itself(
    issuer, tmp_path
):
    issuer.refuse()
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        health, ready = server.client.get("/health"), server.client.get("/ready")
        assert health.status == 200
        assert ready.status == 503
        eventually(lambda: "problem" in server.client.ready()[f"issuer {issuer.uri}"])
        check = server.client.ready()[f"issuer {issuer.uri}"]
        assert check["status"] == "DOWN"
        assert "refused" in check["problem"].lower()
        assert server.client.ready()["database"] == {"status": "UP"}
        answer = good(server, issuer)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "WWW-Authenticate" not in answer.headers
        assert set(answer.json()) == {"error", "error_description"}
        # What needs no keys is decided all the same.
        assert server.client.post("/kmip_2_1").status == 401
        assert call(server, issuer.token(aud="kms", iss="https://else.example")).status == 401
        issuer.listen()
        eventually(lambda: is_ready(server))
        assert good(server, issuer).status == 200


def test_issuer_that_dies_later_is_named_while_its_last_keys_serve(issuer, tmp_path):
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        eventually(lambda: is_ready(server))
        issuer.refuse()
        eventually(lambda: "problem" in server.client.ready()[f"issuer {issuer.uri}"])
        ready = server.client.get("/ready")
        check = ready.json()["checks"][f"issuer {issuer.uri}"]
        assert ready.status == 200
        assert check["status"] == "UP"
        assert "refused" in check["problem"].lower()
        assert check["keys"] == 1
        assert good(server, issuer).status == 200
        time.sleep(1.5)
        assert sum("fetching keys failed" in x for x in server.output["stderr"]) == 1


def test_keys_that_are_too_stale_serve_no_longer(issuer, tmp_path):
    argv = trusting(issuer, *QUICK, "--jwks-max-stale", "1")
    with ServerProcess(*argv, cwd=tmp_path) as server:
        eventually(lambda: is_ready(server))
        token = issuer.token(aud="kms")
        assert call(server, token).status == 200  # from here on it is remembered
        issuer.refuse()
        answer = eventually(lambda: (a := call(server, token)).status == 503 and a)
        assert "WWW-Authenticate" not in answer.headers
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.client.ready()[f"issuer {issuer.uri}"]["status"] == "DOWN"
        issuer.listen()
        eventually(lambda: call(server, token).status == 200)
        assert server.stop() == 0


def test_rotation_is_followed_and_the_old_key_verifies_nothing_any_more(issuer, tmp_path):
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        old = issuer.token(aud="kms")
        eventually(lambda: call(server, old).status == 200)
        issuer.rotate(keep_old=False)
        assert good(server, issuer).status == 200  # an unknown kid has the keys fetched at once
        assert call(server, old).status == 401


def test_key_that_was_withdrawn_is_gone_with_the_next_refresh(issuer, tmp_path):
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        old = issuer.token(aud="kms")
        eventually(lambda: call(server, old).status == 200)
        issuer.rotate(keep_old=False)
        eventually(lambda: call(server, old).status == 401)  # no request with the new one came


def test_silent_issuer_holds_a_request_no_longer_than_the_timeout(issuer, tmp_path):
    issuer.answers[issuer.jwks_path] = Issuer.silent
    argv = trusting(issuer, "--jwks-timeout", "1")
    with ServerProcess(*argv, cwd=tmp_path) as server:
        began = time.monotonic()
        assert good(server, issuer).status == 503
        assert time.monotonic() - began < 2.5
        assert server.client.get("/health").status == 200
