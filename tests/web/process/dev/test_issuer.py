"""--dev: the whole product on one laptop, by what it prints."""

from __future__ import annotations

import json
import signal
import tempfile
import urllib.request
from pathlib import Path

import pytest

from ....server import Client, ServerProcess, check_refused, run, serving
from .browser import BOB, Printed, Visitor


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    with serving("--dev", cwd=tmp_path_factory.mktemp("dev")) as server:
        server.printed = Printed(server)
        yield server


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_tokens_are_on_stdout_and_not_in_the_log(dev):
    for token in (dev.printed.alice, dev.printed.bob):
        assert dev.client.create(token)
        assert token in dev.stdout
        assert token.split(".")[2] not in dev.log
    assert "kmsctl" not in dev.log


def test_page_is_where_it_is_said_to_be(dev):
    [address] = dev.printed.paragraphs["the same in a browser"]
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.headers.get_content_type() == "text/html"


def test_key_of_alice_is_not_there_for_bob(dev):
    alice, bob = dev.printed.alice, dev.printed.bob
    uid = dev.client.create(alice)
    assert dev.client.get_key(alice, uid).status == 200
    not_his = dev.client.get_key(bob, uid)
    not_there = dev.client.get_key(bob, "no-such-key")
    assert not_his.status == not_there.status == 422
    assert not_his.text.replace(uid, "") == not_there.text.replace("no-such-key", "")
    assert not_his.text.startswith("Item_Not_Found: ")


def test_issuer_has_a_discovery_document_whose_key_set_is_there(dev):
    document = fetch(dev.printed.issuer + "/.well-known/openid-configuration")
    assert document["issuer"] == dev.printed.issuer
    (key,) = fetch(document["jwks_uri"])["keys"]
    assert key["kty"] == "EC"
    assert "d" not in key


@pytest.fixture(scope="module")
def on_localhost(tmp_path_factory):
    """Another run."""
    with serving("--dev", "--hostname", "localhost", cwd=tmp_path_factory.mktemp("dev")) as server:
        server.printed = Printed(server)
        yield server


def test_token_of_another_runs_issuer_is_refused(dev, on_localhost):
    token = on_localhost.printed.alice
    assert on_localhost.client.create(token)
    assert dev.client.get_key(token, "x").status == 401
    assert dev.client.get_key(dev.printed.alice, "x").status == 422


def test_issuer_answers_at_its_own_paths_alone(dev):
    port = int(dev.printed.issuer.rpartition(":")[2])
    for path in ("/", "/token/", "/.well-known/", "/kmip_2_1"):
        assert Client(port).post(path, body=b"{}").status in {404, 405}


def test_who_signs_in_is_served_as_the_user_of_the_button(dev):
    visitor = Visitor(dev.printed.issuer)
    tokens = visitor.sign_in(BOB)
    uid = dev.client.create(tokens["access_token"])
    assert dev.client.get_key(dev.printed.bob, uid).status == 200
    assert dev.client.get_key(dev.printed.alice, uid).status == 422
    refreshed = visitor.refresh(tokens["refresh_token"]).json()
    assert dev.client.get_key(refreshed["access_token"], uid).status == 200


def test_id_token_is_no_credential_for_the_server(dev):
    assert dev.client.get_key(Visitor(dev.printed.issuer).sign_in()["id_token"], "x").status == 401


def test_no_code_and_no_token_gets_into_the_log(dev):
    visitor = Visitor(dev.printed.issuer)
    code = visitor.code()
    tokens = visitor.redeem(code).json()
    assert visitor.redeem(code).status == 400
    dev.client.create(tokens["access_token"])
    for secret in (code, tokens["refresh_token"], tokens["access_token"].split(".")[2]):
        assert secret not in dev.log + dev.stdout


def test_dev_is_ready(dev):
    answer = dev.client.get("/ready")
    assert answer.status == 200
    assert f"issuer {dev.printed.issuer}" in answer.json()["checks"]


def test_key_of_dev_that_is_thrown_away_is_not_to_be_backed_up(dev):
    assert "listening on" in dev.log
    assert "back it up" not in dev.log


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_dev_refuses_to_listen_off_loopback(tmp_path, host):
    line = check_refused(run("--dev", "--hostname", host, "--port", "0", cwd=tmp_path), 2)
    assert "--hostname (flag)" in line
    assert list(tmp_path.iterdir()) == []


def test_dev_listens_on_localhost_too(on_localhost):
    assert on_localhost.client.create(on_localhost.printed.alice)
    assert on_localhost.printed.issuer.startswith("http://localhost:")


def dev_directories():
    return set(Path(tempfile.gettempdir()).glob("kms-tornado-dev-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_temporary_data_is_gone_after_the_stop(tmp_path, number):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with ServerProcess("--dev", cwd=tmp_path, env={"TMPDIR": str(temporary)}) as server:
        Printed(server)
        assert len(list(temporary.iterdir())) == 1
        assert server.stop(number) == 0
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_dev_with_a_data_directory_keeps_its_data(tmp_path):
    argv = ("--dev", "--data-dir", "mine")
    with serving(*argv, cwd=tmp_path) as server:
        uid = server.client.create(Printed(server).alice)
    with serving(*argv, cwd=tmp_path) as server:
        printed = Printed(server)
        assert server.client.get_key(printed.alice, uid).status == 200
        assert server.client.get_key(printed.bob, uid).status == 422
    assert (tmp_path / "mine" / "kms.db").exists()


def test_dev_and_an_issuer_go_not_together(tmp_path):
    line = check_refused(run("--dev", "--jwt-issuer-uri", "https://i.example", cwd=tmp_path), 2)
    assert "--dev (flag)" in line


def test_dev_refuses_a_policy_that_its_own_tokens_would_fail(tmp_path: Path) -> None:
    done = run("--dev", "--port", "0", "--jwt-algorithms", "RS256", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("kms-tornado: --jwt-algorithms (flag): ")


def test_dev_warns_where_the_tokens_that_it_prints_are_refused(dev, tmp_path: Path) -> None:
    """They are printed all the same: a program that signs in may ask for the scope."""
    said = "the tokens that it prints are refused by this configuration: "
    assert said not in dev.log
    with serving("--dev", "--jwt-required-claim", "scope=kms", cwd=tmp_path) as server:
        assert server.client.get("/whoami", token=Printed(server).alice).status == 403
        assert f"{said}a required claim or scope is missing" in server.log


def test_dev_warns_where_the_tokens_that_it_prints_end_early(dev, tmp_path: Path) -> None:
    said = "the tokens that it prints end after "
    assert said not in dev.log
    options = ("--jwt-max-age", "60", "--jwt-leeway", "5")
    with serving("--dev", *options, cwd=tmp_path) as server:
        assert Printed(server).alice
        assert f"{said}65 s (--jwt-max-age)" in server.log
