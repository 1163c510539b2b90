"""`kmsctl whoami`: what the server says of the user, and what the client knows of the token."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from kms_tornado.client.cli.account.whoami import describe_duration
from kms_tornado.client.login.token_file import FileTokenStore
from kms_tornado.client.login.tokens import Tokens, token_account

from ....rows import each_row
from ...faulty import Scripted, answer
from ..conftest import Place
from ..runner import Kmsctl
from .signing_in import configured


def test_whoami_prints_a_field_a_line_in_a_pipe(alice: Kmsctl, place: Place) -> None:
    fields = dict(line.split("\t", 1) for line in alice("whoami").lines)
    assert fields["name"] == "alice@example.com"
    assert fields["issuer"] == place.issuer.uri
    assert fields["subject"] == "alice@example.com"
    assert 0 < int(fields["seconds_left"]) < 100_000
    assert fields["expires_at"].endswith("Z")
    assert fields["server_url"] == place.url
    assert fields["token_from"] == "KMS_TOKEN"
    assert fields["is_renewed"] == "false"


def test_whoami_prints_one_document_for_programs(place: Place, tmp_path: Path) -> None:
    ends = int(time.time()) + 600
    token = place.issuer.token(sub="alice", aud="kms", exp=ends, scope="openid email")
    outcome = Kmsctl(tmp_path, {"KMS_URL": place.url, "KMS_TOKEN": token})("whoami", "--json")
    document = json.loads(outcome.stdout)
    assert document["name"] == "alice"
    assert document["scopes"] == ["openid", "email"]
    assert 590 <= document["seconds_left"] <= 600
    assert document["issuer"] == place.issuer.uri


@pytest.mark.parametrize("expires_at", ["253402300799", "-62135596800", "1e30", '"soon"', "[]"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_whoami_takes_any_time(tmp_path: Path, expires_at: str, zone: str) -> None:
    with Scripted(answer(f'{{"name": "alice", "expires_at": {expires_at}}}')) as server:
        kmsctl = Kmsctl(tmp_path, {"KMS_URL": server.url, "KMS_TOKEN": "a-token", "TZ": zone})
        outcome = kmsctl.terminal("whoami")
    assert outcome.code == 0
    assert "alice" in outcome.stdout
    assert "Server URL" in outcome.stdout
    assert re.search(r"Scopes +none", outcome.stdout)


def test_whoami_tells_people_the_time_that_is_left(place: Place, tmp_path: Path) -> None:
    token = place.issuer.token(sub="alice", aud="kms", exp=int(time.time()) + 3000)
    kmsctl = Kmsctl(tmp_path, {"KMS_URL": place.url, "KMS_TOKEN": token})
    shown = kmsctl.terminal("whoami").stdout
    assert "49 min" in shown
    assert "Time left" in shown
    assert "alice" in shown


def test_whoami_tells_where_the_token_of_a_login_is(place: Place, tmp_path: Path) -> None:
    stale = place.issuer.token(aud="kms", exp=1)
    kmsctl = configured(
        tmp_path, place.url, place.issuer.uri, connection=f'access_token = "{stale}"'
    )
    account = token_account(place.url, issuer=place.issuer.uri, client_id="kmsctl")
    store = FileTokenStore(account, tmp_path / ".kms_tornado")
    store.save(Tokens(access_token=place.token("bob@example.com"), refresh_token="secret"))
    document = json.loads(kmsctl("whoami", "--json").stdout)
    assert document["name"] == "bob@example.com"
    assert document["token_from"] == store.place
    assert document["is_renewed"] is True


def test_whoami_without_a_token_says_what_to_do(place: Place, tmp_path: Path) -> None:
    outcome = Kmsctl(tmp_path, {"KMS_URL": place.url})("whoami")
    assert outcome.code == 1
    assert outcome.output == b""
    assert "kmsctl login" in outcome.stderr


@each_row(
    ("seconds", "words"),
    [
        (-5, "none, it has expired"),
        (0, "none, it has expired"),
        (1, "1 s"),
        (60, "1 min"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86_400 + 59, "1 d"),
        (3 * 86_400 + 7200, "3 d 2 h"),
    ],
)
def test_time_is_told_in_two_units(seconds: int, words: str) -> None:
    assert describe_duration(seconds) == words
