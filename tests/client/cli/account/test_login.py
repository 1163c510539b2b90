"""kmsctl login and logout, and the commands in between: what people see, and what nobody may see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.client.connection import ConnectionSettings
from kms_tornado.client.login.login_settings import LoginSettings
from kms_tornado.client.login.stored_tokens import stored_token_source
from kms_tornado.client.login.token_store import open_token_store
from kms_tornado.client.login.tokens import token_account

from ....server import ServerProcess
from ...oauth_issuer import Browser, OAuthIssuer, error
from ..runner import COMMAND, Kmsctl, forked_command
from .signing_in import configured, login


@dataclass(frozen=True)
class Place:
    """A server, the issuer that it trusts, and kmsctl of somebody who is configured for both."""

    server_url: str
    issuer: OAuthIssuer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with OAuthIssuer() as issuer:
        flags = ["--jwt-issuer-uri", issuer.uri, "--jwt-audience", "kms", "--jwt-leeway", "0"]
        with ServerProcess(*flags, cwd=tmp_path_factory.mktemp("server")) as server:
            yield Place(f"http://127.0.0.1:{server.port}", issuer)


@pytest.fixture
def issuer(place: Place) -> OAuthIssuer:
    place.issuer.reset()
    return place.issuer


@pytest.fixture
def kmsctl(place: Place, issuer: OAuthIssuer, tmp_path: Path) -> Kmsctl:
    return configured(tmp_path, place.server_url, issuer.uri)


def stored(kmsctl: Kmsctl) -> list[dict[str, str]]:
    file = kmsctl.home / ".kms_tornado/tokens.json"
    return list(json.loads(file.read_text()).values()) if file.exists() else []


# --- signing in and out ---------------------------------------------------------------------------


def test_login_serves_the_commands_after_it_until_logout(kmsctl: Kmsctl, browser: Browser) -> None:
    shown = login(kmsctl)
    assert shown.stdout == ""
    assert browser.urls[0] in shown.stderr
    assert "Signed in as alice@example.com at http://127.0.0.1:" in shown.stderr
    assert "tokens.json" in shown.stderr
    who = kmsctl("whoami", "--json")
    assert json.loads(who.stdout)["name"] == "alice"
    assert "tokens.json" in who.stdout
    out = kmsctl("logout")
    assert (out.code, out.stdout, out.stderr) == (0, "", "Signed out.\n")
    assert stored(kmsctl) == []
    refused = kmsctl("ls")
    assert refused.code == 1
    assert "kmsctl login" in refused.stderr


def test_tokens_are_the_users_alone(kmsctl: Kmsctl, browser: Browser) -> None:
    login(kmsctl)
    assert (kmsctl.home / ".kms_tornado/tokens.json").stat().st_mode & 0o777 == 0o600


def test_login_tells_programs_who_signed_in(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    document = json.loads(login(kmsctl, "--json").stdout)
    assert document["user"] == "alice@example.com"
    assert document["issuer"] == issuer.uri
    assert document["is_renewed"] is True
    assert document["scopes"] == ["openid", "email", "offline_access"]
    assert document["expires_at"].endswith("Z")


def test_login_on_another_device_prints_the_code(kmsctl: Kmsctl, issuer: OAuthIssuer) -> None:
    issuer.is_approved = True
    shown = login(kmsctl, "--device").stderr
    assert f"{issuer.uri}/device" in shown
    assert "enter the code BCDF-GHJK there, within 1 minutes" in shown
    assert "secret-device-code" not in shown
    assert kmsctl("whoami").code == 0


@pytest.mark.parametrize("argv", [("login",), ("login", "--device"), ("login", "--json")])
def test_nothing_that_is_secret_is_shown(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser, argv: tuple[str, ...]
) -> None:
    issuer.is_approved = True
    outcomes = [
        login(kmsctl, *argv[1:]), kmsctl("whoami", "--kmip-json"), kmsctl("ls", "--kmip-json"),
        kmsctl("logout"),
    ]  # fmt: skip
    shown = "".join(outcome.stdout + outcome.stderr for outcome in outcomes)
    secrets = {
        value
        for path, parameters in issuer.requests
        if path in {"/token", "/revoke"}
        for name, value in parameters.items()
        if name in {"code", "code_verifier", "token", "refresh_token", "device_code"}
    }
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        pytest.param(["--no-browser"], {}, id="asked for"),
        pytest.param(
            [], {"DISPLAY": "", "SSH_CONNECTION": "1 2 3 4"}, id="no display, as over SSH"
        ),
    ],
)
def test_page_is_only_printed_where_no_browser_is_to_open(
    kmsctl: Kmsctl, browser: Browser, argv: list[str], variables: dict[str, str]
) -> None:
    outcome = kmsctl("login", "--timeout", "1", *argv, **variables)
    assert outcome.code == 1
    assert "/authorize?" in outcome.stderr
    assert ("kmsctl login --device" in outcome.stderr) == bool(variables)
    assert "nobody signed in within 1 seconds: run kmsctl login again" in outcome.stderr
    assert browser.urls == []


def test_interrupt_ends_the_waiting(kmsctl: Kmsctl, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*forked_command(), "login", "--no-browser"], env=kmsctl.environment(), text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while "/authorize" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert stored(kmsctl) == []


@pytest.mark.parametrize("command", ["login", "logout"])
def test_without_a_configured_login_it_is_said_what_to_set(
    tmp_path: Path, place: Place, command: str
) -> None:
    outcome = Kmsctl(tmp_path, {"KMS_URL": place.server_url})(command)
    assert outcome.code == 2
    assert outcome.stderr.count("\n") == 1
    assert "set client_id and issuer" in outcome.stderr


def test_token_of_the_environment_stands_above_and_login_says_so(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    mine = issuer.jwt(sub="mine")
    outcome = kmsctl("login", KMS_TOKEN=mine)
    assert "KMS_TOKEN is set and stands above this login: unset it" in outcome.stderr
    assert json.loads(kmsctl("whoami", "--json", KMS_TOKEN=mine).stdout)["name"] == "mine"


def test_login_stands_above_the_token_of_the_file(
    place: Place, kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    of_the_file = f'access_token = "{issuer.jwt(sub="of-the-file")}"'
    configured(kmsctl.home, place.server_url, issuer.uri, connection=of_the_file)
    assert json.loads(kmsctl("whoami", "--json").stdout)["name"] == "of-the-file"
    login(kmsctl)
    assert json.loads(kmsctl("whoami", "--json").stdout)["name"] == "alice"
    assert "there is still an access token in" in kmsctl("logout").stderr


def test_opaque_access_token_stays_with_the_issuer_and_the_server_gets_the_id_token(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.is_opaque = True
    issuer.claims = {"aud": ["kms", "kmsctl"], "azp": "kmsctl", "sub": "by-id-token"}
    login(kmsctl)
    assert json.loads(kmsctl("whoami", "--json").stdout)["name"] == "by-id-token"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        pytest.param((503, {}, b""), 3, "not revoked: the issuer at", id="issuer unavailable"),
        pytest.param(error("invalid_request"), 1, "not revoked: the issuer did", id="refused"),
    ],
)
def test_logout_forgets_even_where_the_issuer_does_not_revoke(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser, answer: object, code: int, said: str
) -> None:
    login(kmsctl)
    issuer.scripted["/revoke"] = [answer, answer]  # type: ignore[list-item]
    outcome = kmsctl("logout")
    assert outcome.code == code
    assert said in outcome.stderr
    assert stored(kmsctl) == []


def test_logout_of_nobody_is_fine(kmsctl: Kmsctl) -> None:
    outcome = kmsctl("logout")
    assert (outcome.code, outcome.stderr) == (0, "Nobody was signed in.\n")


def test_logout_says_where_tokens_only_expire(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    login(kmsctl)
    issuer.metadata = {"revocation_endpoint": None}
    assert "they expire by themselves" in kmsctl("logout").stderr


# --- staying signed in ----------------------------------------------------------------------------


def test_long_command_survives_expiries_in_its_middle(
    place: Place, kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.lifetime_s = 2
    login(kmsctl)
    connection = ConnectionSettings(server_url=place.server_url)
    account = token_account(place.server_url, issuer=issuer.uri, client_id="kmsctl")
    store = open_token_store(account, directory=kmsctl.home / ".kms_tornado")
    tokens = store.load()
    assert tokens is not None
    source = stored_token_source(
        store, tokens, connection, LoginSettings(client_id="kmsctl", issuer=issuer.uri)
    )
    with KMSClient(token=source, settings=connection) as client:
        ends_at, names = time.monotonic() + 5, []
        while time.monotonic() < ends_at:
            names.append(client.whoami()["name"])
            time.sleep(0.05)
    assert set(names) == {"alice"}
    refreshes = [a for a in issuer.asked("/token") if a["grant_type"] == "refresh_token"]
    assert 2 <= len(refreshes) <= 6  # 5 s in tokens of 1.5 s


def test_servers_word_renews_a_token_whose_clock_says_otherwise(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    login(kmsctl)
    file = kmsctl.home / ".kms_tornado/tokens.json"
    accounts = json.loads(file.read_text())
    (tokens,) = accounts.values()
    # Good for an hour as seen from this machine, whose clock is an hour slow; over for the server.
    now = time.time()
    tokens["access_token"] = issuer.jwt(iat=now - 7200, exp=now - 3600, nothing="local")
    accounts = {name: {**tokens, "expires_at": now + 3600} for name in accounts}
    file.write_text(json.dumps(accounts))
    assert kmsctl("whoami").code == 0


def end_token(kmsctl: Kmsctl, issuer: OAuthIssuer) -> None:
    """As if the time of the token that is kept had come meanwhile."""
    file = kmsctl.home / ".kms_tornado/tokens.json"
    ended = time.time() - 60
    token = issuer.jwt(iat=ended - 600, exp=ended)
    accounts = json.loads(file.read_text())
    for tokens in accounts.values():
        tokens |= {"access_token": token, "expires_at": ended}
    file.write_text(json.dumps(accounts))


def test_command_after_the_expiry_is_as_ever(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    login(kmsctl)
    end_token(kmsctl, issuer)
    assert kmsctl("whoami").code == 0
    assert kmsctl("whoami").code == 0
    assert len(issuer.asked("/token")) == 2


def test_processes_at_once_use_a_refresh_token_once(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    login(kmsctl)
    end_token(kmsctl, issuer)
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _: kmsctl.process("whoami"), range(3)))
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    assert not issuer.is_over
    assert len(issuer.asked("/token")) == 2


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        pytest.param(
            error("invalid_grant"),
            1,
            "kmsctl: the session has ended: run kmsctl login\n",
            id="over",
        ),
        pytest.param(
            (503, {}, b""), 3, "is not available (HTTP 503): try again\n", id="issuer unavailable"
        ),
    ],
)
def test_session_that_cannot_be_renewed_ends_a_command_in_one_line(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser, answer: object, code: int, line: str
) -> None:
    login(kmsctl)
    end_token(kmsctl, issuer)
    before = stored(kmsctl)
    issuer.scripted["/token"] = [answer]  # type: ignore[list-item]
    outcome = kmsctl("ls")
    assert outcome.code == code
    assert outcome.stderr.endswith(line)
    assert outcome.stderr.count("\n") == 1
    assert stored(kmsctl) == before


def test_commands_that_need_no_refresh_load_no_library_of_the_sign_in(
    kmsctl: Kmsctl, browser: Browser
) -> None:
    login(kmsctl)
    code = (
        "import sys; from kms_tornado.client.cli.main import main; code = main(['ls']); "
        "print(code, *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code],
        env=kmsctl.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    code_shown, *names = done.stdout.splitlines()[-1].split()
    assert code_shown == "0"
    assert not {"authlib", "joserfc", "requests"} & set(names)


def test_nothing_of_a_login_stands_in_the_arguments_of_a_process(
    kmsctl: Kmsctl, issuer: OAuthIssuer, tmp_path: Path
) -> None:
    """The address of the page does: a browser is given it so, and nothing in it lets anybody in."""
    seen = tmp_path / "seen"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part && mv {seen}.part {seen}\n')
    script.chmod(0o700)
    done = threading.Event()

    def visit() -> None:
        while not seen.exists() and not done.is_set():
            time.sleep(0.02)
        browser.open(seen.read_text())

    browser = Browser()
    thread = threading.Thread(target=visit)
    thread.start()
    environment = {"BROWSER": f"{script} %s", "PATH": os.environ["PATH"]}
    outcome = kmsctl.process("login", **environment)
    done.set()
    thread.join()
    browser.close()
    assert outcome.code == 0, outcome.stderr
    (asked,) = issuer.asked("/token")
    address = seen.read_text()
    assert not [name for name in ("code", "code_verifier") if asked[name] in address]
