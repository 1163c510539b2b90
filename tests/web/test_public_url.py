"""The URL that the server names to clients: never one that somebody else chose."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import subprocess
from contextlib import closing
from types import SimpleNamespace

import pytest
from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.errors import ConfigurationError
from kms_tornado.public_urls import parse_public_url
from kms_tornado.web.public_url import PublicURL
from kms_tornado.web.server_context import METADATA_PATH

from ..issuer import write_tls_files
from ..keys import certificate, private_key, private_pem
from ..rows import each_row
from ..server import NO_AUTH, check_refused, eventually, free_port, run, serving, trusting
from ..support import Client, running


@each_row(
    ("text", "url"),
    [
        ("https://kms.example.com", "https://kms.example.com"),
        (" HTTPS://Kms.Example.com/ ", "https://kms.example.com"),
        ("https://kms.example.com:8443/a/B//", "https://kms.example.com:8443/a/B"),
        ("http://[::1]:9998", "http://[::1]:9998"),
        ("https://kms_1/~kms", "https://kms_1/~kms"),
    ],
)
def test_public_url_is_scheme_host_port_and_path(text, url):
    assert parse_public_url(text) == url


@each_row(
    "text",
    [
        "", "kms.example.com", "ftp://kms.example.com", "https://", "https:///a", "https://kms:0", "https://kms:",
        "https://kms:99999", "https://user@kms", "https://u:hunter2@kms", "https://kms?x", "https://kms/#", "https://kms//a",
        "https://kms/../a", "https://kms/a b", 'https://kms/"a', "https://kms/a\\b", "https://[x]", "https://k\u00e4se",
        "https://a,b", "https://kms/<a>",
    ],
)  # fmt: skip
def test_what_clients_could_not_use_is_no_public_url(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_public_url(text)
    assert str(caught.value).isprintable()
    assert "hunter2" not in str(caught.value)


def test_start_with_what_is_no_url_ends_with_one_line(tmp_path):
    line = check_refused(run(*NO_AUTH, "--public-url", "kms.example.com", cwd=tmp_path), 2)
    assert line.startswith(
        "kms-tornado: --public-url (flag): 'kms.example.com': write it as https://"
    )


def urls(client, host, **headers):
    """(resource of the metadata, resource_metadata of a challenge) for a request to the host."""
    fields = {"Host": host, **headers}
    resource = client.get(METADATA_PATH, headers=fields).json()["resource"]
    challenge = client.get("/whoami", headers=fields).headers["WWW-Authenticate"]
    return resource, re.search('resource_metadata="([^"]*)"', challenge)[1]


@pytest.fixture(scope="module", params=["127.0.0.1", "0.0.0.0"])
def server(request, issuer, tmp_path_factory):
    argv = trusting(issuer, "--hostname", request.param, "--trusted-proxies", "10.0.0.1")
    with serving(*argv, cwd=tmp_path_factory.mktemp("named")) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}"])
def test_host_that_is_listened_for_is_the_one_that_is_named(server, host):
    host = host.format(server.port)
    base = f"http://{host.lower()}"
    assert urls(server.client, host) == (base, base + METADATA_PATH)


FOREIGN = [
    "evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "localhost", "127.0.0.1.evil.example:{}", "[::2]:{}",
    "localhost.:{}", "0.0.0.0:{}", "10.0.0.1:{}", "127.0.0.1:0{}", "kms_1:{}", "localhost.evil.example:{}",
]  # fmt: skip


@each_row("host", FOREIGN)
def test_foreign_host_is_never_repeated(server, host):
    base = f"http://127.0.0.1:{server.port}"
    assert urls(server.client, host.format(server.port)) == (base, base + METADATA_PATH)


def test_forwarded_host_is_never_repeated(server):
    base = f"http://127.0.0.1:{server.port}"
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Proto": "https"}  # fmt: skip
    assert urls(server.client, "evil.example", **headers) == (base, base + METADATA_PATH)


def test_public_url_is_named_whatever_was_asked(issuer, tmp_path):
    argv = trusting(issuer, "--public-url", "https://kms.example.com/keys/")
    with serving(*argv, cwd=tmp_path) as server:
        for host in ("evil.example", f"127.0.0.1:{server.port}", "kms.example.com"):
            assert urls(server.client, host) == (
                "https://kms.example.com/keys",
                f"https://kms.example.com{METADATA_PATH}/keys",
            )
        assert server.client.get(f"{METADATA_PATH}/keys").status == 200
        assert server.client.get(f"{METADATA_PATH}/other").status == 404


def test_name_by_a_wildcard_of_the_certificate_is_none_for_which_a_proof_is_good():
    url = PublicURL("", "kms.example.com", frozenset({"*.example.com", "other.example.net"}))
    stream = SimpleNamespace(socket=SimpleNamespace(getsockname=lambda: ("10.0.0.7", 9998)))
    for host, named, proven in [
        ("other.example.net", True, True),
        ("kms.example.com", True, True),
        ("evil.example.com", True, False),
        ("evil.example.net", False, False),
    ]:
        request = SimpleNamespace(
            protocol="https", host=f"{host}:9998", connection=SimpleNamespace(stream=stream)
        )
        own, asked = "https://kms.example.com:9998", f"https://{host}:9998"
        assert url.find_base(request) == (asked if named else own)
        assert url.find_proven_base(request) == (asked if proven else own)


def test_metadata_offer_no_proofs_where_none_can_be_good(issuer, tmp_path):
    key = private_key("ES256", "wildcard")
    pem = certificate(key, names=("localhost", "kms.example", "*.example"))
    write_tls_files(tmp_path, pem, private_pem(key))
    argv = trusting(issuer, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem")
    with serving(*argv, cwd=tmp_path) as server:
        context = ssl.create_default_context(cadata=pem.decode())
        for name, is_offered in (("kms.example", True), ("other.example", False)):
            connection = http.client.HTTPSConnection("localhost", server.port, context=context)
            with closing(connection):
                connection.request("GET", METADATA_PATH, headers={"Host": f"{name}:{server.port}"})
                document = json.load(connection.getresponse())
            assert document["resource"] == f"https://{name}:{server.port}"
            assert ("dpop_signing_alg_values_supported" in document) == is_offered


NGINX = """
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    server {{
        listen 127.0.0.1:{port};
        location /keys/ {{ proxy_pass http://127.0.0.1:{kms}/; }}
        location = /.well-known/oauth-protected-resource/keys {{ proxy_pass http://127.0.0.1:{kms}; }}
    }}
}}
"""


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_metadata_is_where_the_challenge_says_behind_a_proxy_with_a_prefix(issuer, tmp_path):
    port = free_port()
    base = f"http://127.0.0.1:{port}/keys"
    with serving(*trusting(issuer, "--public-url", base), cwd=tmp_path) as server:
        file = tmp_path / "nginx.conf"
        file.write_text(NGINX.format(dir=tmp_path, port=port, kms=server.port))
        nginx = subprocess.Popen(["nginx", "-c", str(file), "-e", str(tmp_path / "error.log")])
        try:
            client = Client(port)
            eventually(lambda: _is_up(client))
            answer = client.get("/keys/whoami")
            assert answer.status == 401
            url = re.search('resource_metadata="([^"]*)"', answer.headers["WWW-Authenticate"])[1]
            assert url.startswith(f"http://127.0.0.1:{port}/")
            document = client.get(url.removeprefix(f"http://127.0.0.1:{port}")).json()
            assert document["resource"] == base
            assert client.get("/keys/whoami", token=issuer.token(aud="kms")).status == 200
        finally:
            nginx.terminate()
            nginx.wait(10)


def _is_up(client):
    try:
        return client.get("/keys/health").status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    ("public_url", "host", "resource"),
    [
        (None, "evil.example", "http://127.0.0.1:{}/kms"),
        (None, "127.0.0.1:{}", "http://127.0.0.1:{}/kms"),
        ("https://app.example.com/", "evil.example", "https://app.example.com/kms"),
        ("https://app.example.com/base", "evil.example", "https://app.example.com/base/kms"),
    ],
)
def test_mounted_server_names_the_applications_url_with_its_prefix(
    tmp_path, public_url, host, resource
):
    auth = InsecureNoAuth("admin")
    kms = handlers("/kms", data_dir=tmp_path, auth=auth, public_url=public_url)
    with running(lambda: Application(kms), kms) as client:
        paths = [f"{METADATA_PATH}/kms"] + [f"{METADATA_PATH}/base/kms"] * ("base" in resource)
        for path in paths:
            answer = client.get(path, headers={"Host": host.format(client.port)})
            assert answer.json()["resource"] == resource.format(client.port)


def test_mounted_server_refuses_what_is_no_url():
    with pytest.raises(ConfigurationError, match=r"^public_url: "):
        handlers(public_url="app.example.com")
