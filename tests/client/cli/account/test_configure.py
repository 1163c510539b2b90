"""`kmsctl configure`: what it asks, what it tries, what it writes."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ....server import NO_AUTH, ServerProcess
from ..conftest import Place
from ..runner import Kmsctl, Outcome


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


def own_file(home: Path) -> Path:
    return home / ".kms_tornado" / "kmsctl.toml"


def written(home: Path) -> dict[str, Any]:
    return tomllib.loads(own_file(home).read_text())


# --- by options ---------------------------------------------------------------------------------


def test_issuer_is_the_one_that_the_server_names(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    outcome = kmsctl("configure", "--server-url", f"{place.url}/", "--client-id", "kmsctl")
    assert outcome.code == 0, outcome.stderr
    assert outcome.lines == [str(own_file(tmp_path))]
    assert written(tmp_path) == {
        "http_config": {
            "server_url": place.url,
            "oauth2_conf": {"issuer": place.issuer.uri, "client_id": "kmsctl"},
        }
    }
    assert stat.S_IMODE(own_file(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(own_file(tmp_path).parent.stat().st_mode) == 0o700


def test_written_file_is_the_one_that_is_read(kmsctl: Kmsctl, place: Place) -> None:
    assert kmsctl("configure", "--server-url", place.url, "--client-id", "kmsctl").code == 0
    assert kmsctl("server-version").code == 0


def test_every_answer_may_be_an_option(kmsctl: Kmsctl, tmp_path: Path) -> None:
    outcome = kmsctl(
        "configure", "--server-url", "https://kms.example.com:9998", "--no-check", "--json",
        "--ca-file", "/ca.pem", "--issuer", "https://issuer.example.com/", "--client-id", "c",
        "--authorize-url", "https://a", "--token-url", "https://t", "--client-secret-stdin",
        "--scope", "openid", "--scope", "email", stdin=b"s3cr3t\n",
    )  # fmt: skip
    assert json.loads(outcome.stdout) == {"configuration_file": str(own_file(tmp_path))}
    assert written(tmp_path)["http_config"] == {
        "server_url": "https://kms.example.com:9998",
        "ca_file": "/ca.pem",
        "oauth2_conf": {
            "issuer": "https://issuer.example.com/",
            "client_id": "c",
            "scopes": ["openid", "email"],
            "authorize_url": "https://a",
            "token_url": "https://t",
            "client_secret": "s3cr3t",
        },
    }


@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        pytest.param([], "--server-url", id="server"),
        pytest.param(["--server-url", "http://localhost", "--no-check"], "--issuer", id="issuer"),
        pytest.param(
            ["--server-url", "http://localhost", "--no-check", "--issuer", "https://i"],
            "--client-id",
            id="client",
        ),
        pytest.param(
            ["--server-url", "http://localhost", "--no-check", "--authorize-url", "https://i"],
            "--issuer",
            id="one URL of two",
        ),
    ],
)
def test_missing_answer_is_named_where_nobody_can_be_asked(
    argv: list[str], missing: str, kmsctl: Kmsctl, tmp_path: Path
) -> None:
    outcome = kmsctl("configure", *argv)
    assert outcome.code == 2
    assert outcome.stderr.startswith(f"kmsctl: {missing} ")
    assert outcome.stderr.count("\n") == 1
    assert not own_file(tmp_path).exists()


def test_server_without_tokens_is_configured_without_a_login(
    kmsctl: Kmsctl, tmp_path: Path
) -> None:
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        argv = ("configure", "--server-url", server.url)
        assert "--no-login" in kmsctl(*argv).stderr
        assert kmsctl(*argv, "--no-login").code == 0
        assert kmsctl("whoami").code == 0
    assert written(tmp_path) == {"http_config": {"server_url": server.url}}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("http://127.0.0.1:9", 3, id="nobody listens"),
        pytest.param("kms.example.com", 2, id="no URL"),
        pytest.param("http://127.0.0.1:9/?a=b", 2, id="a query"),
    ],
)
def test_nothing_is_written_for_a_server_that_does_not_answer(
    url: str, code: int, kmsctl: Kmsctl, tmp_path: Path
) -> None:
    outcome = kmsctl("configure", "--server-url", url, "--client-id", "c")
    assert outcome.code == code
    assert outcome.stderr.count("\n") == 1
    assert not own_file(tmp_path).exists()


# --- a file that is there already ---------------------------------------------------------------

BEFORE = """# mine
[http_config]  # here
server_url = "http://old"  # the old one
custom_headers = ["X-Tenant: acme"]

[http_config.oauth2_conf]
issuer = "https://old"
client_id = "old"
client_secret = "s3cr3t"
token_url = "https://old/token"
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_file_keeps_its_comments_and_other_keys(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    path = write(own_file(tmp_path), BEFORE)
    assert kmsctl("configure", "--server-url", place.url).code == 0
    assert path.read_text() == BEFORE.replace("http://old", place.url)


def test_what_belonged_to_another_issuer_goes_with_it(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    write(own_file(tmp_path), BEFORE)
    assert kmsctl("configure", "--server-url", place.url, "--issuer", "https://new").code == 0
    assert written(tmp_path)["http_config"]["oauth2_conf"] == {
        "issuer": "https://new",
        "client_id": "old",
    }


def test_urls_are_enough_where_the_issuer_does_not_tell_them(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    argv = ("--authorize-url", "https://a", "--token-url", "https://t", "--client-id", "c")
    assert kmsctl("configure", "--server-url", place.url, *argv).code == 0
    assert written(tmp_path)["http_config"]["oauth2_conf"] == {
        "client_id": "c",
        "authorize_url": "https://a",
        "token_url": "https://t",
    }
    assert kmsctl("configure").code == 0


def test_first_file_starts_as_a_copy_of_the_one_of_ckms(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    theirs = write(tmp_path / ".cosmian" / "ckms.toml", BEFORE)
    assert kmsctl("configure", "--server-url", place.url).code == 0
    assert theirs.read_text() == BEFORE
    assert written(tmp_path)["http_config"]["custom_headers"] == ["X-Tenant: acme"]


@pytest.mark.parametrize("place_of_file", ["--conf", "KMSCTL_CONF"])
def test_another_file_may_be_written(
    place_of_file: str, kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "else.toml"
    argv = ["configure", "--server-url", place.url, "--client-id", "c"]
    variables = {}
    if place_of_file == "--conf":
        argv += ["--conf", str(path)]
    else:
        variables[place_of_file] = str(path)
    assert kmsctl(*argv, **variables).lines == [str(path)]
    assert path.exists()
    assert not own_file(tmp_path).exists()


def test_file_that_is_no_toml_is_left_alone(kmsctl: Kmsctl, place: Place, tmp_path: Path) -> None:
    path = write(own_file(tmp_path), "s3cr3t")
    outcome = kmsctl("configure", "--server-url", place.url, "--client-id", "c")
    assert outcome.code == 2
    assert "s3cr3t" not in outcome.stderr
    assert path.read_text() == "s3cr3t"


# --- in a terminal ------------------------------------------------------------------------------


def shown(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.stdout
    return outcome.stdout


def test_person_is_asked_and_told_what_comes_next(
    kmsctl: Kmsctl, place: Place, tmp_path: Path
) -> None:
    text = shown(kmsctl.terminal("configure", answer=f"{place.url}\n\n\nopenid email"))
    assert "URL of the server [http://localhost:9998]: " in text
    assert f"Issuer of your tokens [{place.issuer.uri}]: " in text
    assert "Client ID [kmsctl]: " in text
    assert "Scopes, or nothing for the usual ones: " in text
    assert text.endswith(f"{own_file(tmp_path)}\nNext: kmsctl login\n")
    assert written(tmp_path)["http_config"]["oauth2_conf"] == {
        "issuer": place.issuer.uri,
        "client_id": "kmsctl",
        "scopes": ["openid", "email"],
    }


def test_person_may_keep_what_was_configured(kmsctl: Kmsctl, place: Place, tmp_path: Path) -> None:
    path = write(own_file(tmp_path), BEFORE.replace("http://old", place.url))
    before = path.read_text()
    shown(kmsctl.terminal("configure", answer="\n\n\n"))
    assert path.read_text() == before


def test_person_who_gives_up_leaves_nothing_behind(kmsctl: Kmsctl, tmp_path: Path) -> None:
    outcome = kmsctl.terminal("configure", answer="\x04")
    assert outcome.code == 130
    assert not own_file(tmp_path).exists()
