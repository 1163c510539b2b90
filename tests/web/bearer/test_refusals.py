"""What a refusal calls of the host, what it does not, and whom a handler takes for its user."""

from __future__ import annotations

import asyncio
import functools
import http.client
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tornado.web import Application, Finish, HTTPError, RequestHandler

from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires

from ...issuer import Issuer
from ...support import Client, running
from .handlers import Host, is_refused
from .records import Records

Routes = list[tuple[str, type[RequestHandler]]]
ROUTES: Routes = []
LOGGED: list[RequestHandler] = []


def routed(path: str) -> Callable[[Any], Any]:
    def add(handler: type[RequestHandler]) -> type[RequestHandler]:
        ROUTES.append((path, handler))
        return handler

    return add


class Answering(BearerRequestHandler):
    def get(self) -> None:
        user = self.current_user
        self.write(f"{type(user).__name__} {getattr(user, 'name', user)}")

    async def post(self) -> None:
        self.get()


@routed("/cors")
class Cors(Answering):
    def set_default_headers(self) -> None:
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Content-Type", "text/plain")
        self.set_header("Cache-Control", "public")

    def prepare(self) -> None:
        self.set_header("X-Prepared", "1")


@routed("/scoped")
class Scoped(Cors):
    ran: list[str] = []  # noqa: RUF012

    @requires(scope="w")
    async def put(self) -> None:
        self.ran.append("put")

    @requires(scope="w")
    def patch(self) -> None:
        self.ran.append("patch")


@routed("/scoped-below")
class ScopedBelow(Scoped):
    """Goes on after super(), which a refusal must not let it do."""

    async def put(self) -> None:
        await super().put()
        self.ran.append("went on")
        self.write("went on")

    def patch(self) -> None:
        super().patch()
        self.ran.append("went on")
        self.write("went on")


@routed("/flushed")
class Flushed(Scoped):
    def prepare(self) -> None:
        self.write("begun")
        self.flush()


@routed("/on-finish")
class OnFinish(Answering):
    def on_finish(self) -> None:
        raise KeyError("metrics")


@routed("/makes-none")
class MakesNone(Answering):
    def set_default_headers(self) -> None:
        raise KeyError("language")


@routed("/metadata")
class Metadata(Answering):
    def resource_metadata_url(self) -> str:
        raise KeyError("url")


@routed("/metadata-no-text")
class MetadataNoText(Answering):
    def resource_metadata_url(self) -> Any:
        return 5


@routed("/cancelled")
class Cancelled(Answering):
    def set_default_headers(self) -> None:
        if hasattr(self, "_transforms"):
            raise asyncio.CancelledError


@routed("/cancelled-twice")
class CancelledTwice(Cancelled):
    public_methods = ("GET",)

    def get(self) -> None:
        raise HTTPError(404)


class Silent(Answering):
    """Public, so that what Tornado refuses comes from strangers; its answers are never sent, and nothing is raised."""

    public_methods = ("GET",)

    def get(self) -> None:
        raise HTTPError(404)


@routed("/silent-finish")
class SilentFinish(Silent):
    def finish(self, chunk: Any = None) -> Any:
        """Does nothing."""


@routed("/silent-send-error")
class SilentSendError(Silent):
    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Does nothing."""


@routed("/silent-handling")
class SilentHandling(SilentFinish):
    def get(self) -> None:
        raise Finish("done")


@routed("/no-auth")
class NoAuth(Answering):
    @property
    def bearer_auth(self) -> Any:
        raise KeyError("auth")


@routed("/public")
class Public(Answering):
    def is_public_method(self) -> bool:
        raise KeyError("public")


class Base(RequestHandler):
    def get_current_user(self) -> Any:
        return "cookie's user"


class PropertyBase(RequestHandler):
    @property
    def current_user(self) -> Any:
        return "cookie's user"


@routed("/user-of-the-base-first")
class UserOfBaseFirst(PropertyBase, BearerAuthMixin):
    get = Answering.get
    post = Answering.post


@routed("/user-of-the-base-last")
class UserOfBaseLast(BearerAuthMixin, PropertyBase):
    get = Answering.get
    post = Answering.post


@routed("/get-current-user-first")
class GetCurrentUserFirst(Base, BearerAuthMixin):
    get = Answering.get
    post = Answering.post


@routed("/get-current-user-last")
class GetCurrentUserLast(BearerAuthMixin, Base):
    get = Answering.get
    post = Answering.post


@routed("/own-property")
class OwnProperty(Answering):
    @property
    def current_user(self) -> Any:
        return f"mapped {super().current_user.name}"


@routed("/own-setter")
class OwnSetter(Answering):
    @property
    def current_user(self) -> Any:
        return self.kept

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self.kept = value


@routed("/failing-setter")
class FailingSetter(Answering):
    @property
    def current_user(self) -> Any:
        return "nobody"

    @current_user.setter
    def current_user(self, value: Any) -> None:
        raise KeyError("session")


@routed("/cached-property")
class CachedProperty(Answering):
    @functools.cached_property
    def current_user(self) -> Any:  # type: ignore[override]
        return "cookie's user"


@routed("/attribute")
class Attribute(Answering):
    current_user = None  # type: ignore[assignment]


@routed("/prepared-user")
class PreparedUser(Answering):
    async def prepare(self) -> None:
        self.current_user = f"account of {self.current_user.name}"


def log_request(handler: RequestHandler) -> None:
    LOGGED.append(handler)
    if handler.request.query == "failing-log":
        raise KeyError("log")


@pytest.fixture(scope="module")
def records() -> Iterator[Records]:
    handler = Records()
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def module_host() -> Iterator[Host]:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        app = Application([*ROUTES], bearer_auth=auth, log_function=log_request)  # type: ignore[list-item]
        with running(lambda: app, auth) as client:
            yield Host(issuer, client, auth)


@pytest.fixture
def host(module_host: Host, records: Records) -> Host:
    records.take(module_host.client)
    LOGGED.clear()
    return module_host


def failures(records: Records, client: Client) -> list[tuple[str, str, str]]:
    """(logger, message, exception) of what was logged as a warning or worse."""
    return [
        (record.name, record.getMessage(), repr(record.exc_info and record.exc_info[1]))
        for record in records.take(client)
    ]


# --- what a refusal has and calls ---------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [("GET", "/cors"), ("PUT", "/scoped"), ("PATCH", "/scoped")])  # fmt: skip
def test_refusal_has_the_default_headers_and_none_of_prepare(
    host: Host, method: str, path: str
) -> None:
    token = None if method == "GET" else host.token()
    answer = host.client.request(method, path, token=token)
    is_refused(answer, 401 if token is None else 403, token and "insufficient_scope")
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert "X-Prepared" not in answer.headers


def test_access_log_has_refusals_with_their_status_and_without_a_user(
    host: Host, records: Records
) -> None:
    host.client.get("/get-current-user-first")
    host.client.get("/scoped", token="x.y.z")
    host.client.request("PUT", "/scoped", token=host.token())
    records.take(host.client)  # waits for what is logged after an answer
    statuses = [(handler.get_status(), handler.current_user) for handler in LOGGED]
    assert statuses[:2] == [(401, None), (401, None)]
    assert statuses[2][0] == 403
    assert statuses[2][1].name == "alice"


def test_connection_stays_open_after_a_refusal(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.client.port, timeout=5)
    for _ in range(2):
        for method in ("GET", "HEAD", "POST"):
            connection.request(method, "/cors", body=b"x=1")
            sock = connection.sock
            refused = connection.getresponse()
            assert (refused.status, len(refused.read()) > 0) == (401, method != "HEAD")
            connection.request("GET", "/cors", headers={"Authorization": f"Bearer {host.token()}"})
            assert connection.sock is sock
            assert connection.getresponse().read() == b"Principal alice"
    connection.close()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_method_below_one_that_requires_a_scope_does_not_go_on(
    host: Host, records: Records, method: str
) -> None:
    Scoped.ran.clear()
    answer = host.client.request(method, "/scoped-below", token=host.token())
    is_refused(answer, 403, "insufficient_scope")
    assert Scoped.ran == []
    assert failures(records, host.client) == []
    good = host.client.request(method, "/scoped-below", token=host.token(scope="w"))
    assert good.text == "went on"
    assert Scoped.ran == [method.lower(), "went on"]


def test_answer_that_prepare_began_is_cut_off(host: Host) -> None:
    request = f"PUT /flushed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.token()}\r\n\r\n"
    answer = host.client.raw(request.encode())
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n"), "the client sees that it is not whole"


@pytest.mark.parametrize(
    ("path", "key"),
    [("/on-finish", "metrics"), ("/metadata", "url"), ("/cors?failing-log", "log")],
)  # fmt: skip
def test_hook_that_fails_in_a_refusal_costs_one_line(
    host: Host, records: Records, path: str, key: str
) -> None:
    is_refused(host.client.get(path), 401, None)
    ((logger, message, exception),) = failures(records, host.client)
    assert logger == "kms_tornado.auth"
    assert message.startswith("refused GET ")
    assert " failed" in message
    assert exception == f"KeyError('{key}')"


@pytest.mark.parametrize(
    ("path", "exception"),
    [("/metadata-no-text", "TypeError"), ("/cancelled", "CancelledError"), ("/cancelled-twice", "CancelledError")],
)  # fmt: skip
def test_hook_that_tells_no_text_or_is_cancelled_leaves_nobody_waiting(
    host: Host, records: Records, path: str, exception: str
) -> None:
    for method in ("GET", "POST"):
        answer = host.client.request(method, path)
        expected = 500 if (method, path) == ("GET", "/cancelled-twice") else 401
        assert answer.status == expected
        assert exception in failures(records, host.client)[-1][2]


@pytest.mark.parametrize("path", ["/silent-finish", "/silent-send-error", "/silent-handling"])
def test_handler_whose_answer_to_a_failure_is_never_sent_leaves_nobody_waiting(
    host: Host, records: Records, path: str
) -> None:
    for method, headers in (("GET", {}), ("GET", {"Content-Type": "multipart/form-data"})):
        answer = host.client.request(method, path, headers=headers, body=b"x")
        assert (answer.status, answer.json()["error"]) == (500, "server_error")
        assert f"{method} {path} failed, and so did" in failures(records, host.client)[-1][1]
    assert host.client.request("FETCH", path, token=host.token()).status == 500


@pytest.mark.parametrize("path", ["/no-auth", "/public", "/failing-setter"])
def test_fault_of_the_host_before_the_decision_is_a_plain_500_cold_and_warm(
    host: Host, records: Records, path: str
) -> None:
    token = host.token(jti=path)
    for _ in ("cold", "warm"):
        answer = host.client.get(path, token=token)
        assert (answer.status, answer.json()["error"]) == (500, "server_error")
        ((logger, message, exception),) = failures(records, host.client)
        assert (logger, re.split(" (?:user|issuer|request_id)=", message)[0]) == (
            "kms_tornado.auth", f"GET {path}: the credentials could not be checked"
        )  # fmt: skip
        assert "Error" in exception


def test_handler_that_cannot_be_made_closes_the_connection_as_ever(
    host: Host, records: Records
) -> None:
    for token in (None, host.token()):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            host.client.get("/makes-none", token=token)
        assert len(failures(records, host.client)) == 1
    assert host.client.get("/cors", token=host.token()).status == 200


# --- who the user is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "user"),
    [
        pytest.param("/cors", "Principal alice", id="nothing overridden"),
        pytest.param("/user-of-the-base-first", "Principal alice", id="property of a base before"),
        pytest.param("/user-of-the-base-last", "Principal alice", id="property of a base behind"),
        pytest.param("/get-current-user-first", "Principal alice", id="get_current_user before"),
        pytest.param("/get-current-user-last", "Principal alice", id="get_current_user behind"),
        pytest.param("/own-property", "str mapped alice", id="own property, read-only"),
        pytest.param("/own-setter", "Principal alice", id="own property that is assigned"),
        pytest.param("/cached-property", "Principal alice", id="cached property"),
        pytest.param("/attribute", "Principal alice", id="attribute"),
        pytest.param("/prepared-user", "str account of alice", id="assigned in prepare"),
    ],
)
def test_user_is_the_tokens_unless_the_handler_itself_says_otherwise(
    host: Host, records: Records, path: str, user: str
) -> None:
    token = host.token(jti=path)
    for method in ("GET", "POST"):
        for _ in ("cold", "warm"):
            answer = host.client.request(method, path, token=token)
            assert (answer.status, answer.text) == (200, user)
        is_refused(host.client.request(method, path), 401, None)
    assert failures(records, host.client) == []


def test_handlers_that_name_no_user_of_their_own_share_the_mixins() -> None:
    assert UserOfBaseFirst.current_user is BearerAuthMixin.current_user
    assert OwnProperty.current_user is not BearerAuthMixin.current_user
