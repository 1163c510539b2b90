"""The listener that a browser is sent back to: whom it believes, and how often."""

from __future__ import annotations

import _thread
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from kms_tornado.client.login.login_errors import LoginFailed
from kms_tornado.client.login.loopback_redirect import LoopbackRedirect, check_answer

from ...rows import each_row

STATE = "state-of-this-sign-in"
ISSUER = "https://issuer.example"


@pytest.fixture
def redirect() -> Iterator[LoopbackRedirect]:
    with LoopbackRedirect(state=STATE, port=0) as listening:
        yield listening


def visit(
    redirect: LoopbackRedirect,
    *,
    path: str = "/authorization",
    host: str | None = None,
    method: str = "GET",
    query: str | None = None,
    **parameters: str,
) -> tuple[int, http.client.HTTPMessage, str]:
    port = urlsplit(redirect.redirect_uri).port
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        headers = {"Host": host if host is not None else f"localhost:{port}"}
        target = f"{path}?{query if query is not None else urlencode(parameters)}"
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


# --- the good case ------------------------------------------------------------------------------


def test_answer_with_the_state_of_this_sign_in_is_handed_on(redirect: LoopbackRedirect) -> None:
    status, _, page = visit(redirect, code="c", state=STATE)
    assert status == 200
    assert "goes on in the terminal" in page
    assert redirect.wait_for_answer(1) == {"code": "c", "state": STATE}


def test_page_keeps_the_code_to_itself(redirect: LoopbackRedirect) -> None:
    _, headers, page = visit(redirect, code="secret-code", state=STATE)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "secret-code" not in page


def test_nothing_of_a_request_is_logged(
    redirect: LoopbackRedirect, capfd: pytest.CaptureFixture[str]
) -> None:
    visit(redirect, code="secret-code", state=STATE)
    with contextlib.closing(socket.create_connection(_address(redirect))) as broken:
        broken.sendall(b"nonsense\r\n\r\n")
        broken.recv(100)
    assert capfd.readouterr() == ("", "")


def test_silent_connection_of_a_browser_does_not_block_the_answer(
    redirect: LoopbackRedirect,
) -> None:
    with contextlib.closing(socket.create_connection(_address(redirect))):
        visit(redirect, code="c", state=STATE)
        assert redirect.wait_for_answer(1)["code"] == "c"


def _address(redirect: LoopbackRedirect) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(redirect.redirect_uri).port or 0


# --- who is not believed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param({"state": "another"}, 400, id="state of another sign-in"),
        pytest.param({}, 400, id="no state"),
        pytest.param({"error": "access_denied"}, 400, id="an error beside a code, and no state"),
        pytest.param({"query": "error=e&state=another"}, 400, id="error of another sign-in"),
        pytest.param({"query": ""}, 400, id="nothing"),
        pytest.param({"state": "ä" * 10}, 400, id="state outside ASCII"),
        pytest.param({"query": f"code=a&code=b&state={STATE}"}, 400, id="a parameter twice"),
        pytest.param({"state": STATE, "path": "/"}, 404, id="another path"),
        pytest.param({"state": STATE, "path": "/favicon.ico"}, 404, id="the icon"),
        pytest.param({"state": STATE, "path": "/authorization/x"}, 404, id="a path below"),
        pytest.param({"state": STATE, "host": "attacker.example"}, 403, id="rebound name"),
        pytest.param({"state": STATE, "host": "localhost"}, 403, id="host without the port"),
        pytest.param({"state": STATE, "host": ""}, 403, id="empty host"),
        pytest.param({"state": STATE, "method": "POST"}, 501, id="posted"),
        pytest.param({"state": STATE, "method": "HEAD"}, 501, id="asked for in advance"),
    ],
)
def test_request_that_is_not_the_answer_does_not_count(
    redirect: LoopbackRedirect, request_: dict[str, Any], status: int
) -> None:
    assert visit(redirect, **{"code": "attacker's", **request_})[0] == status
    assert visit(redirect, code="mine", state=STATE)[0] == 200
    assert redirect.wait_for_answer(1)["code"] == "mine"


def test_second_answer_is_turned_away(redirect: LoopbackRedirect) -> None:
    visit(redirect, code="first", state=STATE)
    status, _, page = visit(redirect, code="second", state=STATE)
    assert status == 400
    assert "Already answered" in page
    assert redirect.wait_for_answer(1)["code"] == "first"
    with pytest.raises(LoginFailed, match="nobody signed in"):
        redirect.wait_for_answer(0.05)


def test_error_of_the_issuer_is_handed_on_and_not_shown_in_the_page(
    redirect: LoopbackRedirect,
) -> None:
    _, _, page = visit(redirect, error="access_denied", error_description="<b>no", state=STATE)
    assert "Not signed in" in page
    assert "<b>" not in page
    assert redirect.wait_for_answer(1)["error"] == "access_denied"


def test_error_without_a_state_ends_the_sign_in(redirect: LoopbackRedirect) -> None:
    """As Authlib's server sends it."""
    assert visit(redirect, error="access_denied")[0] == 200
    assert redirect.wait_for_answer(1) == {"error": "access_denied"}


def test_listener_is_reached_from_this_machine_alone(redirect: LoopbackRedirect) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", _address(redirect)[1]), timeout=1)


# --- ends -----------------------------------------------------------------------------------------


def test_waiting_ends(redirect: LoopbackRedirect) -> None:
    visit(redirect, code="c", state="another")
    with pytest.raises(LoginFailed, match=r"within 0 seconds, and an answer to another sign-in"):
        redirect.wait_for_answer(0.05)


def test_interrupt_ends_the_waiting_and_frees_the_port() -> None:
    redirect = LoopbackRedirect(state=STATE, port=0)
    threading.Timer(0.1, _thread.interrupt_main).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), redirect:
        redirect.wait_for_answer(30)
    assert time.monotonic() - started < 5
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(_address(redirect), timeout=1)


def test_port_in_use_says_how_to_name_another(redirect: LoopbackRedirect) -> None:
    port = _address(redirect)[1]
    with pytest.raises(LoginFailed, match=rf"port {port} .*OAUTH2_REDIRECT_URL_PORT"):
        LoopbackRedirect(state=STATE, port=port)


# --- what the answer says -------------------------------------------------------------------------


@each_row(
    ("answer", "names_issuer", "error"),
    [
        pytest.param({"code": "c", "iss": ISSUER}, True, None, id="the issuer, as promised"),
        pytest.param({"code": "c", "iss": ISSUER}, False, None, id="the issuer, unasked"),
        pytest.param({"code": "c"}, False, None, id="no issuer, and none promised"),
        pytest.param({"code": "c"}, True, "names no issuer", id="a promised issuer is missing"),
        pytest.param(
            {"code": "c", "iss": "https://evil.example"}, False, "evil", id="another issuer"
        ),
        pytest.param(
            {"error": "access_denied", "iss": "https://evil.example"}, True, "evil",
            id="an error of another issuer",
        ),
        pytest.param({"error": "access_denied"}, False, "declined: access_denied$", id="declined"),
        pytest.param(
            {"error": "server_error", "error_description": "down"}, False,
            r"refused the sign-in: server_error \(down\)", id="error with a description",
        ),
        pytest.param({}, False, "without a code", id="no code"),
        pytest.param({"code": ""}, False, "without a code", id="empty code"),
    ],
)  # fmt: skip
def test_answer_is_checked(answer: dict[str, str], names_issuer: bool, error: str | None) -> None:
    with pytest.raises(LoginFailed, match=error) if error else contextlib.nullcontext():
        check_answer(answer, issuer=ISSUER, names_issuer=names_issuer)


def test_issuers_words_cannot_steer_the_terminal() -> None:
    answer = {"error": "x\x1b[2J\ny", "error_description": "\x9b31m" + "long " * 100}
    with pytest.raises(LoginFailed) as refusal:
        check_answer(answer, issuer=None, names_issuer=False)
    shown = str(refusal.value)
    assert shown.isprintable()
    assert len(shown) < 300
