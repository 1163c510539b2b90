"""What stands before a server in production: ends TLS, demands client certificates, sees every header."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Front(ThreadingHTTPServer):
    """requests: the headers of each, and the common name of the client's certificate."""

    daemon_threads = True

    def __init__(self, target_port: int, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.target_port = target_port
        self.requests: list[tuple[Message, str | None]] = []
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port: int = self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A handshake that fails is what a test wants, and no reason for a traceback."""


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def forward(self) -> None:
        certificate = self.connection.getpeercert()  # type: ignore[attr-defined]
        names = dict(pair for parts in (certificate or {}).get("subject", ()) for pair in parts)
        self.server.requests.append((self.headers, names.get("commonName")))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = http.client.HTTPConnection("127.0.0.1", self.server.target_port, timeout=30)
        target.request(self.command, self.path, body or None, dict(self.headers))
        answer = target.getresponse()
        content = answer.read()
        target.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.forward()

    def do_POST(self) -> None:
        self.forward()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def fronting(target_port: int, context: ssl.SSLContext) -> Iterator[Front]:
    """A Front that runs until the end of the block."""
    front = Front(target_port, context)
    thread = threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.shutdown()
        front.server_close()
        thread.join()
