"""What a handler may say about its tokens: whether one is needed, and where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application, HTTPError

from kms_tornado import BearerRequestHandler, Principal, requires
from kms_tornado.errors import InvalidToken
from kms_tornado.testing import TestIssuer

from ...rows import each_row
from ...support import Client, running
from .handlers import Bypassed, Calls

ISSUER = TestIssuer()
AUTH = ISSUER.auth()


class Optional(BearerRequestHandler):
    optional_methods = ("GET", "PUT", "DELETE")

    def get_current_user(self) -> Any:
        return Principal("somebody", "", "", {}, 0)

    def get(self) -> None:
        self.write({"user": self.current_user and self.current_user.name})

    put = post = get

    @requires(scope="a b", role="clerk")
    def delete(self) -> None:
        self.write("gone")


class FromCookie(BearerRequestHandler):
    optional_methods = ("GET",)

    def bearer_token(self) -> str | None:
        return self.get_cookie("token")

    def get(self) -> None:
        self.write({"user": self.current_user and self.current_user.name})

    post = put = get


class Token(BearerRequestHandler):
    def get(self) -> None:
        self.write({"token": self.current_user.token})


class TokenInCookie(FromCookie):
    optional_methods = ()
    get = Token.get


class Faulty(BearerRequestHandler):
    optional_methods = ("GET",)

    def bearer_token(self) -> Any:
        if self.get_argument("bytes", ""):
            return b"token"
        if self.get_argument("argument", ""):
            return self.get_argument("token")
        raise KeyError("no such cookie")

    def get(self) -> None:
        self.write("in")


class Loaded(BearerRequestHandler):
    def load_user(self, principal: Principal) -> Any:
        match principal.name:
            case "alice":
                return {"account": 7}
            case "bob":
                return None
            case "carol":
                raise InvalidToken
            case "erin":
                raise HTTPError(423, "since %s", "Monday", reason="this account is locked")
            case "frank":
                raise HTTPError(200)
            case "grace":
                raise HTTPError(409, "%d accounts", "many")
            case "heidi":
                raise HTTPError(401)
        raise KeyError(principal.name)

    def prepare(self) -> None:
        Calls.ran.append("prepare")

    @requires(scope="read")
    def get(self) -> None:
        self.write(self.current_user)


class LoadedLater(Loaded):
    async def load_user(self, principal: Principal) -> Any:
        await asyncio.sleep(0)
        return super().load_user(principal)


class BypassedOptional(Bypassed):
    optional_methods = ("GET",)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    def make_app() -> Application:
        routes: list[Any] = [
            ("/optional", Optional),
            ("/cookie", FromCookie),
            ("/token", Token),
            ("/token-in-cookie", TokenInCookie),
            ("/faulty", Faulty),
            ("/bypassed", BypassedOptional),
            ("/loaded", Loaded),
            ("/loadedlater", LoadedLater),
        ]
        return Application(routes, bearer_auth=AUTH, trusted_origins=["https://shop.example"])

    with running(make_app) as client:
        yield client


@pytest.mark.parametrize(
    "value",
    [
        "Bearer x.y.z",
        "Bearer",
        "",
        "Basic YTpi",
        "DPoP x.y.z",
        f"Bearer {ISSUER.token('alice', exp=0)}",
    ],
    ids=["bad", "empty", "blank", "another scheme", "DPoP", "expired"],
)
def test_optional_method_refuses_whatever_is_no_good_token(client: Client, value: str) -> None:
    answer = client.get("/optional", headers={"Authorization": value})
    assert answer.status in {400, 401}
    assert "WWW-Authenticate" in answer.headers


def test_optional_method_is_that_method_alone(client: Client) -> None:
    assert client.get("/optional").json() == {"user": None}
    assert client.post("/optional", body=b"").status == 401


def test_optional_method_that_requires_a_scope_names_it(client: Client) -> None:
    answer = client.request("DELETE", "/optional")
    assert answer.status == 401
    assert 'scope="a b"' in answer.headers["WWW-Authenticate"]
    assert "error=" not in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("claims", [{}, {"scope": "a"}, {"scope": "a b"}, {"role": "clerk"}])
def test_challenge_of_a_refused_token_names_all_scopes_of_the_method(
    client: Client, claims: dict[str, str]
) -> None:
    answer = client.request("DELETE", "/optional", token=ISSUER.token("alice", **claims))
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="a b"' in answer.headers["WWW-Authenticate"]


def test_optional_method_that_was_reached_past_the_check_does_not_run(client: Client) -> None:
    Calls.ran.clear()
    assert client.get("/bypassed").status == 401
    assert Calls.ran == []


@each_row(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="a page of the same origin"),
        pytest.param({"Origin": "https://shop.example"}, 200, id="a trusted origin"),
        pytest.param({"Origin": "https://other.example"}, 403, id="another origin"),
        pytest.param({"Origin": "null"}, 403, id="a page without an origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="a sister of the same site"),
        pytest.param(
            {"Origin": "https://other.example", "Authorization": "Bearer x"}, 403, id="a decoy"
        ),
    ],
)
def test_token_in_a_cookie_changes_nothing_for_a_page_of_another_origin(
    client: Client, headers: dict[str, str], status: int
) -> None:
    cookie = {"Cookie": f"token={ISSUER.token('alice')}", **headers}
    assert client.post("/cookie", headers=cookie, body=b"").status == status
    assert client.get("/cookie", headers=cookie).json() == {"user": "alice"}


def test_token_in_the_header_is_used_where_there_is_no_cookie(client: Client) -> None:
    headers = {"Origin": "https://other.example"}
    answer = client.post("/cookie", token=ISSUER.token("bob"), headers=headers, body=b"")
    assert answer.json() == {"user": "bob"}


@pytest.mark.parametrize("value", ["", "x.y.z", "x y", "ä"])
def test_bad_token_in_a_cookie_is_refused_in_an_optional_method_too(
    client: Client, value: str
) -> None:
    answer = client.raw(
        f"GET /cookie HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: token={value}\r\n\r\n".encode()
    )
    assert answer.split()[1] in {b"400", b"401"}
    assert client.get("/cookie").json() == {"user": None}


@pytest.mark.parametrize(
    ("path", "status"), [("/faulty", 500), ("/faulty?bytes=1", 500), ("/faulty?argument=1", 400)]
)
def test_hook_that_fails_lets_nobody_in(client: Client, path: str, status: int) -> None:
    assert client.get(path).status == status
    assert client.get(path, token=ISSUER.token("alice")).status == status


@each_row("methods", ["GET", ("get",), None])
def test_optional_methods_that_are_none_are_told(methods: Any) -> None:
    with pytest.raises(TypeError, match=r"Mine\.optional_methods must be a tuple"):
        type("Mine", (BearerRequestHandler,), {"optional_methods": methods})


def test_method_is_not_public_and_optional() -> None:
    with pytest.raises(TypeError, match="GET stands in public_methods"):
        type(
            "Mine",
            (BearerRequestHandler,),
            {"optional_methods": ("GET",), "public_methods": ("GET", "PUT")},
        )


@each_row("path", ["/loaded", "/loadedlater"])
@each_row(
    ("user", "status"),
    [
        ("alice", 200),
        ("bob", 403),
        ("carol", 401),
        ("dave", 500),
        ("erin", 423),
        ("frank", 500),
        ("grace", 409),
        ("heidi", 401),
    ],
)
def test_user_who_cannot_be_loaded_reaches_nothing(
    client: Client, path: str, user: str, status: int
) -> None:
    Calls.ran.clear()
    answer = client.get(path, token=ISSUER.token(user, scope="read"))
    assert answer.status == status
    assert Calls.ran == (["prepare"] if status == 200 else [])
    if status == 200:
        assert answer.json() == {"account": 7}
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    if status == 423:
        assert answer.json() == {
            "error": "locked",
            "error_description": "this account is locked",
        }


def test_scope_is_looked_for_in_the_token_of_a_loaded_user(client: Client) -> None:
    assert client.get("/loaded", token=ISSUER.token("alice")).status == 403


@pytest.mark.parametrize("path", ["/token", "/token-in-cookie"])
def test_token_is_there_for_calling_on_in_each_request_and_in_no_memory(
    client: Client, path: str
) -> None:
    for token in (ISSUER.token("alice"), ISSUER.token("alice")):
        for _ in ("cold", "warm"):
            headers = {"Cookie": f"token={token}"} if "cookie" in path else None
            answer = client.get(path, headers=headers, token=None if headers else token)
            assert answer.json() == {"token": token}
    principals = [entry[0] for entry in AUTH.authenticator.tokens._entries.values()]
    assert {principal.token for principal in principals} == {""}
