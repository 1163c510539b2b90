"""A client of KMIP over TLS that shows every byte, and a server for it."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ..kmip_items import Fields, Item, attributes, batch_item, message, name, named, structure, uid
from ..server import ServerProcess, check_log
from ..ttlv import in_binary, in_json
from .authority import Authority, Certificate

_numbers = itertools.count(1)

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
CREATE = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256))
QUERY = batch_item("Query", name("QueryFunction", "QueryOperations"))
DISCOVER = batch_item("DiscoverVersions")


def get(identifier: str) -> Item:
    return batch_item("Get", uid(identifier))


def ask(*items: Item, header: Sequence[Item] = ()) -> bytes:
    return in_binary(message(*items, header=header))


def decode(octets: bytes) -> list[Fields]:
    """The batch items of an answer."""
    tree = in_json(octets)
    assert tree["tag"] == "ResponseMessage"
    return [Fields(item) for item in tree["value"][1:]]


class Site:
    """A CA, the certificates of a server, alice and bob, and the options of a server that trusts them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", "localhost", hosts=("localhost",), usage=None)
        self.alice = self.authority.issue("alice", "alice")
        self.bob = self.authority.issue("bob", "bob")
        self.options = (
            "--kmip-port", "0", "--tls-cert-file", str(self.server.cert), "--tls-key-file",
            str(self.server.key), "--kmip-clients-ca-cert-file", str(self.authority.file),
        )  # fmt: skip

    def trust(
        self, client: Certificate | None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """A client's context, with its certificate."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if client is not None:
            context.load_cert_chain(client.cert, client.key)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


@contextlib.contextmanager
def serving_kmip(site: Site, *argv: str, **kwargs: Any) -> Iterator[ServerProcess]:
    """A server whose `kmip_port` and `data_dir` are known, and that leaves nothing bad in its log."""
    expected_error = kwargs.pop("expected_error", "")
    tls = site.trust(None)
    data_dir = site.directory / f"data-{next(_numbers)}"
    argv = (*site.options, "--data-dir", str(data_dir), *argv)
    with ServerProcess(*argv, cwd=site.directory, tls=tls, **kwargs) as server:
        server.kmip_port = find_port(server)  # type: ignore[attr-defined]
        server.data_dir = data_dir  # type: ignore[attr-defined]
        yield server
        assert server.stop() == 0
        check_log(server, expected_error=expected_error)


def find_port(server: ServerProcess) -> int:
    line = server.wait_for_line("KMIP over TLS is at")
    match = re.search(r"KMIP over TLS is at \S+:(\d+)", line)
    assert match is not None
    return int(match[1])


def named_key(
    server: ServerProcess, token: str, title: str, *rights: str, client: str | None = None
) -> str:
    """A key of the token's user, of this Name. client: whose certificate is granted the rights; by default the Name."""
    called = named(title)
    request = structure("Create", name("ObjectType", "SymmetricKey"), attributes(called, bits=256))
    made = server.client.post("/kmip_2_1", token=token, body=request)
    assert made.status == 200, made.body
    key: str = made.json()["value"][-1]["value"]
    body = {
        "unique_identifier": key,
        "user_id": f"cert:{client or title}",
        "operation_types": [*rights],
    }
    assert server.client.post("/access/grant", token=token, body=body).status == 200
    return key


class Connection:
    """``with Connection(port, context) as one:`` has shaken hands."""

    def __init__(
        self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        try:
            self.socket = context.wrap_socket(plain, server_hostname="localhost", session=session)
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def receive_octets(self) -> bytes:
        """The next answer."""
        head = self._read(8)
        return head + self._read(int.from_bytes(head[4:], "big"))

    def receive(self) -> list[Fields]:
        """The batch items of the next answer."""
        return decode(self.receive_octets())

    def exchange(self, octets: bytes) -> bytes:
        self.send(octets)
        return self.receive_octets()

    def do(self, *items: Item, header: Sequence[Item] = ()) -> list[Fields]:
        self.send(ask(*items, header=header))
        return self.receive()

    def create(self) -> str:
        [item] = self.do(CREATE)
        return str(item["ResponsePayload", "UniqueIdentifier"])

    def reason(self, *items: Item) -> str:
        """Of a message that is refused whole, or of one item that failed."""
        [item] = self.do(*items)
        assert item["ResultStatus"] == "OperationFailed"
        return str(item["ResultReason"])

    def is_closed(self) -> bool:
        """Whether the server closed it, without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def _read(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            piece = self.socket.recv(count - len(octets))
            if not piece:
                raise ConnectionResetError("the server has closed it")
            octets += piece
        return octets
