"""A user's application, which type checkers accept and whose types they know. It is not run."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any, assert_type

import tornado.web
import tornado.websocket
from tornado.httpclient import HTTPResponse
from tornado.testing import AsyncHTTPTestCase

import kms_tornado
from kms_tornado import (
    BearerApplication,
    BearerAuth,
    BearerAuthMixin,
    BearerRequestHandler,
    FastAnswer,
    FastRequest,
    Principal,
    RefreshPolicy,
    RequiredClaim,
    TokenPolicy,
    TrustedIssuer,
    TrustSettings,
    requires,
)
from kms_tornado.errors import AuthenticationError, Unavailable
from kms_tornado.testing import BearerTestMixin, TestIssuer, fake_auth

auth = BearerAuth.from_issuer(
    "https://tenant.eu.auth0.com/",
    audience=["my-api", "other-api"],
    jwks_uri="https://tenant.eu.auth0.com/keys",
    refresh=RefreshPolicy(interval_s=60),
    realm="orders",
    cache_size=100,
    algorithms=["RS256"],
    leeway_s=30,
    max_age_s=3600,
    audience_claim=["aud", "client_id"],
    user_claim=("email", "client_id"),
    allow_unverified_email=True,
    namespace_by_issuer=True,
    token_types={"at+jwt", None},
    required_claims=[RequiredClaim("role", "clerk"), RequiredClaim("a.b", ("x", 1))],
    jwks_token_file=Path("token"),
    jwks_allow_http="keycloak",
    tenants=["t1", "t2"],
    deny_file="deny",
)
several = BearerAuth(
    TrustSettings(
        issuers=(
            TrustedIssuer("https://login.example.com/", audiences=frozenset({"my-api"})),
            TrustedIssuer("urn:other", "https://keys.example.com/k", user_claim="email"),
        ),
        policy=TokenPolicy(leeway_s=10),
    )
)


class Orders(BearerRequestHandler):
    public_methods = ("HEAD", "OPTIONS")

    def get(self) -> None:
        assert_type(self.current_user, Principal)
        assert_type(self.current_user.name, str)
        self.write({"user": self.current_user.name, "claims": self.current_user.claims})

    async def post(self, number: str) -> None:
        assert_type(self.current_user, Principal)

    @requires(scope="orders:write")
    def put(self, number: str) -> None:
        self.set_status(204)

    @requires(scope="orders:write", role="clerk", level=3)
    async def delete(self, number: str, *, soft: bool = False) -> None:
        self.set_status(204)

    async def patch(self, number: str) -> None:
        self.put(number)
        await self.delete(number, soft=True)


class Baskets(BearerRequestHandler):
    optional_methods = ("GET",)

    def bearer_token(self) -> str | None:
        return self.get_cookie("token")

    async def load_user(self, principal: Principal) -> dict[str, str]:
        assert_type(principal.token, str)
        return {"account": principal.name}

    def write_refusal(self, error: AuthenticationError | Unavailable) -> None:
        assert_type(error.status, int)
        self.finish(f"<p>{error}</p>")


class Account(BearerRequestHandler[dict[str, str]]):
    async def load_user(self, principal: Principal) -> dict[str, str] | None:
        return {"account": principal.name} if "orders" in principal.scopes else None

    @requires(RequiredClaim("realm_access.roles", "admin"), role=("clerk", "admin"), scope="a b")
    def get(self) -> None:
        assert_type(self.current_user, dict[str, str])
        self.write(self.current_user["account"])


@requires(role="clerk")
class Desk(BearerRequestHandler[dict[str, str]]):
    def get(self) -> None:
        assert_type(self.current_user, dict[str, str])


class OwnDesk(Desk):
    pass


class Catalogue(BearerRequestHandler[Principal | None]):
    optional_methods = ("GET",)

    def get(self) -> None:
        user = self.current_user
        assert_type(user, Principal | None)
        self.write("prices" if user is None else user.name)


class SomeOrders(Orders):
    async def delete(self, number: str, *, soft: bool = False) -> None:
        await super().delete(number)


class Base(tornado.web.RequestHandler):
    def initialize(self, database: str) -> None:
        self.database = database

    def prepare(self) -> None:
        self.set_header("X-Application", "orders")

    def get_current_user(self) -> str:
        return "somebody"


class AsyncBase(tornado.web.RequestHandler):
    async def prepare(self) -> None:
        self.set_header("X-Application", "orders")

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None


class MixinFirst(BearerAuthMixin, Base):
    def get(self) -> None:
        assert_type(self.current_user, Principal)
        self.write(self.database)


class MixinLast(Base, BearerAuthMixin):
    @requires(admin=True)
    def get(self) -> None:
        assert_type(self.current_user, Principal)
        self.write(self.database)


@tornado.web.stream_request_body
class AsyncFirst(BearerAuthMixin, AsyncBase):
    async def prepare(self) -> None:
        await super().prepare()


class AsyncLast(AsyncBase, BearerAuthMixin):
    @requires(scope="read")
    async def get(self) -> None:
        assert_type(self.current_user, Principal)


class Events(BearerAuthMixin, tornado.websocket.WebSocketHandler):
    async def open(self, *args: str, **kwargs: str) -> None:
        assert_type(self.current_user, Principal)

    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"{self.current_user.name}: {message!r}")


class GuardedEvents(BearerAuthMixin[dict[str, str]], tornado.websocket.WebSocketHandler):
    @requires(scope="events")
    async def open(self, *args: str, **kwargs: str) -> None:
        assert_type(self.current_user, dict[str, str])

    @requires(scope="events:write")
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class EventsLast(tornado.websocket.WebSocketHandler, BearerAuthMixin):
    def on_message(self, message: str | bytes) -> None:
        assert_type(self.current_user, Principal)


class Files(BearerAuthMixin, tornado.web.StaticFileHandler):
    pass


class FilesLast(tornado.web.StaticFileHandler, BearerAuthMixin):
    pass


class Accounts(BearerRequestHandler):
    def resource_metadata_url(self) -> str:
        return "https://api.example.com/.well-known/oauth-protected-resource"

    async def prepare(self) -> None:
        self.current_user = {"account": self.current_user.name}


def get_state(request: FastRequest) -> dict[str, str]:
    assert_type(request.principal, Principal)
    assert_type(request.path_args, tuple[str, ...])
    assert_type(request.query_arguments, dict[str, list[str]])
    return {"name": request.principal.name, "header": request.headers.get("X-Mine", "")}


@requires(scope="orders:write")
def put_state(request: FastRequest) -> str:
    return request.body.decode()


@requires(scope="orders:write")
async def delete_state(request: FastRequest) -> FastAnswer:
    return FastAnswer(b"gone", status=202, headers={"Content-Type": "text/plain"})


hot = BearerApplication(
    [("/orders", Orders)],
    fast_routes={
        ("GET", "/state"): get_state,
        ("PUT", "/state"): put_state,
        ("DELETE", "/state"): delete_state,
    },
    bearer_auth=auth,
)

kms = kms_tornado.handlers(
    "/kms", auth=auth, data_dir="kms-data", privileged_users=["alice"], max_body_size=1024
)
routes: list[Any] = [*kms, ("/orders", Orders), ("/first", MixinFirst, {"database": "orders"})]
app = tornado.web.Application(routes, bearer_auth=auth)


class OrdersTest(BearerTestMixin, AsyncHTTPTestCase):
    def get_app(self) -> tornado.web.Application:
        return app

    def test_user_is_named(self) -> None:
        assert_type(self.issuer.token("alice", scope="read", exp=None), str)
        response = self.fetch_as("alice", "/orders", claims={"scope": "read"}, method="GET")
        assert_type(response, HTTPResponse)
        self.fetch("/orders", headers=self.headers_as("alice", aud="other"))


issuer = TestIssuer.of(auth)
tested = tornado.web.Application(routes, bearer_auth=issuer.auth(like=auth))
tested.settings["bearer_auth"] = fake_auth("alice", scope="read")
tested.settings["bearer_auth"] = fake_auth(None)


async def main() -> None:
    async with auth, kms, several as other:
        assert_type(other, BearerAuth)
        auth.refresh_soon()
        assert_type([status.keys for status in auth.status()], list[int])
    await auth.start()
    await auth.stop()
