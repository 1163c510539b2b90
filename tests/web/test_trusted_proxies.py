"""Where a request comes from: the word of trusted proxies, and of nobody else."""

from __future__ import annotations

import contextlib
import json

import pytest
from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.errors import ConfigurationError
from kms_tornado.networks import parse_networks
from kms_tornado.web.access_log import log_handled_request
from kms_tornado.web.trusted_proxies import TrustedProxies

from ..rows import each_row
from ..server import NO_AUTH, check_refused, node, run, serving
from ..support import running

OURS = TrustedProxies(parse_networks(["10.0.0.0/8", "fd00::/8", "192.0.2.1"], "x"))


@each_row(
    ("address", "trusted"),
    [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("fd00::1", True),
        ("fd00::1%eth0", True),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("11.0.0.1", False),
        ("::10.0.0.1", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("/run/kms.sock", False),
        ("", False),
    ],
)
def test_proxy_is_trusted_by_the_address_of_its_connection(address, trusted):
    assert OURS.is_trusted(address) is trusted
    assert OURS.is_trusted(address) is trusted  # remembered
    assert not TrustedProxies().is_trusted(address)


def test_peers_that_are_remembered_are_bounded():
    proxies = TrustedProxies(parse_networks(["10.0.0.0/8"], "x"))
    for number in range(5000):
        assert not proxies.is_trusted(f"203.0.{number // 250}.{number % 250}")
    assert len(proxies._remembered) <= 1024
    assert proxies.is_trusted("10.1.2.3")


@each_row(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("203.0.113.9", ["1.1.1.1"], "203.0.113.9", id="a stranger's word"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", ["1.1.1.1"], "1.1.1.1", id="a proxy's word"),
        pytest.param("10.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1", id="what its client said before"),
        pytest.param("10.0.0.1", ["6.6.6.6, 1.1.1.1, 10.9.9.9"], "1.1.1.1", id="two proxies"),
        pytest.param("10.0.0.1", ["6.6.6.6", "1.1.1.1", "fd00::9"], "1.1.1.1", id="three headers"),
        pytest.param("10.0.0.1", ["6.6.6.6, 1.1.1.1", ""], "10.0.0.1", id="an empty last one"),
        pytest.param("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3", id="proxies only"),
        pytest.param("10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1", id="an unknown client"),
        pytest.param("10.0.0.1", ["1.1.1.1, nonsense, 10.0.0.2"], "10.0.0.2", id="nonsense"),
        pytest.param("10.0.0.1", ["1.1.1.1:4711"], "1.1.1.1", id="a port"),
        pytest.param("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7", id="IPv6 with a port"),
        pytest.param("::ffff:10.0.0.1", ["::ffff:1.1.1.1"], "1.1.1.1", id="mapped"),
        pytest.param("::ffff:203.0.113.9", ["1.1.1.1"], "203.0.113.9", id="a mapped stranger"),
        pytest.param("fd00::1%eth0", ["1.1.1.1"], "1.1.1.1", id="a link-local proxy"),
        pytest.param("10.0.0.1", ["1.1.1.1" + ", 10.0.0.2" * 9000], "10.0.0.2", id="a long list"),
    ],
)
def test_client_is_the_rightmost_address_that_is_no_trusted_proxys(peer, forwarded_for, client):
    assert OURS.find_client(peer, forwarded_for) == client


# --- the whole server ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["127.0.0.1", "10.0.0.0/8"], ids=["trusted", "stranger"])
def server(request, tmp_path_factory):
    """Seen from its tests, which connect from 127.0.0.1, a server behind a proxy, or one that is not."""
    argv = (*NO_AUTH, "--log-format", "json", "--trusted-proxies", request.param)
    with serving(*argv, cwd=tmp_path_factory.mktemp("proxied")) as server:
        server.is_behind_proxy = request.param == "127.0.0.1"
        yield server


def logged(server, method, path, **headers):
    """The access log's entry of a request with these headers."""
    mark = len(server.output["stderr"])
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    body = node("Query") if method == "POST" else None
    if body is not None:
        fields["Content-Type"] = "application/json"
    server.client.request(method, path, headers=fields, body=body)
    return json.loads(server.wait_for_line(f"{method} {path} ", after=mark))


WAYS = pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/kmip_2_1"), ("GET", "/health"), ("GET", "/nothing")],
    ids=["fast lane", "long way", "404"],
)


@WAYS
def test_log_has_the_address_that_a_trusted_proxy_names(server, method, path):
    entry = logged(server, method, path, X_Forwarded_For="6.6.6.6, 203.0.113.9")
    assert entry["remote_ip"] == ("203.0.113.9" if server.is_behind_proxy else "127.0.0.1")


@WAYS
def test_address_of_one_request_is_not_that_of_the_next_on_the_connection(server, method, path):
    mark = len(server.output["stderr"])
    with contextlib.closing(server.client.connection()) as connection:
        for headers in ({"X-Forwarded-For": "203.0.113.9"}, {}):
            fields = {**headers, "Content-Type": "application/json"}
            body = json.dumps(node("Query")) if method == "POST" else None
            connection.request(method, path, body=body, headers=fields)
            connection.getresponse().read()
    wait = [f"{method} {path} 203.0.113.9"] if server.is_behind_proxy else []
    for pattern in (*wait, f"{method} {path} 127.0.0.1"):
        server.wait_for_line(pattern, after=mark)


def test_malformed_request_is_logged_with_the_address_of_its_own_connection(server):
    mark = len(server.output["stderr"])
    first = b"GET /health HTTP/1.1\r\nHost: k\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    server.client.raw(first + b"nonsense\r\n\r\n")
    assert "Malformed HTTP message from 127.0.0.1" in server.wait_for_line("Malformed", after=mark)


@each_row(
    ("said", "scheme"),
    [("https", "https"), ("http", "http"), ("http, https", "https"), ("HTTPS", "https"),
     ("ftp", "http"), ("https://evil/", "http"), ("", "http"), ("https,", "http")],
)  # fmt: skip
def test_protocol_is_what_a_trusted_proxy_says_where_it_is_one(server, said, scheme):
    path = "/.well-known/oauth-protected-resource"
    resource = server.client.get(path, headers={"X-Forwarded-Proto": said}).json()["resource"]
    assert resource.partition(":")[0] == (scheme if server.is_behind_proxy else "http")


@pytest.mark.parametrize("value", ["nonsense", "10.0.0.0/99", "10.0.0.1/8"])
def test_network_that_is_none_ends_the_start_with_one_line(tmp_path, value):
    line = check_refused(run(*NO_AUTH, "--trusted-proxies", value, cwd=tmp_path), 2)
    assert line.startswith(f"kms-tornado: --trusted-proxies (flag): {value!r} is ")


@pytest.mark.parametrize(
    ("trusted", "address"),
    [(["127.0.0.0/8"], "203.0.113.9"), (["10.0.0.0/8"], "127.0.0.1"), ([], "127.0.0.1")],
    ids=["trusted", "stranger", "nobody"],
)
def test_mounted_server_believes_the_proxies_that_it_is_told_of(tmp_path, caplog, trusted, address):
    kms = handlers(data_dir=tmp_path, trusted_proxies=trusted, auth=InsecureNoAuth("admin"))
    with running(lambda: Application(kms, log_function=log_handled_request), kms) as client:
        caplog.set_level("INFO", "kms_tornado.access")
        client.get("/health", headers={"X-Forwarded-For": "203.0.113.9"})
    [record] = [record for record in caplog.records if record.name == "kms_tornado.access"]
    assert record.fields["remote_ip"] == address


def test_mounted_server_refuses_a_network_that_is_none():
    with pytest.raises(ConfigurationError, match=r"^trusted_proxies: 'nonsense' is no network"):
        handlers(trusted_proxies=["nonsense"])
