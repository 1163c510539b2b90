"""The listener on this machine that receives the authorization response (RFC 8252 §7.3).

The browser is sent to ``http://localhost:PORT/authorization?code=…&state=…``. Any page that the user
has open, and any program of the machine, may send requests there as well: a request counts only with
the `state` of this sign-in, an address bar that names this listener, and as the first of its kind.
What is received is handed on and never logged: it contains the authorization code.
"""

from __future__ import annotations

import hmac
import queue
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from .login_errors import LoginFailed, one_line

#: The path that ckms uses, so that a redirect URI registered for it works here as well.
PATH = "/authorization"
LOOPBACK_ADDRESS = "127.0.0.1"  # never an address that other machines reach

#: A browser opens connections in advance and sends nothing on them: they are closed after a while.
SILENT_CONNECTION_S = 10.0

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>kmsctl</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}
</style><h1>{title}</h1><p>{text}</p></html>
"""
RECEIVED = ("Back to the terminal", "kmsctl goes on in the terminal. This page may be closed.")
REFUSED = ("Not signed in", "The terminal says why. This page may be closed.")
FOREIGN = (
    "Not for this sign-in",
    "This answer does not belong to the sign-in that kmsctl waits for. Use the page it opened last.",
)
USED = ("Already answered", "kmsctl has had its answer. This page may be closed.")
NOTHING_HERE = ("Nothing here", "kmsctl only waits for the end of a sign-in.")


class LoopbackRedirect:
    """Listens as soon as it exists. The issuer sends the browser to `redirect_uri`.

    port: 0 takes a free one, for issuers that allow any port in a loopback redirect.
    """

    def __init__(self, *, state: str, port: int) -> None:
        try:
            self._server = _Listener(state, port)
        except OSError as exc:
            raise LoginFailed(
                f"port {port} of this machine, which the sign-in returns to, cannot be listened on "
                f"({exc.strerror}): end the other sign-in, or name another port that the issuer "
                "allows in OAUTH2_REDIRECT_URL_PORT (0 takes a free one)"
            ) from None
        self.redirect_uri = f"http://localhost:{self._server.server_port}{PATH}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_answer(self, timeout_s: float) -> Mapping[str, str]:
        """The parameters of the authorization response, after `state` was checked.

        Raises LoginFailed where none comes in time.
        """
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                # Wait in short steps, so that Ctrl-C works immediately on every system.
                return self._server.answers.get(timeout=min(left_s, 0.5))
            except queue.Empty:
                continue
        foreign = ", and an answer to another sign-in was turned away" * self._server.saw_foreign
        raise LoginFailed(
            f"nobody signed in within {timeout_s:.0f} seconds{foreign}: run kmsctl login again"
        )


def check_answer(answer: Mapping[str, str], *, issuer: str | None, names_issuer: bool) -> None:
    """Refuse an authorization response that is an error, comes from another issuer, or has no code.

    issuer: None where only URLs are configured.
    names_issuer: whether the issuer's metadata promises the parameter `iss`, without which a response could come from
    another issuer (RFC 9207 §2.4).
    """
    if issuer is not None and (names_issuer or "iss" in answer) and answer.get("iss") != issuer:
        stated_issuer = one_line(answer["iss"]) if "iss" in answer else "no issuer"
        raise LoginFailed(
            f"the answer names {stated_issuer} and the sign-in was at {issuer}: check the issuer in the "
            "configuration"
        )
    if "error" in answer:
        raise LoginFailed(describe_refusal(answer["error"], answer.get("error_description")))
    if not answer.get("code"):
        raise LoginFailed("the issuer sent the browser back without a code: run kmsctl login again")


def describe_refusal(error: str, description: str | None) -> str:
    """One line for an error of the issuer, whose words are made fit for a terminal."""
    said = f"{one_line(error)} ({one_line(description)})" if description else one_line(error)
    if error == "access_denied":
        return f"the sign-in was declined: {said}"
    return f"the issuer refused the sign-in: {said}"


class _Listener(ThreadingHTTPServer):
    """Uses one thread for each connection, so that a silent one of a browser does not block the others."""

    daemon_threads = True
    # Two listeners on one port would share the answers where a system allows it.
    allow_reuse_port = False

    def __init__(self, state: str, port: int) -> None:
        super().__init__((LOOPBACK_ADDRESS, port), _Handler)
        self.state = state
        self.answers: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()
        self.is_answered = False
        self.saw_foreign = False
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a connection that breaks is the browser's affair."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = SILENT_CONNECTION_S
    server_version = "kmsctl"
    sys_version = ""

    def do_GET(self) -> None:
        status, page, answer = self._judge_request()
        self._show(status, page)
        if answer is not None:
            self.server.answers.put(answer)

    def _judge_request(self) -> tuple[int, tuple[str, str], Mapping[str, str] | None]:
        """What to show in answer to the request, and the authorization response if the request is the awaited one."""
        target = urlsplit(self.path)
        port = self.server.server_port
        # Another name that resolves to this machine is a page's trick (DNS rebinding).
        if self.headers.get("Host") not in {f"localhost:{port}", f"{LOOPBACK_ADDRESS}:{port}"}:
            return 403, NOTHING_HERE, None
        if target.path != PATH:
            return 404, NOTHING_HERE, None
        pairs = parse_qsl(target.query, keep_blank_values=True)
        answer = dict(pairs)
        if len(answer) != len(pairs) or not self._is_ours(answer):
            self.server.saw_foreign = True
            return 400, FOREIGN, None
        with self.server.lock:
            was_answered, self.server.is_answered = self.server.is_answered, True
        if was_answered:
            return 400, USED, None
        return 200, RECEIVED if "code" in answer else REFUSED, answer

    def _is_ours(self, answer: Mapping[str, str]) -> bool:
        """Whether an answer belongs to this sign-in.

        At most one that ends it without a code is accepted without `state`.
        Issuers leave `state` out of errors, although RFC 6749 §4.1.2.1 demands it. An end with their reason is better
        than minutes of waiting.
        """
        if "state" not in answer and "code" not in answer:
            return "error" in answer
        return hmac.compare_digest(answer.get("state", "").encode(), self.server.state.encode())

    def _show(self, status: int, page: tuple[str, str]) -> None:
        body = PAGE.format(title=page[0], text=page[1]).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Referrer-Policy": "no-referrer",  # the address contains the code
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing: a request line contains the code."""
