"""--insecure-no-auth: every request is the configured user, whatever it offers."""

from __future__ import annotations

import asyncio

import pytest
from tornado.httputil import HTTPHeaders

from kms_tornado.auth.credentials import Credentials
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.errors import ForeignPage

from ..rows import each_row


@each_row(
    "credentials",
    [
        pytest.param(Credentials(), id="none"),
        pytest.param(Credentials(["Bearer x.y.z"]), id="a bad token"),
        pytest.param(Credentials(peer_certificate=b"DER"), id="a certificate"),
    ],
)
def test_every_request_is_the_configured_user(credentials: Credentials) -> None:
    auth = InsecureNoAuth("admin")
    principal = auth.check_now(credentials)
    assert (principal.name, principal.subject, principal.issuer) == ("admin", "admin", "")
    assert auth.recall(credentials) is principal
    assert asyncio.run(auth.check_waiting(credentials)) is principal


LOCAL = {"Host": "localhost:9998"}
JSON = {"Content-Type": "application/json; charset=utf-8", "Content-Length": "2"}
BEARER = ["Bearer x"]


@each_row(
    ("headers", "authorization"),
    [
        pytest.param({**LOCAL, **JSON}, (), id="a program's JSON"),
        pytest.param(
            {**LOCAL, "Content-Type": "application/octet-stream", "Content-Length": "8"},
            (),
            id="binary TTLV",
        ),
        pytest.param({"Host": "127.0.0.1:9998", **JSON}, (), id="by address"),
        pytest.param({"Host": "[::1]:9998", **JSON}, (), id="by address of version 6"),
        pytest.param({"Host": "LOCALHOST", **JSON}, (), id="another port, forwarded by ssh"),
        pytest.param({**JSON}, (), id="HTTP/1.0 without a Host"),
        pytest.param(LOCAL, (), id="no body"),
        pytest.param({**LOCAL, "Content-Length": "0"}, (), id="an empty body"),
        pytest.param({**LOCAL, "Content-Length": "2"}, BEARER, id="with a token any type"),
        pytest.param({**LOCAL, **JSON, "Sec-Fetch-Site": "none"}, (), id="typed by the user"),
        pytest.param(
            {**LOCAL, **JSON, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9998"},
            (),
            id="a page of this server",
        ),
    ],
)
def test_request_that_no_foreign_page_can_cause_passes(headers, authorization) -> None:
    credentials = Credentials(authorization, HTTPHeaders(headers))
    auth = InsecureNoAuth("admin")
    assert auth.recall(credentials) is auth.check_now(credentials)


@each_row(
    ("headers", "authorization", "fault"),
    [
        pytest.param({**LOCAL, "Content-Type": "text/plain", "Content-Length": "2"}, (),
                     "Content-Type", id="plain text, as fetch() sends it to any origin"),
        pytest.param({**LOCAL, "Content-Type": "application/x-www-form-urlencoded",
                      "Content-Length": "2"}, (), "Content-Type", id="a form"),
        pytest.param({**LOCAL, "Content-Type": "multipart/form-data; boundary=x",
                      "Content-Length": "2"}, (), "Content-Type", id="a form with files"),
        pytest.param({**LOCAL, "Content-Length": "2"}, (), "Content-Type", id="a Blob of no type"),
        pytest.param({**LOCAL, "Transfer-Encoding": "chunked"}, (), "Content-Type", id="a stream"),
        pytest.param({**LOCAL, "Content-Type": "text/plain; x=application/json",
                      "Content-Length": "2"}, (), "Content-Type", id="JSON as a parameter"),
        pytest.param({"Host": "evil.example:9998", **JSON}, BEARER, "Host", id="DNS rebinding"),
        pytest.param({"Host": "127.0.0.1.nip.io", **JSON}, (), "Host", id="a name with our address"),
        pytest.param({"Host": "localhost.evil.example"}, (), "Host", id="a name with our name"),
        pytest.param({"Host": "user@localhost@evil"}, (), "Host", id="an odd Host"),
        pytest.param({"Host": "[::1"}, (), "Host", id="a broken Host"),
        pytest.param({**LOCAL, **JSON, "Origin": "http://localhost:3000"}, (), "Origin",
                     id="a page on another port"),
        pytest.param({**LOCAL, **JSON, "Origin": "http://[::1"}, (), "Origin", id="a broken Origin"),
        pytest.param({**LOCAL, "Content-Type": "text/plain", "Content-Length": "2"}, ["Basic YTpi"],
                     "Content-Type", id="a form with a password that the browser remembers"),
        pytest.param({**LOCAL, "Content-Type": "text/plain", "Content-Length": "2"}, ["Negotiate YII="],
                     "Content-Type", id="a form with the user's Kerberos ticket"),
        pytest.param({**LOCAL, **JSON, "Origin": "null"}, (), "Origin", id="a sandboxed page"),
        pytest.param({**LOCAL, "Sec-Fetch-Site": "cross-site"}, (), "site", id="an image of a page"),
        pytest.param({**LOCAL, "Sec-Fetch-Site": "same-site"}, (), "site", id="another port's image"),
    ],
)  # fmt: skip
def test_request_that_a_foreign_page_may_have_caused_is_refused(
    headers, authorization, fault
) -> None:
    credentials = Credentials(authorization, HTTPHeaders(headers))
    auth = InsecureNoAuth("admin")
    assert auth.recall(credentials) is None
    with pytest.raises(ForeignPage) as caught:
        auth.check_now(credentials)
    assert fault in caught.value.detail
    assert caught.value.status == 403


def test_there_are_no_issuers_and_no_counts() -> None:
    auth = InsecureNoAuth("admin")
    assert not auth.issuers
    assert not auth.status()
    assert auth.statistics() is None
