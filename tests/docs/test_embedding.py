"""docs/embedding.md: its blocks are one application, which serves and refuses as the page says."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from kms_tornado.auth.tokens.token_policy import TokenPolicy

from ..issuer import Issuer
from ..server import LOCATE
from ..support import Client, running
from .blocks import blocks

BLOCKS = blocks("docs/embedding.md", "python")


@pytest.fixture(scope="module")
def page(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names of the page's program, as if its issuer were ours."""
    directory = tmp_path_factory.mktemp("embedding")
    (directory / "public").mkdir()
    (directory / "public" / "terms.txt").write_text("30 days")
    program = "\n".join(each.text for each in BLOCKS)
    program = program.replace("https://tenant.eu.auth0.com/", issuer.uri)
    program = program.replace('"kms-data"', repr(str(directory / "data")))
    program = program.replace('"public"}', f"{str(directory / 'public')!r}}}")
    names: dict[str, Any] = {"__name__": "embedding"}
    exec(compile(program, "docs/embedding.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def client(page: dict[str, Any]) -> Iterator[Client]:
    with running(page["make_app"], page["auth"], page["kms"]) as client:
        yield client


@pytest.fixture(scope="module")
def token(issuer: Issuer) -> str:
    return issuer.token(aud="my-api")


def test_user_is_served_and_a_stranger_is_not(client: Client, issuer: Issuer, token: str) -> None:
    answer = client.get("/orders", token=token)
    assert (answer.json()["user"], answer.json()["claims"]["aud"]) == ("alice", "my-api")
    assert client.get("/orders").status == 401
    assert client.get("/orders", token=issuer.token(aud="another-api")).status == 401


def test_base_class_keeps_its_prepare_and_is_protected(client: Client, token: str) -> None:
    assert client.get("/invoices", token=token).headers["X-Application"] == "orders"
    assert client.get("/invoices").status == 401


def test_public_method_needs_no_token_and_the_others_do(client: Client, token: str) -> None:
    assert client.get("/health").text == "up\n"
    assert client.request("DELETE", "/health").status == 401
    assert client.request("DELETE", "/health", token=token).text == "going down\n"


def test_scope_is_required_for_one_method(client: Client, issuer: Issuer, token: str) -> None:
    assert client.get("/prices", token=token).status == 200
    refusal = client.request("PUT", "/prices", token=token, body=b"")
    assert (refusal.status, refusal.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="prices:write"' in refusal.headers["WWW-Authenticate"]
    writer = issuer.token(aud="my-api", scope="prices:read prices:write")
    assert client.request("PUT", "/prices", token=writer, body=b"").status == 204
    assert client.get("/discounts", token=issuer.token(aud="my-api", role="admin")).status == 200
    assert client.get("/discounts", token=issuer.token(aud="my-api", role="customer")).status == 403
    claims = {"realm_access": {"roles": ["admin"]}, "scope": "prices:write"}
    administrator = issuer.token(aud="my-api", **claims)
    assert client.request("PUT", "/discounts", token=administrator, body=b"").status == 204
    assert client.request("PUT", "/discounts", token=writer, body=b"").status == 403
    assert client.request("DELETE", "/discounts", token=writer).status == 204
    assert client.get("/shelf", token=issuer.token(aud="my-api", role="clerk")).status == 200
    assert client.get("/shelf", token=writer).status == 403
    assert client.request("OPTIONS", "/shelf").status == 204
    refusal = client.request("DELETE", "/discounts", token=token)
    assert (refusal.status, refusal.json()["error"]) == (403, "insufficient_scope")


def test_optional_method_uses_a_token_if_there_is_one(client: Client, token: str) -> None:
    assert client.get("/catalogue").text == "prices for everybody\n"
    assert client.get("/catalogue", token=token).text == "prices for alice\n"
    assert client.get("/catalogue", token="x.y.z").status == 401


def test_token_is_read_from_a_cookie_or_the_header_of_a_proxy(client: Client, token: str) -> None:
    cookie = {"Cookie": f"token={token}"}
    assert client.post("/basket", headers=cookie, body=b"").text == "alice has bought\n"
    forged = {**cookie, "Origin": "https://other.example"}
    assert client.post("/basket", headers=forged, body=b"").status == 403
    assert client.post("/basket", body=b"").status == 401
    header = {"X-Forwarded-Access-Token": token}
    assert client.get("/reports", headers=header).text == "reports of alice\n"


#: That are allowed where none are chosen, EdDSA by both its names.
ALGORITHMS = [*sorted(TokenPolicy().algorithms), "Ed25519"]


def test_client_is_led_to_the_issuer(client: Client, issuer: Issuer, token: str) -> None:
    url = "https://api.example.com/.well-known/oauth-protected-resource"
    assert f'resource_metadata="{url}"' in client.get("/described").headers["WWW-Authenticate"]
    assert client.get("/described", token=token).text == "found\n"
    answer = client.get("/.well-known/oauth-protected-resource")
    assert answer.json() == {
        "resource": "https://api.example.com",
        "authorization_servers": [issuer.uri],
        "scopes_supported": ["prices:write"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_user_is_an_account(client: Client, issuer: Issuer, token: str) -> None:
    assert client.get("/account", token=token).text == "customer 7\n"
    refusal = client.get("/account", token=issuer.token(aud="my-api", sub="bob"))
    assert (refusal.status, refusal.json()["error"]) == (403, "access_denied")


def test_hot_route_is_a_function(client: Client, issuer: Issuer, token: str) -> None:
    for _ in ("cold", "warm"):
        answer = client.get("/parcels/7", token=token)
        assert answer.json() == {"state": "packed", "asked_by": "alice"}
        assert client.get("/parcels/8", token=token).status == 404
        assert client.get("/parcels/7").status == 401
        refusal = client.request("PUT", "/parcels/8", token=token, body=b"sent")
        assert 'scope="parcels:write"' in refusal.headers["WWW-Authenticate"]
    writer = issuer.token(aud="my-api", scope="parcels:write")
    assert client.request("PUT", "/parcels/8", token=writer, body=b"sent").status == 204
    assert client.get("/parcels/8", token=token).json()["state"] == "sent"


def test_token_is_handed_on(client: Client, page: dict[str, Any], token: str) -> None:
    page["DELIVERY_URL"] = f"http://127.0.0.1:{client.port}/invoices"
    assert client.get("/delivery", token=token).text == "paid\n"


def test_stranger_is_shown_a_page(client: Client, token: str) -> None:
    refusal = client.get("/desk")
    assert (refusal.status, refusal.headers["WWW-Authenticate"]) == (401, 'Bearer realm="kms"')
    assert refusal.text == '<p>bearer token required. <a href="/sign-in">Sign in</a></p>'
    assert refusal.headers["Content-Type"].startswith("text/html")
    answer = client.get("/desk", headers={"Cookie": f"token={token}"})
    assert answer.text == "the desk of alice\n"


def test_browser_may_ask_without_a_token_and_read_refusals(client: Client, token: str) -> None:
    origin = {"Origin": "https://shop.example.com"}
    asked = {**origin, "Access-Control-Request-Headers": "authorization"}
    for answer, status in (
        (client.request("OPTIONS", "/stock", headers=asked), 204),
        (client.get("/stock", headers=origin), 401),
        (client.get("/stock", headers=origin, token=token), 200),
    ):
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Expose-Headers"] == "WWW-Authenticate"


def test_token_is_read_from_a_subprotocol(client: Client, token: str) -> None:
    async def talk(subprotocols: list[str]) -> Any:
        url = f"ws://127.0.0.1:{client.port}/live"
        connection = await websocket_connect(url, subprotocols=subprotocols)
        await connection.write_message("hi")
        answer = await connection.read_message()
        assert connection.selected_subprotocol == "bearer"
        connection.close()
        assert await connection.read_message() is None
        return answer

    assert asyncio.run(talk(["bearer", token])) == "alice: hi"
    for others in (["bearer"], ["bearer", "x.y.z"], ["other", token]):
        with pytest.raises(HTTPClientError):
            asyncio.run(talk(others))


def test_websocket_and_files_are_protected(client: Client, token: str) -> None:
    async def talk(headers: dict[str, str]) -> Any:
        url = f"ws://127.0.0.1:{client.port}/events"
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        await connection.write_message("hi")
        answer = await connection.read_message()
        connection.close()
        assert await connection.read_message() is None
        return answer

    assert asyncio.run(talk({"Authorization": f"Bearer {token}"})) == "alice: hi"
    with pytest.raises(HTTPClientError):
        asyncio.run(talk({}))
    assert client.get("/files/terms.txt", token=token).text == "30 days"
    assert client.get("/files/terms.txt").status == 401


def test_mounted_kms_answers_below_its_path(client: Client, token: str) -> None:
    assert client.post("/kms/kmip_2_1", token=token, body=LOCATE).status == 200
    assert client.post("/kms/kmip_2_1", body=LOCATE).status == 401
    assert client.get("/kms/ready").status == 200
    assert client.get("/kms/metrics").status == 404


def test_several_issuers_have_names_of_their_own(page: dict[str, Any]) -> None:
    settings = page["several"].settings
    assert len(settings.issuers) == 2
    assert settings.policy.namespace_by_issuer


@pytest.mark.parametrize("name", ["OrdersTest", "PricesTest", "DeliveriesTest"])
def test_test_of_the_page_succeeds(page: dict[str, Any], name: str) -> None:
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromTestCase(page[name]).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


def test_issuer_within_the_process_needs_no_start(page: dict[str, Any]) -> None:
    with running(lambda: page["tested"]) as client:
        assert client.request("PUT", "/prices", headers=page["headers"], body=b"").status == 204
        assert client.get("/prices").status == 401


def test_stand_in_lets_everybody_in_or_nobody(page: dict[str, Any]) -> None:
    with running(lambda: page["alices"]) as client:
        assert client.request("PUT", "/prices", body=b"").status == 204
    with running(lambda: page["nobodys"]) as client:
        assert client.request("PUT", "/prices", body=b"").status == 401
