"""Every status of the server, and what is no answer of this server, is an exception of one line."""

from __future__ import annotations

import pytest

from kms_tornado.client import (
    AccessDenied,
    AuthenticationFailed,
    ClientError,
    InvalidField,
    KMIPError,
    KMSClient,
    KMSError,
    RequestTooLarge,
    ServerUnavailable,
    TokenExpired,
    TooManyRequests,
    UnexpectedAnswer,
    repeats,
)

from ..rows import each_row
from .conftest import Server
from .faulty import Scripted, answer, refusal

CHALLENGE = {"WWW_Authenticate": 'Bearer realm="kms"'}
SECRET = "sEcReT-of-a-proxy"
HTML = f"<html><body>{SECRET}</body></html>"


@pytest.fixture(autouse=True)
def _no_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_REPEATS", 0)


def failure_of(step: bytes) -> KMSError:
    with Scripted(step) as server, KMSClient(server.url, "token") as client:
        with pytest.raises(KMSError) as caught:
            client.locate()
        return caught.value


@each_row(
    ("status", "description", "error", "text"),
    [
        ("401 No", "bearer token required", AuthenticationFailed, "bearer token required"),
        ("401 No", "audience not accepted", AuthenticationFailed, "audience not accepted"),
        ("401 No", "token expired", TokenExpired, "log in again"),
        ("400 No", "malformed Authorization header", AuthenticationFailed, "malformed"),
        ("403 No", "a required claim is missing", AccessDenied, "a required claim is missing"),
        ("413 No", "the body is larger than 16 MiB", RequestTooLarge, "larger than 16 MiB"),
        ("429 No", "slow down", TooManyRequests, "slow down"),
        ("503 No", "the database is out of reach", ServerUnavailable, "database is out of reach"),
        ("404 No", "there is nothing at this path", UnexpectedAnswer, "404"),
        ("405 No", "this path does not take this method", UnexpectedAnswer, "405"),
        ("500 No", "the server failed", UnexpectedAnswer, "500: the server failed"),
    ],
)
def test_error_of_the_server_has_its_exception_and_its_description(
    status: str, description: str, error: type[ClientError], text: str
) -> None:
    failure = failure_of(refusal(status, description, **CHALLENGE))
    assert type(failure) is error
    assert text in str(failure)


def test_parameter_that_the_server_refuses_is_an_invalid_field() -> None:
    failure = failure_of(refusal("400 No", "since: a date or a time of RFC 3339"))
    assert type(failure) is InvalidField
    assert "since: a date" in str(failure)


def test_description_of_a_refused_token_is_an_attribute() -> None:
    failure = failure_of(refusal("401 No", "audience not accepted", **CHALLENGE))
    assert isinstance(failure, AuthenticationFailed)
    assert failure.description == "audience not accepted"


@each_row(
    ("step", "error"),
    [
        pytest.param(answer(HTML), UnexpectedAnswer, id="a page with status 200"),
        pytest.param(answer(HTML, "401 No"), UnexpectedAnswer, id="401 of a proxy"),
        pytest.param(answer(HTML, "403 No"), UnexpectedAnswer, id="403 of a proxy"),
        pytest.param(answer(HTML, "413 No"), RequestTooLarge, id="413 of a proxy"),
        pytest.param(answer(HTML, "429 No"), TooManyRequests, id="429 of a proxy"),
        pytest.param(answer(HTML, "502 No"), ServerUnavailable, id="502"),
        pytest.param(answer(HTML, "503 No"), ServerUnavailable, id="503 of a proxy"),
        pytest.param(answer(HTML, "504 No"), ServerUnavailable, id="504"),
        pytest.param(answer(HTML, "418 No"), UnexpectedAnswer, id="418"),
        pytest.param(answer(HTML, "422 No"), UnexpectedAnswer, id="422 of another server"),
        pytest.param(answer(b"", "422 No"), UnexpectedAnswer, id="422 without a body"),
        pytest.param(answer(b"\xff: x", "422 No"), UnexpectedAnswer, id="422 that is no text"),
        pytest.param(answer(b"", "204 Nothing"), UnexpectedAnswer, id="204"),
        pytest.param(answer(b""), UnexpectedAnswer, id="empty"),
        pytest.param(answer(b"{"), UnexpectedAnswer, id="JSON cut short"),
        pytest.param(answer("[" * 100_000), UnexpectedAnswer, id="arrays without an end"),
        pytest.param(answer("[" * 100_000, "401 No"), UnexpectedAnswer, id="the same as an error"),
        pytest.param(answer({"ok": True}), UnexpectedAnswer, id="JSON that is no KMIP"),
        pytest.param(
            answer({"tag": "GetResponse", "value": []}), UnexpectedAnswer, id="another answer"
        ),
        pytest.param(
            answer({"tag": "LocateResponse", "value": [{"tag": "State", "value": []}]}),
            UnexpectedAnswer,
            id="a field that belongs elsewhere",
        ),
        pytest.param(
            answer({"error_description": SECRET * 50}, "401 No"),
            UnexpectedAnswer,
            id="a description without an end",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{",
            UnexpectedAnswer,
            id="body cut short",
        ),
        pytest.param(
            answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
            UnexpectedAnswer,
            id="compressed and broken",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", ClientError, id="not HTTP"),
    ],
)
def test_what_is_no_answer_of_this_server_is_one_line_without_the_body(
    step: bytes, error: type[ClientError]
) -> None:
    failure = failure_of(step)
    assert isinstance(failure, error)
    assert len(str(failure).splitlines()) == 1
    assert SECRET not in str(failure)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Moved", "308 Moved"])
def test_redirect_is_not_followed_and_its_target_named_without_its_path(status: str) -> None:
    with Scripted(answer('"0.1.0"')) as other:
        headers = {"Location": f"http://localhost:{other.port}/{SECRET}?x={SECRET}"}
        failure = failure_of(answer(HTML, status, headers))
        assert other.requests == []
    assert isinstance(failure, UnexpectedAnswer)
    assert "redirects to http://localhost:" in str(failure)
    assert SECRET not in str(failure)


@pytest.mark.parametrize("target", ["", "/other", "http://[", "//", "http://\x7f/"])
def test_redirect_to_nowhere_is_no_crash(target: str) -> None:
    failure = failure_of(answer(b"", "302 Found", {"Location": target}))
    assert "redirects to another place" in str(failure)


def test_description_with_line_breaks_is_put_on_one_line() -> None:
    failure = failure_of(refusal("403 No", "one\ntwo\x1b[31m", **CHALLENGE))
    assert str(failure).endswith("one two?[31m")


def test_refusal_of_an_operation_is_its_reason_s_exception() -> None:
    failure = failure_of(answer("Item_Not_Found: no such object", "422 No"))
    assert isinstance(failure, KMIPError)
    assert (failure.reason, str(failure)) == ("Item Not Found", "no such object")


def test_real_server_s_refusals_are_read(server: Server) -> None:
    stale = server.token("alice", exp=1)
    for token, error in ((stale, TokenExpired), ("no.such.token", AuthenticationFailed)):
        with KMSClient(server.url, token) as client, pytest.raises(error):
            client.locate()
    with KMSClient(server.url) as client, pytest.raises(AuthenticationFailed, match="required"):
        client.locate()
    with KMSClient(server.url, server.token("alice")) as alice, pytest.raises(RequestTooLarge):
        alice.hash(bytes(9 << 20))
