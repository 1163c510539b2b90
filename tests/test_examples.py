"""The applications of examples/ run as they stand, with real tokens."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.web import Application
from tornado.websocket import websocket_connect

import kms_tornado
from kms_tornado.errors import ConfigurationError
from kms_tornado.settings.service import ServiceArguments

from .example_programs import ROOT, example
from .issuer import Issuer
from .support import Client, running


@pytest.fixture(scope="module")
def new(issuer: Issuer) -> Iterator[Client]:
    with example("new_application.py", issuer.uri) as client:
        yield client


@pytest.fixture(scope="module")
def existing(issuer: Issuer) -> Iterator[Client]:
    with example("existing_application.py", issuer.uri) as client:
        yield client


@pytest.fixture(scope="module")
def api(issuer: Issuer) -> Iterator[Client]:
    with example("scoped_api.py", issuer.uri) as client:
        yield client


def test_new_application_greets_the_user(new: Client, issuer: Issuer) -> None:
    assert new.get("/", token=issuer.token(aud="orders")).text == "hello alice\n"


def test_new_application_refuses_a_token_for_another_service(new: Client, issuer: Issuer) -> None:
    assert new.get("/", token=issuer.token(aud="others")).status == 401


def test_existing_handler_keeps_its_own_prepare(existing: Client, issuer: Issuer) -> None:
    answer = existing.get("/orders/1", token=issuer.token(aud="orders"))
    assert answer.json() == {"order": "tea", "seen_by": "alice"}
    assert answer.headers["X-Application"] == "orders"


def test_existing_handler_that_forgets_super_prepare_is_protected(existing: Client) -> None:
    assert existing.get("/orders/1").status == 401


def test_public_method_needs_no_token(existing: Client) -> None:
    assert existing.request("HEAD", "/orders/1").status == 200


@pytest.mark.parametrize(("scope", "status"), [("orders:read", 403), ("orders:write", 204)])
def test_guarded_method_needs_its_scope(
    existing: Client, issuer: Issuer, scope: str, status: int
) -> None:
    token = issuer.token(aud="orders", scope=scope)
    assert existing.request("PUT", "/orders/2", token=token, body=b"cake").status == status


def test_static_files_are_protected(existing: Client, issuer: Issuer) -> None:
    path = "/files/new_application.py"
    assert existing.get(path).status == 401
    assert b"Hello" in existing.get(path, token=issuer.token(aud="orders")).body


def test_websocket_is_protected_before_it_opens(existing: Client, issuer: Issuer) -> None:
    url = f"ws://127.0.0.1:{existing.port}/events"

    async def talk(headers: dict[str, str]) -> str | bytes | None:
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        await connection.write_message("hi")
        answer = await connection.read_message()
        connection.close()
        assert await connection.read_message() is None  # the other side has closed, too
        return answer

    token = issuer.token(aud="orders")
    assert asyncio.run(talk({"Authorization": f"Bearer {token}"})) == "alice: hi"
    with pytest.raises(HTTPClientError) as refusal:
        asyncio.run(talk({}))
    assert refusal.value.code == 401


def test_whole_kms_is_mounted_below_a_path_of_an_application(
    issuer: Issuer, tmp_path: Path
) -> None:
    auth = kms_tornado.BearerAuth.from_issuer(issuer.uri, audience="orders")
    kms = kms_tornado.handlers(prefix="/kms", data_dir=tmp_path / "data")
    token = issuer.token(aud="orders")
    create = {
        "tag": "Create",
        "type": "Structure",
        "value": [
            {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
            {
                "tag": "Attributes",
                "type": "Structure",
                "value": [{"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"}],
            },
        ],
    }
    with running(lambda: Application([*kms], bearer_auth=auth), auth, kms) as client:
        assert client.post("/kms/kmip_2_1", body=create).status == 401
        assert client.post("/kms/kmip_2_1", body=create, token=token).status == 200
        assert client.get("/kms/ready").status == 200
        metadata = client.get("/.well-known/oauth-protected-resource/kms").json()
        assert metadata["resource"].endswith("/kms")


def test_mounted_kms_that_was_not_started_is_unavailable(issuer: Issuer, tmp_path: Path) -> None:
    auth = kms_tornado.BearerAuth.from_issuer(issuer.uri, audience="orders")
    kms = kms_tornado.handlers(prefix="/kms", data_dir=tmp_path / "data")
    with running(lambda: Application([*kms], bearer_auth=auth), auth) as client:
        query = {
            "tag": "Query",
            "type": "Structure",
            "value": [{"tag": "QueryFunction", "type": "Enumeration", "value": "QueryOperations"}],
        }
        answer = client.post("/kms/kmip_2_1", body=query, token=issuer.token(aud="orders"))
        assert answer.status == 503
        assert client.get("/kms/ready").status == 503


def test_mounted_kms_takes_every_setting_of_the_service(issuer: Issuer, tmp_path: Path) -> None:
    hints = typing.get_type_hints(kms_tornado.handlers)
    assert hints["service"] == typing.Unpack[ServiceArguments]
    auth = kms_tornado.BearerAuth.from_issuer(issuer.uri, audience="orders")
    kms = kms_tornado.handlers(data_dir=tmp_path / "data", kmip_interop=True)
    log = {
        "tag": "Log",
        "type": "Structure",
        "value": [{"tag": "LogMessage", "type": "TextString", "value": "offered on demand only"}],
    }
    with running(lambda: Application([*kms], bearer_auth=auth), auth, kms) as client:
        assert client.post("/kmip_2_1", body=log, token=issuer.token(aud="orders")).status == 200


def test_mounted_kms_refuses_settings_that_are_nonsense(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^crypto_policy: "):
        kms_tornado.handlers(data_dir=tmp_path, crypto_policy="lax")


def test_client_of_the_api_finds_the_issuer_and_the_scopes(api: Client, issuer: Issuer) -> None:
    base = f"http://127.0.0.1:{api.port}"
    for path in ("/parcels/1", "/parcels/count"):
        challenge = api.get(path).headers["WWW-Authenticate"]
        assert f'resource_metadata="{base}/.well-known/oauth-protected-resource"' in challenge
    metadata = api.get("/.well-known/oauth-protected-resource").json()
    assert metadata["authorization_servers"] == [issuer.uri]
    assert metadata["scopes_supported"] == ["parcels:read", "parcels:write"]


@pytest.mark.parametrize(
    ("method", "path", "scope", "role", "status"),
    [
        ("GET", "/parcels/1", "parcels:read", None, 200),
        ("GET", "/parcels/1", "parcels:write", None, 403),
        ("GET", "/parcels/count", "parcels:read", None, 200),
        ("GET", "/parcels/count", "parcels:write", None, 403),
        ("PUT", "/parcels/1", "parcels:read parcels:write", None, 204),
        ("PUT", "/parcels/1", "parcels:read", None, 403),
        ("DELETE", "/parcels/9", "parcels:write", None, 403),
        ("DELETE", "/parcels/9", "parcels:write", "clerk", 204),
    ],
)
def test_method_of_the_api_needs_its_scope(
    api: Client, issuer: Issuer, method: str, path: str, scope: str, role: str | None, status: int
) -> None:
    claims = {"scope": scope} if role is None else {"scope": scope, "role": role}
    token = issuer.token(aud="orders", **claims)
    body = b'{"state": "sent"}' if method == "PUT" else None
    answer = api.request(method, path, token=token, body=body)
    assert answer.status == status
    if status == 403:
        assert 'scope="parcels:' in answer.headers["WWW-Authenticate"]


def test_api_shows_nobody_the_parcels_of_others(api: Client, issuer: Issuer) -> None:
    token = issuer.token(aud="orders", sub="bob", scope="parcels:read parcels:write")
    assert api.get("/parcels/1", token=token).status == 404
    assert api.request("PUT", "/parcels/1", token=token, body=b'{"state": "x"}').status == 404
    assert api.request("PUT", "/parcels/2", token=token, body=b"[]").status == 400
    assert api.get("/parcels/count", token=token).json() == {"parcels": 0}


@pytest.mark.parametrize(
    ("name", "count"),
    [("test_existing_application.py", 5), ("test_existing_application_before.py", 3)],
)
def test_tests_of_an_example_succeed_without_network(name: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "unittest", name],
        cwd=ROOT / "examples",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"Ran {count} tests" in done.stderr
