"""`kms-tornado health`: 0 where the server of the configuration answers, 1 where it does not, 2 where it cannot be asked."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.commands.health import check_health
from kms_tornado.errors import Unavailable
from kms_tornado.settings.server import Settings

from ..deploy.proxies import write_certificate
from ..issuer import Issuer
from ..rows import each_row
from ..server import (
    NO_AUTH,
    ServerProcess,
    check_refused,
    eventually,
    free_port,
    run,
    serving,
    trusting,
)

READY = ("--ready",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(*NO_AUTH, cwd=tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.mark.parametrize(("flags", "word"), [((), "alive\n"), (READY, "ready\n")])
def test_server_that_answers_is_healthy(
    server: ServerProcess, tmp_path: Path, flags: tuple[str, ...], word: str
) -> None:
    finished = run("health", *flags, *NO_AUTH, "--port", str(server.port), cwd=tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, word, "")
    assert list(tmp_path.iterdir()) == []


def test_check_reads_the_configuration_of_the_server(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "kms.toml").write_text(f"[kms]\ninsecure-no-auth = true\nport = {server.port}\n")
    assert run("health", "-c", "kms.toml", cwd=tmp_path).stdout == "alive\n"
    assert run("health", cwd=tmp_path, KMS_CONFIG="kms.toml").stdout == "alive\n"


def test_server_that_listens_on_all_addresses_is_asked_on_loopback(tmp_path: Path) -> None:
    with Issuer("ES256") as issuer:
        for hostname in ("0.0.0.0", "::"):
            everywhere = ("--hostname", hostname)
            if hostname == "::" and not _has_ipv6():
                pytest.skip("no IPv6 here")
            with ServerProcess(*trusting(issuer, *everywhere), cwd=tmp_path) as server:
                argv = trusting(issuer, *everywhere, "--port", str(server.port))
                assert run("health", *argv, cwd=tmp_path).stdout == "alive\n"


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
    return True


def test_server_without_keys_of_its_issuer_lives_and_is_not_ready(tmp_path: Path) -> None:
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, f"--jwks-uri=file://{tmp_path}/keys.json", "--jwks-cooldown=0")
        with ServerProcess(*argv, cwd=tmp_path) as server:
            port = ("--port", str(server.port))
            eventually(lambda: "keys.json" in server.log)
            assert run("health", *argv, *port, cwd=tmp_path).returncode == 0
            line = check_refused(run("health", *READY, *argv, *port, cwd=tmp_path), 1)
            assert line == f"kms-tornado: not ready: issuer {issuer.uri} is DOWN (file)"


def test_certificate_for_another_name_is_no_fault_of_the_server(tmp_path: Path) -> None:
    """It names what clients ask for, which need not be the address of the machine."""
    write_certificate(tmp_path)
    tls = (*NO_AUTH, "--tls-cert-file", "kms.crt", "--tls-key-file", "kms.key")
    trust = ssl.create_default_context(cafile=tmp_path / "kms.crt")
    with serving(*tls, cwd=tmp_path, tls=trust) as server:
        argv = (*tls, "--port", str(server.port))
        assert run("health", *argv, cwd=tmp_path).stdout == "alive\n"
        assert run("health", *READY, *argv, cwd=tmp_path).stdout == "ready\n"
        plain = run("health", *NO_AUTH, "--port", str(server.port), cwd=tmp_path)
        check_refused(plain, 1)


def test_server_that_wants_certificates_of_clients_is_asked_by_a_handshake(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    tls = (
        *(*NO_AUTH, "--tls-cert-file", "kms.crt", "--tls-key-file", "kms.key"),
        *("--clients-ca-cert-file", "kms.crt"),
    )
    with ServerProcess(*tls, cwd=tmp_path) as server:
        argv = (*tls, "--port", str(server.port))
        assert run("health", *argv, cwd=tmp_path).stdout == "alive\n"
        line = check_refused(run("health", *READY, *argv, cwd=tmp_path), 2)
        assert "--clients-ca-cert-file (flag): " in line
    check_refused(run("health", *argv, cwd=tmp_path), 1)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((*NO_AUTH, "--port", "0"), "--port (flag): 0 picks any port"),
        ((*NO_AUTH, "--raedy"), "--raedy (flag): unknown option"),
        ((*NO_AUTH, "-c", "absent.toml"), "absent.toml"),
    ],
)
def test_server_that_cannot_be_asked_is_a_mistake_in_the_configuration(
    tmp_path: Path, argv: tuple[str, ...], words: str
) -> None:
    assert words in check_refused(run("health", *argv, cwd=tmp_path), 2)


def test_nothing_that_listens_is_unhealthy(tmp_path: Path) -> None:
    port = free_port()
    line = check_refused(run("health", *NO_AUTH, "--port", str(port), cwd=tmp_path), 1)
    reason = f"the server at http://127.0.0.1:{port} does not answer: Connection refused"
    assert line == f"kms-tornado: {reason}"


def test_server_that_hangs_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(insecure_no_auth=True, port=silent.getsockname()[1])
        with pytest.raises(Unavailable, match="does not answer: timeout"):
            check_health(settings, is_ready_wanted=False, timeout_s=0.2)


@each_row(
    ("status", "body"),
    [
        pytest.param(200, b"<html>", id="a page"),
        pytest.param(200, b"\xff\xfe", id="no text"),
        pytest.param(200, b"[]", id="a list"),
        pytest.param(200, b'{"status": "starting"}', id="another state"),
        pytest.param(404, b'{"status": "UP"}', id="another status"),
        pytest.param(503, b'{"state": "DOWN", "checks": []}', id="other checks"),
        pytest.param(200, b'{"state": 1, "checks": {"a": 1}}', id="other types"),
    ],
)
@each_row("is_ready_wanted", [False, True])
def test_another_program_on_the_port_is_unhealthy(
    status: int, body: bytes, is_ready_wanted: bool
) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        settings = Settings(insecure_no_auth=True, port=other.server_address[1])
        with pytest.raises(Unavailable):
            check_health(settings, is_ready_wanted=is_ready_wanted, timeout_s=30)


def test_proxy_of_the_environment_is_not_asked(server: ServerProcess, tmp_path: Path) -> None:
    proxies = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    finished = run("health", *NO_AUTH, "--port", str(server.port), cwd=tmp_path, **proxies)
    assert finished.stdout == "alive\n"
