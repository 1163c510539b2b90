"""What a host reads about a refusal: one line, an identifier that the caller has too, and fields for machines."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tornado.web import Application

from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires
from kms_tornado.wording import MAX_VALUE_LENGTH

from ...issuer import Issuer
from ...support import running
from .records import Records

Refusals = Callable[[], list[Any]]

MADE = re.compile(r"[0-9a-f]{16}")


class Plain(BearerRequestHandler):
    def get(self, *args: str) -> None:
        self.write("x")

    @requires(scope="w")
    def put(self) -> None:
        self.write("x")


class OfAttribute(Plain):
    def initialize(self) -> None:
        self.request_id = "of-the-host"


class OfProperty(Plain):
    @property
    def request_id(self) -> str:
        return "of-the-host"


class OfHeader(Plain):
    def set_default_headers(self) -> None:
        self.set_header("X-Request-ID", "of-the-host")


class OfPrepare(Plain):
    def prepare(self) -> None:
        self.request_id = "of-the-host"


class Failing(Plain):
    @property
    def request_id(self) -> str:
        raise KeyError("context")


class Dirty(Plain):
    request_id = "a\r\nSet-Cookie: x"


class Method(Plain):
    def request_id(self) -> str:
        return "of-the-host"


CLASSES = {
    cls.__name__: cls
    for cls in (Plain, OfAttribute, OfProperty, OfHeader, OfPrepare, Failing, Dirty, Method)
}


@pytest.fixture(scope="module")
def host() -> Iterator[Any]:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        routes = [(f"/{name}(?:/.*)?", cls) for name, cls in CLASSES.items()]
        with running(lambda: Application(routes, bearer_auth=auth), auth) as client:
            client.issuer = issuer  # type: ignore[attr-defined]
            yield client


@pytest.fixture
def refusals(host: Any) -> Iterator[Callable[[], list[Any]]]:
    """Gives the lines about refusals that were written so far."""
    handler, log = Records(), logging.getLogger("kms_tornado.auth")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lambda: handler.take(host)
    log.setLevel(logging.NOTSET)
    log.removeHandler(handler)


@pytest.mark.parametrize(
    ("name", "is_hosts"),
    [
        ("Plain", False), ("OfAttribute", True), ("OfProperty", True), ("OfHeader", True),
        ("OfPrepare", False), ("Failing", False), ("Dirty", False), ("Method", False),
    ],
)  # fmt: skip
def test_refusal_and_its_line_have_the_hosts_identifier_or_a_new_one(
    host: Any, refusals: Refusals, name: str, is_hosts: bool
) -> None:
    answer = host.get(f"/{name}", headers={"X-Request-ID": "of-the-client"})
    assert answer.status == 401
    [request_id] = answer.headers.get_all("X-Request-ID")
    assert request_id == "of-the-host" if is_hosts else MADE.fullmatch(request_id)
    [record] = refusals()
    assert record.fields["request_id"] == request_id
    assert record.getMessage().endswith(f" request_id={request_id}")
    assert record.getMessage().startswith(f"refused GET /{name} from 127.0.0.1: ")


def test_line_of_a_refused_token_has_its_issuer_and_its_key(host: Any, refusals: Refusals) -> None:
    token = host.issuer.token(aud="another", header={"kid": host.issuer.kid})
    host.get("/Plain", token=token)
    [record] = refusals()
    fields = record.fields
    assert {name: fields[name] for name in ("status", "method", "path", "reason", "issuer", "key_id")} == {
        "status": 401, "method": "GET", "path": "/Plain", "reason": "audience",
        "issuer": host.issuer.uri, "key_id": host.issuer.kid,
    }  # fmt: skip
    assert f" issuer={host.issuer.uri} key_id={host.issuer.kid} " in record.getMessage()


def test_line_of_a_token_that_is_not_enough_has_its_user(host: Any, refusals: Refusals) -> None:
    answer = host.request("PUT", "/Plain", token=host.issuer.token(aud="kms"))
    assert answer.status == 403
    [record] = refusals()
    fields = record.fields
    assert (fields["user"], fields["reason"]) == ("alice", "scope")


def test_what_the_client_sends_is_cut_and_masked_in_line_and_fields(
    host: Any, refusals: Refusals
) -> None:
    jws = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl"
    host.get("/Plain/" + "a" * 60_000)
    host.get(f"/Plain/{jws}")
    host.get("/Plain", token=host.issuer.token(aud="kms", header={"kid": jws}))
    host.request("A" * 60_000, "/Plain")
    records = refusals()
    assert len(records) == 4
    for record in records:
        texts = [record.getMessage(), *map(str, record.fields.values())]
        assert max(map(len, texts)) < 2 * MAX_VALUE_LENGTH
        assert not [text for text in texts if jws in text or "c2lnbmF0" in text]
