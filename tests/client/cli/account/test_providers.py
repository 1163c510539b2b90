"""kmsctl login at providers that are not ours, and at the issuer of --dev: as a person does it.

The npm package oidc-provider is strict: PKCE is required, refresh tokens rotate. The PyPI package
oidc-provider-mock gives opaque access tokens, and nobody a device code.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from ....server import ServerProcess, environment, eventually, free_port, serving
from ....web.process.dev.browser import Printed
from ...oauth_issuer import Browser
from ...person import Person
from ..runner import Kmsctl, Outcome, forked_command
from .signing_in import configured

SCRIPT = Path(__file__).parents[2] / "oidc_provider.mjs"
LIFETIME_S = 2


@dataclass(frozen=True)
class Provider:
    uri: str
    person: Person


@contextlib.contextmanager
def running(command: Sequence[str], uri: str, cwd: Path) -> Iterator[None]:
    process = subprocess.Popen(
        command, cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: answers(f"{uri}/.well-known/openid-configuration"), timeout_s=30)
        yield
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def npm_provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    packages = install_npm_package(request.config.cache)
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = ["node", str(SCRIPT), str(packages), str(port), str(LIFETIME_S)]
    with running(command, uri, tmp_path_factory.mktemp("npm")):
        yield Provider(uri, Person({"login": "alice", "password": "any"}))


def install_npm_package(cache: Any) -> Path:
    """Into pytest's cache, once. Skips where npm is absent, or cannot fetch it."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed, and with it the provider oidc-provider")
    packages = Path(cache.mkdir("oidc-provider-9"))
    if not (packages / "node_modules/oidc-provider/package.json").exists():
        command = [
            "npm", "install", "--prefix", str(packages), "oidc-provider@^9", "--no-audit",
            "--no-fund", "--ignore-scripts", "--fetch-timeout=20000", "--fetch-retries=1",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            pytest.skip("npm does not get oidc-provider within a minute")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install oidc-provider: {done.stderr[:200]}")
    return packages


@pytest.fixture(scope="module")
def pypi_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "oidc_provider_mock", "-p", str(port), "-n"]
    with running(command, uri, tmp_path_factory.mktemp("pypi")):
        yield Provider(uri, Person({"sub": "alice"}))


@contextlib.contextmanager
def kmsctl_for(
    provider: Provider, audience: str, home: Path, more: str = "", *options: str
) -> Iterator[tuple[Kmsctl, Browser]]:
    """A server that trusts the provider, kmsctl that is configured for both, and a browser."""
    flags = ["--jwt-issuer-uri", provider.uri, "--jwt-audience", audience, "--jwt-leeway", "0"]
    flags += options
    with ServerProcess(*flags, cwd=home) as server, pytest.MonkeyPatch.context() as patch:
        browser = Browser(provider.person)
        patch.setattr("webbrowser.open", browser.open)
        yield configured(home, f"http://127.0.0.1:{server.port}", provider.uri, login=more), browser
        browser.close()


def device_login(kmsctl: Kmsctl, person: Callable[..., Any]) -> Outcome:
    shown, browser = "", Browser(person)
    with subprocess.Popen(
        [*forked_command(), "login", "--device"], env=kmsctl.environment(), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        timer = threading.Timer(60, process.kill)
        timer.start()
        assert process.stderr is not None
        for line in process.stderr:
            shown += line
            if match := re.fullmatch(r" +(http\S+user_code=\S+)\n", line):
                browser.open(match[1])  # somebody with another device
        timer.cancel()
    browser.close()
    return Outcome(process.returncode, b"", shown)


def name_of(kmsctl: Kmsctl) -> str:
    outcome = kmsctl("whoami", "--json")
    assert outcome.code == 0, outcome.stderr
    return str(json.loads(outcome.stdout)["name"])


# --- npm: oidc-provider ---------------------------------------------------------------------------

RESOURCE = 'resource = "urn:kms"\nscopes = ["openid", "kms"]\n'

#: The provider binds tokens to whoever shows a key, and this server takes no others.
BOUND = ("--jwt-bound-tokens", "required", "--jwt-dpop-nonce")


def test_npm_provider_by_a_browser(npm_provider: Provider, tmp_path: Path) -> None:
    """By somebody with tokens for two servers, and by one who wants no bound ones, so that all wait at once."""
    ways = {"either": ("", ()), "bound": ("", BOUND), "free": ('dpop = "never"\n', ())}
    with contextlib.ExitStack() as stack:
        everybody = {}
        for name, (line, options) in ways.items():
            home = tmp_path / name
            home.mkdir()
            context = kmsctl_for(npm_provider, "kms", home, RESOURCE + line, *options)
            everybody[name], _ = stack.enter_context(context)
            outcome = everybody[name]("login", "--timeout", "10")
            assert outcome.code == 0, outcome.stderr
            if name == "free":
                assert "bound" not in outcome.stderr
            else:
                assert "bound to a key" in outcome.stderr
            assert name_of(everybody[name]) == "alice"
        for _ in range(2):  # each refresh token is good once
            time.sleep(LIFETIME_S)
            assert {name_of(kmsctl) for kmsctl in everybody.values()} == {"alice"}
        for kmsctl in everybody.values():
            file = kmsctl.home / ".kms_tornado/tokens.json"
            tokens = file.read_text()
            assert kmsctl("logout").stderr == "Signed out.\n"
            # What was revoked does not come back by putting the file back.
            file.write_text(tokens)
            file.chmod(0o600)
        time.sleep(LIFETIME_S)
        for kmsctl in everybody.values():
            over = kmsctl("whoami")
            assert (over.code, over.stderr) == (
                1, "kmsctl: the session has ended: run kmsctl login\n"
            )  # fmt: skip


def test_npm_provider_by_another_device(npm_provider: Provider, tmp_path: Path) -> None:
    with kmsctl_for(npm_provider, "kms", tmp_path, RESOURCE, *BOUND) as (kmsctl, _):
        outcome = device_login(kmsctl, npm_provider.person)
        assert outcome.code == 0, outcome.stderr
        assert name_of(kmsctl) == "alice"


def test_npm_provider_whose_page_is_cancelled(npm_provider: Provider, tmp_path: Path) -> None:
    def cancel(session: requests.Session, page: requests.Response) -> requests.Response:
        return session.get(f"{page.url}/abort", timeout=10)

    provider = Provider(npm_provider.uri, cancel)  # type: ignore[arg-type]
    with kmsctl_for(provider, "kms", tmp_path, RESOURCE) as (kmsctl, _):
        outcome = kmsctl("login", "--timeout", "10")
        assert outcome.code == 1
        assert "the sign-in was declined: access_denied" in outcome.stderr


# --- PyPI: oidc-provider-mock ---------------------------------------------------------------------


def test_pypi_provider_by_a_browser(pypi_provider: Provider, tmp_path: Path) -> None:
    # It knows confidential clients alone; any secret is right.
    with kmsctl_for(pypi_provider, "kmsctl", tmp_path, 'client_secret = "s3cret"\n') as (
        kmsctl, browser,
    ):  # fmt: skip
        outcome = kmsctl("login", "--timeout", "10")
        assert outcome.code == 0, outcome.stderr
        assert "Signed in as alice" in outcome.stderr
        assert name_of(kmsctl) == "alice"  # by the id token: the access token is opaque
        assert kmsctl("logout").code == 0
        assert "goes on in the terminal" in browser.pages[0].text


def test_pypi_provider_that_is_denied(pypi_provider: Provider, tmp_path: Path) -> None:
    provider = Provider(pypi_provider.uri, Person({"action": "deny"}))
    with kmsctl_for(provider, "kmsctl", tmp_path) as (kmsctl, browser):
        outcome = kmsctl("login", "--timeout", "10")
        assert outcome.code == 1
        assert "the sign-in was declined: access_denied" in outcome.stderr
        browser.close()
        assert "Not signed in" in browser.pages[0].text


def test_pypi_provider_without_device_codes(pypi_provider: Provider, tmp_path: Path) -> None:
    with kmsctl_for(pypi_provider, "kmsctl", tmp_path) as (kmsctl, _):
        outcome = kmsctl("login", "--device")
        assert outcome.code == 1
        assert "device_authorization_url" in outcome.stderr


# --- ours: --dev ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of the server and of the issuer."""
    with serving("--dev", cwd=tmp_path_factory.mktemp("dev")) as server:
        yield server.url, Printed(server).issuer


@pytest.mark.parametrize("user", ["alice@example.com", "bob@example.com"])
@pytest.mark.parametrize("way", ["browser", "device"])
def test_issuer_of_dev(
    dev: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, way: str
) -> None:
    kmsctl, person = configured(tmp_path, *dev), Person({"user": user})
    if way == "browser":
        browser = Browser(person)
        monkeypatch.setattr("webbrowser.open", browser.open)
        outcome = kmsctl("login", "--timeout", "10")
        browser.close()
    else:
        outcome = device_login(kmsctl, person)
    assert outcome.code == 0, outcome.stderr
    assert "bound to a key" in outcome.stderr
    assert name_of(kmsctl) == user
    assert kmsctl("logout").stderr == "Signed out.\n"


def test_issuer_of_dev_where_the_user_refuses(
    dev: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kmsctl, browser = configured(tmp_path, *dev), Browser(Person({"user": "refuse"}))
    monkeypatch.setattr("webbrowser.open", browser.open)
    outcome = kmsctl("login", "--timeout", "10")
    browser.close()
    assert outcome.code == 1
    assert "the sign-in was declined: access_denied" in outcome.stderr
    assert os.listdir(kmsctl.home / ".kms_tornado") == ["kmsctl.toml"]
