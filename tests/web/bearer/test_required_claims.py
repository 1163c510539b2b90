"""What `requires` may ask for besides a scope, and what a method may refuse by itself."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import RequestHandler

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
        [("/guarded", Guarded), ("/own", Own), ("/page", Page)],
        fast_routes={("GET", "/fast"): fast},
        bearer_auth=ISSUER.auth(),
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
