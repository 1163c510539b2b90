"""nginx and HAProxy, started with the files of conf/ in which names and places are replaced."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any, Self

import pytest

from ..keys import certificate, private_key, private_pem
from ..server import ROOT, eventually, free_port

HOST = "kms.example.com"


def program(name: str) -> str:
    """Its path; skips where it is not installed, and for others than root, as the files name users."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def replace(text: str, changes: Mapping[str, str]) -> str:
    """Each of the names has to be there, or the file and the test have grown apart."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Proxy:
    """``with`` runs the command until the end. port: where it listens. log: all that it logged."""

    def __init__(self, command: Sequence[str], directory: Path, port: int, log_file: Path) -> None:
        self._command = command
        self._directory = directory
        self._log_file = log_file
        self.port = port

    @property
    def log(self) -> str:
        return self._log_file.read_text()

    def __enter__(self) -> Self:
        with (self._directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._directory, stdout=output, stderr=output
            )
        eventually(self._listens, timeout_s=30)
        return self

    def _listens(self) -> bool:
        assert self._process.poll() is None, (self._directory / "output").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()


def write_certificate(directory: Path) -> Path:
    """kms.crt, kms.key, and kms.pem with both; the path of the certificate, which is its own authority."""
    key = private_key("ES256", "proxy tls")
    pem = certificate(key, names=(HOST, "localhost"))
    (directory / "kms.crt").write_bytes(pem)
    (directory / "kms.key").write_bytes(private_pem(key))
    (directory / "kms.pem").write_bytes(pem + private_pem(key))
    return directory / "kms.crt"


def nginx(
    directory: Path,
    servers: Sequence[int],
    file: str = "nginx.conf",
    *,
    clients_ca: Path | None = None,
) -> Proxy:
    """clients_ca: the CA whose certificates clients may show."""
    port = free_port()
    changes = {
        "user www-data;": "user root;" if os.geteuid() == 0 else "",
        "pid /run/nginx.pid;": f"pid {directory}/nginx.pid; daemon off;",
        "/var/log/nginx/": f"{directory}/",
        "listen 443": f"listen 127.0.0.1:{port}",
        "10.0.0.11:9998": f"127.0.0.1:{servers[0]}",
        "10.0.0.12:9998": f"127.0.0.1:{servers[-1]}",
        "fail_timeout=5s": "fail_timeout=1s",  # tests wait for it
    }
    if file == "nginx.conf":
        if clients_ca is not None:
            own = "/etc/nginx/tls/clients-ca.pem"
            changes[f"#ssl_client_certificate {own}"] = f"ssl_client_certificate {clients_ca}"
            changes["#ssl_verify_client"] = "ssl_verify_client"
        changes["/etc/nginx/tls/"] = f"{directory}/"
    text = replace((ROOT / "conf" / file).read_text(), changes)
    (directory / "proxy.conf").write_text(text)
    command = [program("nginx"), "-p", str(directory), "-c", str(directory / "proxy.conf")]
    return Proxy(
        [*command, "-e", str(directory / "error.log")], directory, port, directory / "kms.log"
    )


def haproxy(
    directory: Path,
    servers: Sequence[int],
    *,
    passthrough: Sequence[int] = (),
    clients_ca: Path | None = None,
) -> Proxy:
    """passthrough: servers that end TLS themselves; the port is then that of the other way in.

    clients_ca: the CA whose certificates clients may show.
    """
    ports = free_port(), free_port()
    changes = {
        "user haproxy\n    group haproxy\n": "\n",
        "log /dev/log local0": "log stdout format raw local0",
        "bind :443 ": f"bind 127.0.0.1:{ports[0]} ",
        "bind :8443": f"bind 127.0.0.1:{ports[1]}",
        **(
            {}
            if clients_ca is None
            else {"kms.pem\n": f"kms.pem ca-file {clients_ca} verify optional\n"}
        ),
        "/etc/haproxy/tls/": f"{directory}/",
        " inter 2s fastinter 500ms ": " inter 500ms fastinter 200ms ",  # tests wait for them
    }
    text = replace((ROOT / "conf/haproxy.cfg").read_text(), changes)
    first, second = text.split("# --- TLS passes through")
    parts = [
        replace(
            part,
            {"10.0.0.11:9998": f"127.0.0.1:{one[0]}", "10.0.0.12:9998": f"127.0.0.1:{one[-1]}"},
        )
        for part, one in ((first, servers or [free_port()]), (second, passthrough or [free_port()]))
    ]
    for name, source in (("kms-ca.pem", "kms.crt"), ("check.pem", "kms.pem")):
        if not (directory / name).exists():
            shutil.copy(directory / source, directory / name)
    (directory / "proxy.cfg").write_text("# --- TLS passes through".join(parts))
    command = [program("haproxy"), "-db", "-f", str(directory / "proxy.cfg")]
    port = ports[1] if passthrough else ports[0]
    return Proxy(command, directory, port, directory / "output")


class Echo:
    """A server that keeps what it was sent. requests: (method, path, headers). connections: how many."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Message]] = []
        self.connections = 0
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.counted = False

            def do_GET(self) -> None:
                if self.path != "/ready":
                    echo.requests.append((self.command, self.path, self.headers))
                    if not self.counted:
                        echo.connections += 1
                    self.counted = True
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """HAProxy ends its checks by a reset."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
