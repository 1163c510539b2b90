"""kmsctl login at an issuer that binds tokens by DPoP: at servers that take no others, and at those that take all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kms_tornado.client import ProofKey

from ....server import ServerProcess, free_port
from ...faulty import Scripted, Tap, answer
from ...oauth_issuer import Browser, OAuthIssuer
from ..runner import Kmsctl, Outcome
from .signing_in import configured, login


@pytest.fixture(scope="module")
def issuer_process() -> Iterator[OAuthIssuer]:
    with OAuthIssuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def strict(
    issuer_process: OAuthIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """It takes bound tokens alone, and asks for a nonce in each proof."""
    flags = ["--jwt-bound-tokens", "required", "--jwt-dpop-nonce", "--jwt-leeway", "0"]
    yield from serve(issuer_process, tmp_path_factory.mktemp("strict"), *flags)


@pytest.fixture(scope="module")
def usual(
    issuer_process: OAuthIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """It takes both."""
    yield from serve(issuer_process, tmp_path_factory.mktemp("usual"))


def serve(issuer: OAuthIssuer, directory: Path, *flags: str) -> Iterator[ServerProcess]:
    trusted = ["--jwt-issuer-uri", issuer.uri, "--jwt-audience", "kms"]
    with ServerProcess(*trusted, *flags, cwd=directory) as server:
        yield server


@pytest.fixture
def issuer(issuer_process: OAuthIssuer) -> OAuthIssuer:
    issuer_process.reset()
    issuer_process.proof_algorithms = ["ES256", "RS256"]
    return issuer_process


@pytest.fixture
def kmsctl(tmp_path: Path, issuer: OAuthIssuer, strict: ServerProcess) -> Kmsctl:
    return configured(tmp_path, strict.url, issuer.uri)


def stored(kmsctl: Kmsctl) -> dict[str, Any]:
    (tokens,) = json.loads((kmsctl.home / ".kms_tornado/tokens.json").read_text()).values()
    return dict(tokens)


def change_stored(kmsctl: Kmsctl, **changes: Any) -> None:
    file = kmsctl.home / ".kms_tornado/tokens.json"
    accounts = json.loads(file.read_text())
    file.write_text(json.dumps({name: {**tokens, **changes} for name, tokens in accounts.items()}))


def one_line(outcome: Outcome, code: int = 1) -> str:
    assert outcome.code == code, outcome
    (line,) = outcome.stderr.splitlines()
    return line


# --- a server that takes no other tokens ----------------------------------------------------------


@pytest.mark.parametrize("nonce", [None, "the-issuer's"])
@pytest.mark.parametrize("argv", [(), ("--device",)])
def test_whoever_signs_in_is_let_in_until_logout(
    kmsctl: Kmsctl,
    issuer: OAuthIssuer,
    browser: Browser,
    nonce: str | None,
    argv: tuple[str, ...],
) -> None:
    issuer.nonce, issuer.is_approved = nonce, True
    assert "bound to a key beside them" in login(kmsctl, *argv).stderr
    who = json.loads(kmsctl("whoami", "--json").stdout)
    assert (who["name"], who["is_bound"]) == ("alice", True)
    key = kmsctl("sym", "keys", "create").lines[-1].split()[-1]
    file = kmsctl.home / "plain"
    file.write_bytes(b"data")
    assert kmsctl("encrypt", file, "--for", key, "-o", kmsctl.home / "sealed").code == 0
    opened = kmsctl("decrypt", kmsctl.home / "sealed", "-o", "-")
    assert opened.output == b"data"
    assert kmsctl("logout").code == 0
    assert not (kmsctl.home / ".kms_tornado/tokens.json").exists()
    assert issuer.revoked == ["access_token", "refresh_token"]


def test_login_tells_programs_that_the_token_is_bound(kmsctl: Kmsctl, browser: Browser) -> None:
    assert json.loads(login(kmsctl, "--json").stdout)["is_bound"] is True


def test_each_login_makes_a_key_of_its_own(kmsctl: Kmsctl, browser: Browser) -> None:
    login(kmsctl)
    first = stored(kmsctl)["proof_key"]
    login(kmsctl)
    assert stored(kmsctl)["proof_key"] != first


def test_processes_at_once_renew_a_bound_token_once(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.lifetime_s = 1
    login(kmsctl)
    key = stored(kmsctl)["proof_key"]
    time.sleep(1.2)
    issuer.lifetime_s = 600
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _: kmsctl.process("whoami"), range(3)))
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    assert len(issuer.asked("/token")) == 2
    assert stored(kmsctl)["proof_key"] == key


def test_token_file_without_its_key_is_of_no_use(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    login(kmsctl)
    mine = stored(kmsctl)
    for pem in (None, "damaged"):
        change_stored(kmsctl, proof_key=pem)
        assert one_line(kmsctl("ls")) == (
            "kmsctl: the key to which the token is bound is missing or damaged where the tokens are "
            "kept: run kmsctl login"
        )
    change_stored(kmsctl, proof_key=ProofKey.generate().to_pem().decode())
    assert "bound to another key than the DPoP proof's: run kmsctl login" in one_line(kmsctl("ls"))
    change_stored(kmsctl, proof_key=None, token_type="Bearer")
    assert one_line(kmsctl("ls")).endswith(
        "token needs a DPoP proof: run kmsctl login, as its key is not kept here"
    )
    stolen = mine["access_token"]
    line = one_line(kmsctl("ls", KMS_TOKEN=stolen))
    assert line.endswith(": unset KMS_TOKEN, and run kmsctl login, as its key is not kept here")
    change_stored(kmsctl, **mine)
    assert kmsctl("ls").code == 0


def test_nothing_of_key_token_and_proof_is_shown(
    kmsctl: Kmsctl, issuer: OAuthIssuer, strict: ServerProcess, browser: Browser
) -> None:
    outcomes = [login(kmsctl, "--json"), kmsctl("whoami", "--kmip-json")]
    tokens = stored(kmsctl)
    change_stored(kmsctl, proof_key=ProofKey.generate().to_pem().decode())
    outcomes += [kmsctl("ls", KMSCTL_TRACEBACK=""), kmsctl("logout")]
    shown = "".join(outcome.stdout + outcome.stderr for outcome in outcomes) + strict.log
    secrets = [tokens["access_token"], *tokens["proof_key"].splitlines()[1:-1]]
    assert not [secret for secret in secrets if secret in shown]
    assert "dpop+jwt" not in shown
    assert "eyJ0eXAiOiJkcG9wK2p3dCI" not in shown  # how a proof begins


def test_clock_that_is_wrong_harms_nobody_but_the_login(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(kmsctl)
    monkeypatch.setattr("kms_tornado.client.proof_key.time", SimpleNamespace(time=lambda: 1.0))
    assert kmsctl("whoami").code == 0
    assert "check this machine's clock" in kmsctl("login").stderr


def test_bearer_token_is_refused_with_what_to_do(
    kmsctl: Kmsctl, issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.proof_algorithms = []  # the issuer has no DPoP, or not for this client
    assert "bound" not in login(kmsctl).stderr
    assert one_line(kmsctl("ls")).endswith(
        "token not bound to a key or certificate: run kmsctl login, with DPoP switched on for this "
        "client at the issuer"
    )


# --- the configuration decides --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "is_bound"),
    [
        pytest.param("", True, id="auto"),
        pytest.param('dpop = "never"', False, id="never"),
        pytest.param('dpop = "always"', True, id="always"),
        pytest.param('token = "id"', False, id="the id token is sent"),
    ],
)
def test_tokens_are_bound_as_configured_where_both_are_taken(
    tmp_path: Path,
    issuer: OAuthIssuer,
    usual: ServerProcess,
    browser: Browser,
    more: str,
    is_bound: bool,
) -> None:
    issuer.claims = {"aud": ["kms", "kmsctl"], "azp": "kmsctl"}
    kmsctl = configured(tmp_path, usual.url, issuer.uri, login=more)
    login(kmsctl)
    assert (stored(kmsctl)["token_type"], len(issuer.proofs)) == (
        ("DPoP", 1) if is_bound else ("Bearer", 0)
    )
    assert kmsctl("whoami").code == 0


METADATA = {"resource": "", "dpop_signing_alg_values_supported": ["ES256"]}


@pytest.mark.parametrize(
    ("document", "is_bound"),
    [
        pytest.param({}, True, id="takes proofs, here"),
        pytest.param({"resource": "https://other.example"}, False, id="goes by another URL"),
        pytest.param({"dpop_signing_alg_values_supported": None}, False, id="takes none"),
        pytest.param({"dpop_signing_alg_values_supported": ["PS512"]}, False, id="others"),
        pytest.param({"resource": "http://["}, False, id="goes by no URL"),
        pytest.param(None, False, id="has no such page, as cKMS"),
    ],
)
def test_tokens_are_bound_only_for_a_server_that_says_it_takes_proofs(
    tmp_path: Path,
    issuer: OAuthIssuer,
    browser: Browser,
    document: dict[str, Any] | None,
    is_bound: bool,
) -> None:
    with Scripted(b"", port=free_port()) as server:
        page = answer("not found", "404 Not Found")
        if document is not None:
            page = answer({**METADATA, "resource": f"{server.url}/", **document})
        server._steps = [page]
        kmsctl = configured(tmp_path, server.url, issuer.uri)
        login(kmsctl)
    assert bool(issuer.proofs) is is_bound
    assert stored(kmsctl)["token_type"] == ("DPoP" if is_bound else "Bearer")


def test_login_needs_no_server(tmp_path: Path, issuer: OAuthIssuer, browser: Browser) -> None:
    kmsctl = configured(tmp_path, f"http://127.0.0.1:{free_port()}", issuer.uri)
    login(kmsctl)
    assert stored(kmsctl)["token_type"] == "Bearer"


def test_server_that_knows_another_url_says_what_it_needs(
    tmp_path: Path, issuer: OAuthIssuer, usual: ServerProcess, browser: Browser
) -> None:
    """As behind a proxy without --public-url, which auto would have noticed."""
    kmsctl = configured(tmp_path, usual.url, issuer.uri, login='dpop = "always"')
    login(kmsctl)
    with Tap(usual.port) as proxy:
        file = kmsctl.home / ".kms_tornado/tokens.json"
        moved = file.read_text().replace(usual.url, proxy.url)
        configured(tmp_path, proxy.url, issuer.uri)
        file.write_text(moved)
        assert "made for another URL: the server needs --public-url" in one_line(kmsctl("ls"))
