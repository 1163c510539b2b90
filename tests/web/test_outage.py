"""The issuer is down, comes back, rotates its keys: what callers and operators see meanwhile."""

from __future__ import annotations

import contextlib
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


def check_of(server, issuer, key_state):
    """The issuer's part of /ready, once its keys are in that state."""

    def find():
        check = server.client.ready()[f"issuer {issuer.uri}"]
        return check if check["key_state"] == key_state else None

    return eventually(find)


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
        check = check_of(server, issuer, "missing")
        assert (check["state"], check["cause"]) == ("DOWN", "connection refused")
        assert server.client.ready()["database"]["state"] == "OK"
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
        check = check_of(server, issuer, "failing")
        ready = server.client.get("/ready")
        assert (ready.status, ready.json()["state"]) == (200, "DEGRADED")
        assert (check["state"], check["cause"]) == ("DEGRADED", "connection refused")
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
        assert check_of(server, issuer, "stale")["state"] == "DOWN"
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
        assert time.monotonic() - began < 4.5  # and not the 5 s that are the default
        assert server.client.get("/health").status == 200


# --- restarts while the issuer is away ----------------------------------------------------------


def restarted(server, *argv):
    """Killed, and started anew in the same directory; its log is that of the new process."""
    server.kill()
    return ServerProcess(*argv, cwd=server.cwd).start()


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_restart_without_the_issuer_serves_with_the_kept_keys_and_brings_no_removed_key_back(
    issuer, tmp_path, workers
):
    argv = (*trusting(issuer, *QUICK), "--metrics", *workers)
    old = issuer.token(aud="kms")
    with contextlib.ExitStack() as stack:
        server = ServerProcess(*argv, cwd=tmp_path).start()
        stack.callback(lambda: server.kill())
        eventually(lambda: call(server, old).status == 200)

        issuer.refuse()
        server = restarted(server, *argv)
        ready = server.client.get("/ready")
        assert (ready.status, ready.json()["state"]) == (200, "DEGRADED")
        assert call(server, old).status == 200
        check = eventually(
            lambda: (c := check_of(server, issuer, "kept"))["cause"] != "not fetched yet" and c
        )
        assert (check["state"], check["cause"]) == ("DEGRADED", "connection refused")
        assert check["age_seconds"] < 60
        assert f'kms_auth_keys_kept{{issuer="{issuer.uri}"' in server.client.get("/metrics").text
        server.wait_for_line("1 signing key that was fetched [0-9]+ s ago by a former run")

        issuer.rotate(keep_old=False)
        issuer.listen()
        new = issuer.token(aud="kms")
        eventually(lambda: call(server, old).status == 401)
        eventually(lambda: call(server, new).status == 200)

        issuer.refuse()
        server = restarted(server, *argv)
        for _ in range(6):  # whichever worker answers
            assert call(server, new).status == 200
            assert call(server, old).status == 401


def test_kept_file_that_was_edited_or_is_too_old_serves_nobody(issuer, tmp_path):
    argv = trusting(issuer, *QUICK)
    with contextlib.ExitStack() as stack:
        server = ServerProcess(*argv, cwd=tmp_path).start()
        stack.callback(lambda: server.kill())
        eventually(lambda: is_ready(server))
        (file,) = (tmp_path / "kms-data" / "issuer-keys").glob("*.keys")
        issuer.refuse()
        content = file.read_bytes()
        file.write_bytes(content.replace(b'"k1"', b'"k2"'))
        server = restarted(server, *argv)
        server.wait_for_line("WARNING .*are not used: its code does not match")
        assert good(server, issuer).status == 503
        assert server.client.get("/ready").status == 503
        file.write_bytes(content)
        server = restarted(server, *argv, "--jwks-max-stale", "0.001")
        server.wait_for_line("WARNING .*are not used: they were fetched")
        assert good(server, issuer).status == 503


def test_one_of_two_issuers_is_enough_to_be_ready(issuer, tmp_path):
    dead = "http://127.0.0.1:9"
    provider = ("--jwt-auth-provider", dead, "--jwt-user-namespace", "issuer")
    with serving(*trusting(issuer, *QUICK, *provider), cwd=tmp_path) as server:
        eventually(lambda: is_ready(server))
        assert server.client.get("/ready").json()["state"] == "DEGRADED"
        checks = server.client.ready()
        assert checks[f"issuer {issuer.uri}"]["state"] == "OK"
        assert checks[f"issuer {dead}"]["state"] == "DOWN"


def test_with_dev_no_keys_are_kept(tmp_path):
    with serving("--dev", "--data-dir", "data", cwd=tmp_path) as server:
        eventually(lambda: is_ready(server))
        assert not (tmp_path / "data" / "issuer-keys").exists()


def test_directory_that_cannot_be_written_to_stops_nobody(issuer, tmp_path):
    (tmp_path / "kms-data").mkdir(mode=0o700)
    (tmp_path / "kms-data" / "issuer-keys").write_text("no directory")
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        eventually(lambda: is_ready(server))
        assert good(server, issuer).status == 200
        issuer.wait_for_fetches(3)
        assert sum("cannot be kept" in line for line in server.output["stderr"]) == 1
