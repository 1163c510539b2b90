"""The page over HTTP: its headers, its caching, and where it is not served."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.web.ui.handlers import accepts_gzip
from kms_tornado.web.ui.page_files import load_files

from ...rows import each_row
from ...server import NO_AUTH, ServerProcess, serving
from ...support import Client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(*NO_AUTH, "--ui", cwd=tmp_path_factory.mktemp("ui")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Client:
    return server.client


def policy_of(client: Client) -> dict[str, str]:
    text = client.get("/ui/").headers["Content-Security-Policy"]
    return dict(part.split(" ", 1) for part in text.split("; "))


def test_page_lets_in_nothing_but_its_own_files(client: Client) -> None:
    policy = policy_of(client)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
    assert policy["style-src"] == policy["img-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in "".join(policy.values())


def test_page_is_in_nobody_s_frame_and_tells_nobody_where_it_was(client: Client) -> None:
    headers = client.get("/ui/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_page_is_asked_for_each_time_and_answered_304(client: Client) -> None:
    first = client.get("/ui/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/ui/", headers={"If-None-Match": first.headers["Etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


def test_files_of_a_version_are_kept_for_ever(client: Client) -> None:
    files = load_files()
    for path, file in files.files.items():
        answer = client.get(f"/ui/static/{files.digest}/{path}")
        assert (answer.status, answer.body) == (200, file.body), path
        assert answer.headers["Content-Type"] == file.media_type
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_files_are_compressed_for_those_who_ask(client: Client) -> None:
    path = f"/ui/static/{load_files().digest}/style.css"
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Etag"] != plain.headers["Etag"]
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert (refused.body, refused.headers["Etag"]) == (plain.body, plain.headers["Etag"])
    assert "Content-Encoding" not in refused.headers


@each_row(
    ("header", "is_packed"),
    [
        ("", False),
        ("br", False),
        ("gzip", True),
        ("br;q=1.0, GZIP ; Q=0.5", True),
        ("gzip;q=0.001", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("identity;q=0, gzip;level=9", False),
        ("not-gzip", False),
        ("gzip;q=a", False),
    ],
)
def test_files_are_compressed_as_weights_say(header: str, is_packed: bool) -> None:
    assert accepts_gzip(header) is is_packed


@each_row(
    "path",
    [
        "/ui/static/0000000000000000/main.js",
        "/ui/static/{digest}/missing.js",
        "/ui/static/{digest}/../files.py",
        "/ui/static/{digest}/..%2Ffiles.py",
        "/ui/static/{digest}/%2Fetc%2Fpasswd",
        "/ui/static/{digest}/views",
        "/ui/shell.html",
    ],
)
def test_nothing_else_is_a_file_of_the_page(client: Client, path: str) -> None:
    assert client.get(path.format(digest=load_files().digest)).status == 404


def test_path_without_its_slash_leads_to_the_page(client: Client) -> None:
    answer = client.get("/ui")
    assert (answer.status, answer.headers["Location"]) == (308, "ui/")


def test_address_of_the_server_leads_to_the_page(client: Client) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, "/")
        assert (answer.status, answer.headers["Location"], answer.body) == (303, "ui/", b"")


def test_other_methods_are_refused(client: Client) -> None:
    assert client.post("/").status == 405
    assert client.post("/ui/").status == 405
    assert client.request("HEAD", "/ui/").status == 200


def test_without_the_option_there_is_no_page(tmp_path: Path) -> None:
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert server.client.get("/").status == 404
        assert server.client.get("/ui").status == 404
        assert server.client.get("/ui/").status == 404
        assert server.client.get("/ui/sign-in.json").status == 404
