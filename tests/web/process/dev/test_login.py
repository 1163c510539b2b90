"""kmsctl stays signed in at the issuer of --dev, and signs out there."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ....client.cli.runner import Kmsctl
from ....server import ServerProcess, serving
from .browser import ALICE, Printed, Visitor, claims_of


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving("--dev", cwd=tmp_path_factory.mktemp("dev")) as server:
        yield server


@pytest.fixture
def visitor(dev: ServerProcess) -> Visitor:
    return Visitor(Printed(dev).issuer)


@pytest.fixture
def kmsctl(dev: ServerProcess, tmp_path: Path) -> Kmsctl:
    """Configured by what --dev tells, and not signed in."""
    kmsctl = Kmsctl(tmp_path, {"OAUTH2_REDIRECT_URL_PORT": "0", "DISPLAY": ":7"})
    outcome = kmsctl("configure", "--server-url", dev.url, "--client-id", "kmsctl")
    assert outcome.code == 0, outcome.stderr
    return kmsctl


def sign_in(kmsctl: Kmsctl, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_page(url: str) -> bool:
        answer = visitor.choose(visitor.get(url.removeprefix(visitor.uri)), ALICE)
        urllib.request.urlopen(answer.headers["Location"], timeout=10).close()
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    outcome = kmsctl("login")
    assert outcome.code == 0, outcome.stderr
    assert f"Signed in as {ALICE}" in outcome.stderr


def encode(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def name(kmsctl: Kmsctl) -> str:
    outcome = kmsctl("whoami", "--json")
    assert outcome.code == 0, outcome.stderr
    return str(json.loads(outcome.stdout)["name"])


def test_session_is_renewed_unasked(
    kmsctl: Kmsctl, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sign_in(kmsctl, visitor, monkeypatch)
    path = tmp_path / ".kms_tornado" / "tokens.json"
    ((account, before),) = json.loads(path.read_text()).items()
    over = encode(claims_of(before["access_token"]) | {"iat": 1, "exp": 2})
    header, _, signature = before["access_token"].split(".")
    stale = {**before, "access_token": f"{header}.{over}.{signature}"}
    path.write_text(json.dumps({account: stale}))
    assert name(kmsctl) == ALICE
    ((_, after),) = json.loads(path.read_text()).items()
    assert claims_of(after["access_token"])["exp"] > time.time()
    assert after["refresh_token"] != before["refresh_token"]


def test_logout_ends_the_session_at_the_issuer(
    kmsctl: Kmsctl, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sign_in(kmsctl, visitor, monkeypatch)
    path = tmp_path / ".kms_tornado" / "tokens.json"
    ((_, tokens),) = json.loads(path.read_text()).items()
    outcome = kmsctl("logout")
    assert (outcome.code, outcome.stderr.strip()) == (0, "Signed out.")
    assert visitor.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert kmsctl("whoami").code != 0
