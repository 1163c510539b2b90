"""Our server as benches start it, on a core of its own, and requests for it that are ready to be sent."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import certificates
from tests.bench.load import (
    Connection,
    Measurement,
    count_sockets,
    list_children,
    measure,
)
from tests.issuer import Issuer
from tests.kmip_items import (
    Item,
    attributes,
    batch_item,
    message,
    name,
    number,
    octets,
    structure,
    text,
    uid,
)
from tests.server import ServerProcess, frozen, trusting

DATA = bytes(range(256)) * 4
POOL = 100  # keys that get, encrypt and decrypt go round
TOGETHER = 100  # operations of a message
CONNECTIONS = 16
#: Where `echo_server` answers a constant.
ECHO_PATH = "/kmip/2_1"
#: Gives the next request.
Operation = Callable[[], bytes]


@dataclass
class Ours:
    """Our server, and requests for it ready to be sent."""

    port: int
    pid: int
    token: str
    tls: ssl.SSLContext
    keys: list[str] = field(default_factory=list)

    def request(self, item: dict[str, Any], path: str = "/kmip_2_1") -> bytes:
        body = json.dumps(item).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def connect(self, connections: int) -> list[Connection]:
        return [Connection(self.port, self.tls) for _ in range(connections)]

    def connect_evenly(self, connections: int) -> list[Connection]:
        """As many of each worker, where there are workers; says how many each has got.

        They share one listening socket, and on one core the same one often takes all. So the others are stopped meanwhile.
        """
        workers = list_children(self.pid)
        if not workers:
            return self.connect(connections)
        made: list[Connection] = []
        taken = []
        for place, worker in enumerate(workers):
            before = count_sockets(worker)
            with frozen([other for other in workers if other != worker]):
                made += self.connect(len(range(place, connections, len(workers))))
            taken.append(count_sockets(worker) - before)
        print(f"connections of {len(workers)} workers:", *taken)
        return made

    def ask(self, item: dict[str, Any]) -> dict[str, Any]:
        """{tag: value} of the answer's children."""
        connection = self.connect(1)[0]
        with contextlib.closing(connection.socket):
            answer = json.loads(connection.ask(self.request(item)))
        return {child["tag"]: child["value"] for child in answer["value"]}

    def in_turn(self, items: Sequence[dict[str, Any]], path: str = "/kmip_2_1") -> Operation:
        ready = itertools.cycle([self.request(item, path) for item in items])
        return lambda: next(ready)

    @contextlib.contextmanager
    def sides(
        self, operations: Mapping[str, Operation], seconds: float, connections: int = CONNECTIONS
    ) -> Iterator[dict[str, Callable[[], Measurement]]]:
        """What measures a round of each operation, on connections that are kept."""
        open_ = self.connect_evenly(connections)

        def side(operation: Operation) -> Callable[[], Measurement]:
            return lambda: measure(open_, operation, pid=self.pid, seconds=seconds)

        try:
            yield {name: side(operation) for name, operation in operations.items()}
        finally:
            close(open_)

    def make_keys(self) -> list[str]:
        self.keys = [self.ask(CREATE)["UniqueIdentifier"] for _ in range(POOL)]
        return self.keys

    def sign(self) -> dict[str, Any]:
        pair = self.ask(create_pair(2048))
        return structure(
            "Sign",
            uid(pair["PrivateKeyUniqueIdentifier"]),
            structure(
                "CryptographicParameters",
                name("PaddingMethod", "PSS"),
                name("HashingAlgorithm", "SHA256"),
                name("CryptographicAlgorithm", "RSA"),
            ),
            octets("Data", DATA),
        )

    def populate(self, target: int, have: int) -> None:
        """Create keys by batches of 100, until `target` are there."""
        item = batch_item("Create", *CREATE["value"])
        request = self.request(message(*[item] * 100))
        connections = self.connect(4)
        rounds = (target - have) // 100
        sent = 0
        while sent < rounds:
            group = connections[: rounds - sent]
            for connection in group:
                connection.send(request)
            for connection in group:
                while (body := connection.answer()) is None:
                    time.sleep(0.001)
                assert body.count(b'"Success"') == 100, body[:500]
            sent += len(group)
        close(connections)


CREATE = structure("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256, mask=0x0C))


LOCATE_NAME = structure(
    "Locate",
    structure(
        "Attributes", structure("Name", text("NameValue", "no such name"), name("NameType", 1))
    ),
)


def encrypt(key: str) -> dict[str, Any]:
    return structure("Encrypt", uid(key), octets("Data", DATA))


def decrypt(key: str, sealed: dict[str, Any]) -> dict[str, Any]:
    fields = ("Data", "IvCounterNonce", "AuthenticatedEncryptionTag")
    ciphertext = [octets(tag, bytes.fromhex(sealed[tag])) for tag in fields]
    return structure("Decrypt", uid(key), *ciphertext)


def create_pair(bits: int) -> dict[str, Any]:
    return structure(
        "CreateKeyPair",
        structure(
            "CommonAttributes",
            name("CryptographicAlgorithm", "RSA"),
            number("CryptographicLength", bits),
        ),
        structure("PrivateKeyAttributes", number("CryptographicUsageMask", 1)),
        structure("PublicKeyAttributes", number("CryptographicUsageMask", 2)),
    )


def operations_of(ours: Ours) -> dict[str, Operation]:
    """What is measured, on keys that are made for it. Those that begin with "echo" need `echo_server`."""
    keys = ours.make_keys()
    gets: list[Item] = [structure("Get", uid(key)) for key in keys]
    encrypts: list[Item] = [encrypt(key) for key in keys]
    sealed = [ours.ask(item) for item in encrypts]
    decrypts = [decrypt(key, made) for key, made in zip(keys, sealed, strict=True)]
    get = ours.in_turn(gets)
    return {
        "create": ours.in_turn([CREATE]),
        "get": get,
        "get again": get,
        "encrypt": ours.in_turn(encrypts),
        "decrypt": ours.in_turn(decrypts),
        "sign": ours.in_turn([ours.sign()]),
        "locate": ours.in_turn([LOCATE_NAME]),
        "batch get": ours.in_turn([_together(gets[:TOGETHER])]),
        "batch encrypt": ours.in_turn([_together(encrypts[:TOGETHER])]),
        "batch create": ours.in_turn([_together([CREATE] * TOGETHER)]),
        "echo get": ours.in_turn(gets, ECHO_PATH),
        "echo encrypt": ours.in_turn(encrypts, ECHO_PATH),
    }


def _together(items: Sequence[Item]) -> Item:
    return message(*(batch_item(item["tag"], *item["value"]) for item in items))


def close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.socket.close()


@contextlib.contextmanager
def cores_apart() -> Iterator[tuple[Issuer, certificates.TLSFiles, int]]:
    """An issuer, certificates, and the core for servers: this process, with the clients, moves to the last one."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory, Issuer("RS256") as issuer:
        os.sched_setaffinity(0, {cores[-1]})
        yield issuer, certificates.make(Path(directory)), cores[0]


@contextlib.contextmanager
def our_server(
    issuer: Issuer,
    files: certificates.TLSFiles,
    directory: Path,
    core: int | str,
    *more: str,
    program: str | None = None,
    tree: Path | None = None,
    user: str = "alice",
) -> Iterator[Ours]:
    """core: as taskset has it. program: the module that runs the server, for one that is changed; it gets the command line behind its own.

    tree: the checkout whose server it is, if not this one. user: whose token the requests have.
    """
    directory.mkdir(exist_ok=True)
    context = ssl.create_default_context(cafile=str(files.ca))
    argv = trusting(
        issuer,
        *("--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key)),
        *("--data-dir", str(directory), "--log-level", "info"),
        *more,
    )
    wrapper = ["taskset", "--cpu-list", str(core)]
    if program is not None:
        wrapper += [sys.executable, "-m", program]
    env = {} if tree is None else {"PYTHONPATH": str(tree)}
    with ServerProcess(*argv, cwd=directory, tls=context, wrapper=wrapper, env=env) as server:
        token = issuer.token(sub=user, aud="kms", exp=int(time.time()) + 36_000)
        yield Ours(server.port, server.process.pid, token, context)
