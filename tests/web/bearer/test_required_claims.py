"""What `requires` may ask for besides a scope, and what a method may refuse by itself."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from kms_tornado import (
    BearerApplication,
    BearerAuthMixin,
    BearerRequestHandler,
    FastRequest,
    RequiredClaim,
    requires,
)
from kms_tornado.errors import AuthenticationError, InsufficientScope, Unavailable
from kms_tornado.testing import TestIssuer

from ...rows import each_row
from ...support import Client, running
from .handlers import is_refused

ISSUER = TestIssuer()
RAN: list[str | None] = []  # methods for which a handler's `prepare` ran
ROLES = "https://shop.example/roles"


class Guarded(BearerRequestHandler):
    @requires(role=("clerk", "admin"))
    def get(self) -> None:
        self.write("in")

    @requires(scope=("read", "write"))
    def post(self) -> None:
        self.write("in")

    @requires(RequiredClaim("realm_access.roles", "admin"), scope="write")
    def put(self) -> None:
        self.write("in")

    @requires(RequiredClaim(ROLES, ("clerk", "admin")), RequiredClaim("scope", "read write"))
    def patch(self) -> None:
        self.write("in")


@requires(role=("clerk", "admin"), scope="desk")
class Desk(BearerRequestHandler):
    public_methods = ("OPTIONS",)
    optional_methods = ("DELETE",)

    def prepare(self) -> None:
        self.settings["ran"].append(self.request.method)

    def get(self) -> None:
        self.write("in")

    delete = options = get

    @requires(scope="write")
    def put(self) -> None:
        self.write("in")


class Drawer(Desk):
    """Overrides all of it."""

    def prepare(self) -> None:
        """Does nothing."""

    def get(self) -> None:
        self.write("in")

    put = get


@requires(scope="safe")
class Safe(BearerRequestHandler):
    """Another class with a guard."""


class SafeInDesk(Drawer, Safe):
    """Is demanded what either is."""


@requires(scope="desk")
class Bell(BearerAuthMixin, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Base(RequestHandler):
    """An application's own."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish("the application's own page")


class Own(BearerAuthMixin, Base):
    """Refuses by itself."""

    def prepare(self) -> None:
        if self.request.query == "prepare":
            raise InsufficientScope("not on Sundays")

    async def get(self) -> None:
        raise InsufficientScope("not the owner", "this parcel is another's")

    def put(self) -> None:
        raise Unavailable("the scales are out of reach")

    def delete(self) -> None:
        self.write("begun")
        self.flush()
        raise InsufficientScope("too late")


class Page(Own):
    def write_refusal(self, error: AuthenticationError | Unavailable) -> None:
        self.write(f"<p>{error}</p>")


@requires(RequiredClaim("realm_access.roles", "admin"), scope=("read", "write"))
def fast(request: FastRequest) -> str:
    return "in"


def make_app() -> BearerApplication:
    return BearerApplication(
        [
            ("/guarded", Guarded),
            ("/own", Own),
            ("/page", Page),
            ("/desk", Desk),
            ("/drawer", Drawer),
            ("/safe", SafeInDesk),
            ("/bell", Bell),
        ],
        fast_routes={("GET", "/fast"): fast},
        bearer_auth=ISSUER.auth(),
        ran=RAN,
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(make_app) as client:
        yield client


ADMIN = {"realm_access": {"roles": ["user", "admin"]}}


@each_row(
    ("method", "path", "claims", "status"),
    [
        pytest.param("GET", "/guarded", {"role": "clerk"}, 200, id="one of the values"),
        pytest.param("GET", "/guarded", {"role": ["x", "admin"]}, 200, id="the other, in a list"),
        pytest.param("GET", "/guarded", {"role": "user"}, 403, id="none of them"),
        pytest.param("GET", "/guarded", {}, 403, id="no such claim"),
        pytest.param("POST", "/guarded", {"scope": "x write"}, 200, id="one of the scopes"),
        pytest.param("POST", "/guarded", {"scp": ["read"]}, 200, id="the other, in scp"),
        pytest.param("POST", "/guarded", {"scope": "x"}, 403, id="none of the scopes"),
        pytest.param("PUT", "/guarded", {**ADMIN, "scope": "write"}, 200, id="a path"),
        pytest.param(
            "PUT", "/guarded", {"roles": ["admin"], "scope": "write"}, 403, id="elsewhere"
        ),
        pytest.param("PUT", "/guarded", ADMIN, 403, id="the path alone"),
        pytest.param(
            "PATCH", "/guarded", {ROLES: ["clerk"], "scope": "write read"}, 200, id="a URL"
        ),
        pytest.param(
            "PATCH", "/guarded", {ROLES: ["clerk"], "scope": "read"}, 403, id="a scope less"
        ),
        pytest.param("GET", "/fast", {**ADMIN, "scope": "read"}, 200, id="the fast way"),
        pytest.param("GET", "/fast", {**ADMIN, "scope": "x"}, 403, id="none of the scopes, fast"),
        pytest.param("GET", "/fast", {"scope": "read"}, 403, id="no role, fast"),
    ],
)
def test_any_of_several_values_and_claims_of_any_name_can_be_required(
    client: Client, method: str, path: str, claims: dict[str, Any], status: int
) -> None:
    answer = client.request(method, path, token=ISSUER.token(**claims))
    assert answer.status == status
    if status == 200:
        assert answer.text == "in"
    else:
        is_refused(answer, 403, "insufficient_scope")


@each_row(
    ("method", "path", "scope"),
    [
        pytest.param("POST", "/guarded", None, id="one of two"),
        pytest.param("PUT", "/guarded", "write", id="beside another claim"),
        pytest.param("PATCH", "/guarded", "read write", id="both"),
        pytest.param("GET", "/fast", None, id="one of two, fast"),
    ],
)
def test_the_challenge_names_the_scopes_that_are_needed_and_no_alternatives(
    client: Client, method: str, path: str, scope: str | None
) -> None:
    for token in (None, ISSUER.token()):
        challenge = client.request(method, path, token=token).headers["WWW-Authenticate"]
        assert ("scope=" in challenge) is (scope is not None)
        if scope is not None:
            assert f'scope="{scope}"' in challenge


@each_row(
    ("method", "target", "status", "description"),
    [
        pytest.param("GET", "/own", 403, "this parcel is another's", id="a method"),
        pytest.param("GET", "/own?prepare", 403, InsufficientScope.description, id="prepare"),
        pytest.param("PUT", "/own", 503, "the scales are out of reach", id="out of reach"),
    ],
)
def test_what_a_method_raises_is_answered_as_the_refusal_that_it_is(
    client: Client, method: str, target: str, status: int, description: str
) -> None:
    """As from `load_user` and from a function of a fast route: it was a 500."""
    answer = client.request(method, target, token=ISSUER.token())
    assert (answer.status, answer.json()["error_description"]) == (status, description)
    if status == 403:
        is_refused(answer, 403, "insufficient_scope")
    page = client.request(method, target.replace("own", "page"), token=ISSUER.token())
    assert (page.status, page.text) == (status, f"<p>{description}</p>")


def test_a_refusal_behind_an_answer_that_was_begun_ends_the_connection(client: Client) -> None:
    with pytest.raises(http.client.HTTPException):
        client.request("DELETE", "/own", token=ISSUER.token())
    assert client.request("GET", "/fast", token=ISSUER.token(**ADMIN, scope="read")).status == 200


CLERK = {"role": "clerk", "scope": "desk"}


@each_row(
    ("method", "path", "claims", "status", "scope"),
    [
        pytest.param("GET", "/desk", CLERK, 200, "", id="what the class demands"),
        pytest.param("GET", "/desk", {"role": "clerk"}, 403, "desk", id="no scope"),
        pytest.param("GET", "/desk", {"scope": "desk"}, 403, "desk", id="no role"),
        pytest.param("GET", "/desk", None, 401, "desk", id="no token"),
        pytest.param("PUT", "/desk", CLERK, 403, "desk write", id="the method demands more"),
        pytest.param("PUT", "/desk", None, 401, "desk write", id="no token, of both"),
        pytest.param("PUT", "/desk", {"role": "clerk", "scope": "desk write"}, 200, "", id="both"),
        pytest.param("OPTIONS", "/desk", None, 200, "", id="a public method"),
        pytest.param("DELETE", "/desk", None, 401, "desk", id="an optional one, no token"),
        pytest.param("DELETE", "/desk", CLERK, 200, "", id="an optional one"),
        pytest.param("GET", "/drawer", {}, 403, "desk", id="a subclass"),
        pytest.param("PUT", "/drawer", CLERK, 200, "", id="a subclass that overrides a method"),
        pytest.param("GET", "/safe", CLERK, 403, "desk safe", id="the second base class"),
        pytest.param("GET", "/safe", {"scope": "safe"}, 403, "desk safe", id="the first one"),
        pytest.param(
            "GET", "/safe", {"role": "admin", "scope": "safe desk"}, 200, "", id="both classes"
        ),
        pytest.param("GET", "/bell", {"scope": "x"}, 403, "desk", id="a web socket's handshake"),
        pytest.param("GET", "/bell", {"scope": "desk"}, 400, "", id="which is none"),
    ],
)
def test_what_a_class_demands_holds_for_all_its_methods(
    client: Client, method: str, path: str, claims: dict[str, Any] | None, status: int, scope: str
) -> None:
    """Nothing of the class runs for a request that it refuses: not even `prepare`, which runs before its methods' guards."""
    RAN.clear()
    answer = client.request(method, path, token=None if claims is None else ISSUER.token(**claims))
    assert answer.status == status
    if status in (401, 403):
        is_refused(answer, status, None if status == 401 else "insufficient_scope")
        assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]
    has_run = status == 200 or (status, scope) == (403, "desk write")
    assert ([method] if has_run and path == "/desk" else []) == RAN


def test_a_class_that_knows_no_token_cannot_be_guarded() -> None:
    with pytest.raises(
        TypeError, match=r"^@requires needs a handler with BearerAuthMixin, not Base"
    ):
        requires(scope="a")(Base)  # type: ignore[type-var]


def test_what_cannot_be_called_cannot_be_guarded() -> None:
    guard: Any = requires(scope="a")
    with pytest.raises(TypeError, match=r"^@requires guards a method or a class, not a property$"):
        guard(property(lambda self: None))
