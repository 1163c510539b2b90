"""DPoP proofs of the client: their form, and that servers which demand them let the client in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kms_tornado.auth.bound.dpop import ProofVerifier, ProvenRequest
from kms_tornado.auth.bound.proof_key import compute_thumbprint
from kms_tornado.auth.bound.proof_nonces import ProofNonces
from kms_tornado.client import (
    AsyncKMSClient,
    AuthenticationFailed,
    ConnectionSettings,
    DPoPToken,
    InvalidSettings,
    KMSClient,
    ProofKey,
    ProxySettings,
    UnexpectedAnswer,
    repeats,
)
from kms_tornado.client.proof_key import ALGORITHMS

from ..issuer import Issuer
from ..server import serving, trusting
from .conftest import Server
from .faulty import UNAVAILABLE, Scripted, Tap, answer, refusal

URL = "https://kms.example/kmip_2_1"
VERSION = answer('"0.1.0"')


def use_nonce(nonce: str) -> bytes:
    challenge = 'DPoP error="use_dpop_nonce", error_description="any"'
    return refusal("401 No", "any", WWW_Authenticate=challenge, DPoP_Nonce=nonce)


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts_of(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (decode(part) for part in proof.split("."))
    return json.loads(header), json.loads(claims)


def proofs_of(requests: list[str]) -> list[dict[str, Any]]:
    """The claims of the proofs in requests that were received."""
    lines = [line for request in requests for line in request.split("\r\n\r\n")[0].split("\r\n")]
    return [parts_of(line.partition(": ")[2])[1] for line in lines if line.startswith("DPoP: ")]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BACKOFF_S", 0)
    monkeypatch.setattr(repeats, "JITTER_S", 0)
    monkeypatch.setattr(repeats, "MAX_RETRY_AFTER_S", 0)


# --- keys and proofs ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_proof_of_every_algorithm_is_good_at_the_server(algorithm: str) -> None:
    key = ProofKey.generate(algorithm)
    verifier = ProofVerifier(
        ProofNonces(bytes(32), 0), algorithms=frozenset(ALGORITHMS), leeway_s=0
    )
    digest = hashlib.sha256(b"token").digest()
    proof = key.make_proof("POST", f"{URL}?a=b#c", access_token="token", now=1000.9)
    used = verifier.verify(ProvenRequest([proof], "POST", URL, digest), key.thumbprint, now=1000)
    assert used.until == 1060
    assert key.thumbprint == compute_thumbprint(key.public_jwk)


def test_proof_has_the_members_of_the_rfc_and_no_others() -> None:
    key = ProofKey.generate()
    header, claims = parts_of(key.make_proof("GET", f"{URL}?secret=1#part", now=1700000000.7))
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk}
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
    assert len(claims.pop("jti")) >= 22
    assert claims == {"htm": "GET", "htu": URL, "iat": 1700000000}
    _, more = parts_of(key.make_proof("GET", URL, access_token="t", nonce="n"))
    assert set(more) == {"jti", "htm", "htu", "iat", "ath", "nonce"}
    assert abs(more["iat"] - time.time()) < 60


def test_keys_of_the_rfcs_have_their_jwk_and_their_thumbprint() -> None:
    """RFC 7515 §A.3.1, RFC 8037 §A.2 and §A.3."""
    number = int.from_bytes(decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")
    assert ProofKey(ec.derive_private_key(number, ec.SECP256R1())).public_jwk == {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    key = ProofKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    assert key.public_jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_survives_as_pem(algorithm: str) -> None:
    key = ProofKey.generate(algorithm)
    again = ProofKey.from_pem(key.to_pem())
    assert (again.thumbprint, again.algorithm) == (key.thumbprint, algorithm)


def test_key_is_equal_to_itself_read_again_and_to_no_other() -> None:
    key = ProofKey.generate()
    again, other = ProofKey.from_pem(key.to_pem()), ProofKey.generate()
    assert (key == again, key == other) == (True, False)
    assert len({DPoPToken("a", key), DPoPToken("a", again), DPoPToken("a", other)}) == 2


def test_pem_may_have_a_password() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    sealed = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")
    )
    assert ProofKey.from_pem(sealed, b"pw").thumbprint == ProofKey(private).thumbprint
    for password in (None, b"other"):
        with pytest.raises(InvalidSettings, match="cannot be read"):
            ProofKey.from_pem(sealed, password)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ProofKey.from_pem(b""), id="nothing"),
        pytest.param(lambda: ProofKey.from_pem(b"-----BEGIN PRIVATE KEY-----"), id="cut short"),
        pytest.param(
            lambda: ProofKey.from_pem(
                x25519.X25519PrivateKey.generate().private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
            ),
            id="a key that signs nothing",
        ),
        pytest.param(lambda: ProofKey(ec.generate_private_key(ec.SECP256K1())), id="another curve"),
        pytest.param(
            lambda: ProofKey(rsa.generate_private_key(65537, 1024)), id="RSA of 1024 bits"
        ),
        pytest.param(lambda: ProofKey.generate("HS256"), id="a symmetric algorithm"),
    ],
)
def test_what_is_no_proof_key_is_refused(make: Callable[[], ProofKey]) -> None:
    with pytest.raises(InvalidSettings, match="proof"):
        make()


def test_neither_key_nor_token_is_shown() -> None:
    key = ProofKey.generate()
    shown = repr(DPoPToken("secret-token", key))
    assert "secret-token" not in shown
    assert str(key.private_key) not in shown


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y"])
def test_bound_token_has_to_be_a_token(token: str) -> None:
    with pytest.raises(InvalidSettings):
        DPoPToken(token, ProofKey.generate())


# --- at a server ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Tap]]:
    """A server behind a tap, which takes bound tokens alone, and asks for a nonce in every proof."""
    with Tap(0) as tap, Issuer("ES256") as issuer:
        flags = ("--jwt-bound-tokens", "required", "--jwt-dpop-nonce", "--public-url", tap.url)
        with serving(*trusting(issuer, *flags), cwd=tmp_path_factory.mktemp("strict")) as process:
            tap.target = process.port
            yield Server(process, issuer), tap


@pytest.fixture
def strict(tapped: tuple[Server, Tap]) -> Server:
    return tapped[0]


@pytest.fixture
def tap(tapped: tuple[Server, Tap]) -> Tap:
    tapped[1].requests.clear()
    return tapped[1]


def bound_token(server: Server, key: ProofKey, **claims: object) -> DPoPToken:
    return DPoPToken(server.token("alice", cnf={"jkt": key.thumbprint}, **claims), key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_server_that_demands_bound_tokens_lets_the_client_in(
    strict: Server, tap: Tap, algorithm: str
) -> None:
    with KMSClient(tap.url, bound_token(strict, ProofKey.generate(algorithm))) as client:
        key = client.create_symmetric_key()
        assert client.decrypt(key, client.encrypt(key, b"data")) == b"data"
        assert client.whoami()["name"] == "alice"


def test_asynchronous_client_proves_as_well(strict: Server, tap: Tap) -> None:
    async def ask() -> list[dict[str, Any]]:
        token = bound_token(strict, ProofKey.generate())
        async with AsyncKMSClient(tap.url, token) as client:
            return await asyncio.gather(*(client.whoami() for _ in range(8)))

    assert [answer["name"] for answer in asyncio.run(ask())] == ["alice"] * 8


def test_nonce_is_fetched_once_and_then_remembered(strict: Server, tap: Tap) -> None:
    with KMSClient(tap.url, bound_token(strict, ProofKey.generate())) as client:
        for _ in range(3):
            client.whoami()
    claims = proofs_of(tap.requests)
    assert ["nonce" in proof for proof in claims] == [False, True, True, True]
    assert len({proof["jti"] for proof in claims}) == 4


def test_proof_names_the_server_and_not_the_proxy() -> None:
    url = "http://localhost:9"
    with Scripted(VERSION) as proxy:
        settings = ConnectionSettings(server_url=url, proxy=ProxySettings(url=proxy.url))
        token = DPoPToken("token", ProofKey.generate())
        with KMSClient(settings=settings, token=token) as client:
            client.server_version()
        assert [proof["htu"] for proof in proofs_of(proxy.requests)] == [f"{url}/version"]


def test_threads_that_share_a_client_and_get_different_nonces_are_all_let_in(
    strict: Server, tap: Tap
) -> None:
    with (
        KMSClient(tap.url, bound_token(strict, ProofKey.generate())) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        names = list(pool.map(lambda _: client.whoami()["name"], range(32)))
    assert names == ["alice"] * 32


def test_stolen_token_without_its_key_is_of_no_use(server: Server) -> None:
    token = bound_token(server, ProofKey.generate())
    for stolen in (token.value, replace(token, key=ProofKey.generate())):
        with (
            KMSClient(server.url, stolen) as client,
            pytest.raises(AuthenticationFailed) as caught,
        ):
            client.whoami()
        assert token.value not in str(caught.value)
    with KMSClient(server.url, token) as client:
        assert client.whoami()["name"] == "alice"


def test_clock_that_is_wrong_is_made_up_for_by_a_nonce(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = bound_token(server, ProofKey.generate())
    monkeypatch.setattr("kms_tornado.client.proof_key.time", SimpleNamespace(time=lambda: 1.0))
    with KMSClient(server.url, token) as client:
        assert client.whoami()["name"] == "alice"


def test_server_below_a_prefix_and_a_host_in_capitals_are_proven(server: Server) -> None:
    token = bound_token(server, ProofKey.generate())
    url = server.url.replace("127.0.0.1", "LOCALHOST")
    with KMSClient(url, token) as client:
        assert client.whoami()["name"] == "alice"


# --- repeats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, UNAVAILABLE, refusal("429 Too Many", "slow down")])
def test_every_repeat_brings_a_new_proof(fault: bytes | None) -> None:
    key = ProofKey.generate()
    with Scripted(fault, fault, VERSION) as server:
        with KMSClient(server.url, DPoPToken("token", key)) as client:
            client.server_version()
        claims = proofs_of(server.requests)
    assert len(claims) == len({proof["jti"] for proof in claims}) == 3
    assert all("Authorization: DPoP token\r\n" in request for request in server.requests)


def test_repeat_after_a_lost_answer_is_let_in(strict: Server, tap: Tap) -> None:
    """The server has used up the proof of the first try."""
    with KMSClient(tap.url, bound_token(strict, ProofKey.generate())) as client:
        client.whoami()
        tap.requests.clear()
        tap.lose_once("whoami")
        assert client.whoami()["name"] == "alice"
        tap.lose_once('"tag":"Create"')
        assert client.create_symmetric_key()
    assert len({proof["jti"] for proof in proofs_of(tap.requests)}) == 4


def test_demand_for_a_nonce_is_answered_once() -> None:
    token = DPoPToken("token", ProofKey.generate())
    with Scripted(use_nonce("one"), use_nonce("two")) as server:
        with KMSClient(server.url, token) as client:
            with pytest.raises(AuthenticationFailed):
                client.server_version()
            assert [proof.get("nonce") for proof in proofs_of(server.requests)] == [None, "one"]
            with pytest.raises(AuthenticationFailed):
                client.server_version()
        assert proofs_of(server.requests)[2]["nonce"] == "two"


def test_newer_nonce_of_a_good_answer_is_used_from_then_on() -> None:
    good = answer('"0.1.0"', headers={"DPoP-Nonce": "next"})
    with Scripted(good) as server:
        with KMSClient(server.url, DPoPToken("token", ProofKey.generate())) as client:
            client.server_version()
            client.server_version()
        assert [proof.get("nonce") for proof in proofs_of(server.requests)] == [None, "next"]


@pytest.mark.parametrize("nonce", ["", "a b", 'quo"te', "x" * 1025])
def test_nonce_that_is_none_is_not_used(nonce: str) -> None:
    with Scripted(use_nonce(nonce)) as server:
        with (
            KMSClient(server.url, DPoPToken("token", ProofKey.generate())) as client,
            pytest.raises(AuthenticationFailed),
        ):
            client.server_version()
        assert [proof.get("nonce") for proof in proofs_of(server.requests)] == [None]


def test_bearer_token_is_not_sent_again_for_a_nonce() -> None:
    with Scripted(use_nonce("one")) as server:
        with KMSClient(server.url, "token") as client, pytest.raises(AuthenticationFailed):
            client.server_version()
        assert len(server.requests) == 1
        assert "DPoP: " not in server.requests[0]


def test_neither_token_nor_proof_follows_a_redirect() -> None:
    moved = answer("", "307 Moved", {"Location": "http://elsewhere.example/"})
    with Scripted(moved) as server:
        with (
            KMSClient(server.url, DPoPToken("secret", ProofKey.generate())) as client,
            pytest.raises(UnexpectedAnswer, match="redirects"),
        ):
            client.server_version()
        assert len(server.requests) == 1


def test_proof_and_token_stand_in_no_log_and_no_error(
    strict: Server, tap: Tap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = DPoPToken(bound_token(strict, ProofKey.generate()).value, ProofKey.generate())
    tap.lose_once("whoami")
    with KMSClient(tap.url, token) as client, pytest.raises(AuthenticationFailed) as caught:
        client.whoami()
    sent = [line for text in tap.requests for line in text.split("\r\n") if "DPoP" in line]
    assert len(sent) == 4
    for line in sent:
        secret = line.split()[-1]
        assert secret not in caplog.text
        assert secret not in str(caught.getrepr(style="short"))
        assert secret not in strict.process.log


def test_header_dpop_is_the_client_s_own() -> None:
    with pytest.raises(InvalidSettings, match="the client's own"):
        ConnectionSettings(server_url="https://kms.example", custom_headers=(("dpop", "x"),))
