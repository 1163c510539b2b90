"""The issuer of --dev on a thread, a browser and a program that talk to it, and what --dev prints."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import http.client
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tornado.web import Application

from kms_tornado.auth.tokens.compact import parse_token
from kms_tornado.web.process.dev.issuer import DevIssuer

from ....server import ServerProcess
from ....support import Response, running

CLIENT = "kmsctl"
REDIRECT = "http://127.0.0.1:4711/done"
PAGE = "http://127.0.0.1:9998"  # of the server, as the issuer is told
VERIFIER = "verifier-" * 6
ALICE, BOB = "alice@example.com", "bob@example.com"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def asking(**changes: str | None) -> dict[str, str]:
    """The parameters of a good authorization request; None leaves one out."""
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "scope": "openid kms",
        "state": "st&te",
        "nonce": "n-1",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


class Visitor:
    """Requests to the issuer, with the Host and Origin that a browser on its pages would send."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def request(self, method: str, path: str, body: str | None, headers: Any) -> Response:
        address = urlsplit(self.uri)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())

    def get(self, path: str, parameters: dict[str, str] | None = None, **headers: str) -> Response:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.request("GET", path + query, None, headers)

    def post(self, path: str, parameters: dict[str, str], **headers: str) -> Response:
        form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.request("POST", path, urlencode(parameters), form)

    def choose(self, page: Response, user: str, **headers: str) -> Response:
        """Press the user's button on the page."""
        assert page.status == 200, page.text
        (action,) = re.findall(r'action="([^"]+)"', page.text)
        form = {"ticket": ticket_of(page), "user": user}
        return self.post(action, form, **{"Origin": self.uri, **headers})

    def code(self, user: str = ALICE, **changes: str | None) -> str:
        """A code for the user."""
        answer = self.choose(self.get("/authorize", asking(**changes)), user)
        return returned(answer)["code"]

    def redeem(self, code: str, **changes: str) -> Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return self.post("/token", form | changes)

    def sign_in(self, user: str = ALICE, **changes: str | None) -> dict[str, Any]:
        """The answer of the token endpoint."""
        answer = self.redeem(self.code(user, **changes))
        assert answer.status == 200, answer.text
        return answer.json()

    def refresh(self, token: str, **changes: str) -> Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT}
        return self.post("/token", form | changes)

    def start_device(self) -> dict[str, Any]:
        answer = self.post("/device_authorization", {"client_id": CLIENT, "scope": "openid kms"})
        assert answer.status == 200, answer.text
        return answer.json()

    def poll(self, device_code: str, **changes: str) -> Response:
        form = {"grant_type": DEVICE_GRANT, "device_code": device_code, "client_id": CLIENT}
        return self.post("/token", form | changes)


def ticket_of(page: Response) -> str:
    (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    return html.unescape(ticket)


def returned(answer: Response) -> dict[str, str]:
    """What the browser brings to the client's address."""
    assert answer.status == 303, answer.text
    query = urlsplit(answer.headers["Location"]).query
    return {name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()}


def claims_of(token: str) -> dict[str, Any]:
    return parse_token(token).claims


@contextlib.contextmanager
def dev_issuer(host: str = "127.0.0.1") -> Iterator[Visitor]:
    issuer = DevIssuer(host)

    @contextlib.asynccontextmanager
    async def started():
        issuer.start()
        issuer.let_page_in(PAGE)
        yield
        await issuer.stop()

    with running(Application, started()):
        yield Visitor(issuer.uri)


class Printed:
    """What --dev says on stdout.

    paragraphs: {heading, without its colon: the lines below it}.
    """

    def __init__(self, server: ServerProcess) -> None:
        server.wait_for_line(r"kmsctl decrypt .*-o -$", stream="stdout")
        self.text = server.stdout
        (_, self.issuer), *paragraphs = (
            paragraph.split(": " if paragraph.startswith("issuer") else ":\n", 1)
            for paragraph in self.text.split("\n\n")
        )
        self.paragraphs = {heading: lines.splitlines() for heading, lines in paragraphs}
        (self.alice,), (self.bob,) = (self.paragraphs[f"token for {user}"] for user in (ALICE, BOB))
