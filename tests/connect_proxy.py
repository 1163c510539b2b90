"""A real CONNECT proxy on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading


class ConnectProxy:
    """Takes CONNECT for any host, and leads to one port of loopback; for the host `silent` it answers nothing."""

    def __init__(self, target_port: int, silent: str = "") -> None:
        self.target_port = target_port
        self.silent = silent
        self.asked = threading.Semaphore(0)
        self.waiting: list[socket.socket] = []
        self.heads: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(4096)
            if not received:
                client.close()
                return
            head += received
        self.heads.append(head.decode())
        self.asked.release()
        if self.silent and self.silent in self.heads[-1]:
            self.waiting.append(client)
            return
        target = socket.create_connection(("127.0.0.1", self.target_port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, sink in ((client, target), (target, client)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        for sock in (self._socket, *self.waiting):
            sock.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
