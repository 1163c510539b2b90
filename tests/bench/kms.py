"""The key service beside PyKMIP 0.11.0 (its own server, its own client), TLS on both sides.

``python -m tests.bench.kms [--quick] [--database-url URL]``. The server has one core to itself, the
client the other. Each pair of rounds runs one right after the other; a ratio is the median over the
pairs, by wall clock and by the CPU time of the server's processes. PyKMIP is left out where it is
not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import certificates, pykmip_peer
from tests.bench.load import Connection, Measurement, measure, resident_mib
from tests.issuer import Issuer
from tests.kms import attributes, batch_item, message, name, number, octets, structure, text, uid
from tests.server import ServerProcess, trusting

DATA = bytes(range(256)) * 4
POOL = 100  # keys that get, encrypt and decrypt go round
FEW, MANY = 100, 100_000
Operation = Callable[[], bytes]


# --- our side -----------------------------------------------------------------------------------


@dataclass
class Ours:
    """Our server, and requests for it ready to be sent."""

    port: int
    pid: int
    token: str
    tls: ssl.SSLContext
    keys: list[str] = field(default_factory=list)

    def request(self, item: dict[str, Any]) -> bytes:
        body = json.dumps(item).encode()
        head = (
            "POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def connect(self, connections: int) -> list[Connection]:
        return [Connection(self.port, self.tls) for _ in range(connections)]

    def ask(self, item: dict[str, Any]) -> dict[str, Any]:
        """{tag: value} of the answer's children."""
        connection = self.connect(1)[0]
        with contextlib.closing(connection.socket):
            answer = json.loads(connection.ask(self.request(item)))
        return {child["tag"]: child["value"] for child in answer["value"]}

    def in_turn(self, items: list[dict[str, Any]]) -> Operation:
        ready = itertools.cycle([self.request(item) for item in items])
        return lambda: next(ready)

    def operations(self) -> dict[str, Operation]:
        """What PyKMIP offers, too."""
        self.keys = [self.ask(CREATE)["UniqueIdentifier"] for _ in range(POOL)]
        sealed = [self.ask(encrypt(key)) for key in self.keys]
        return {
            "create": self.in_turn([CREATE]),
            "get": self.in_turn([structure("Get", uid(key)) for key in self.keys]),
            "encrypt": self.in_turn([encrypt(key) for key in self.keys]),
            "sign": self.in_turn([self._sign()]),
            "decrypt": self.in_turn(
                [decrypt(key, made) for key, made in zip(self.keys, sealed, strict=True)]
            ),
        }

    def _sign(self) -> dict[str, Any]:
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


@contextlib.contextmanager
def our_server(
    issuer: Issuer, files: certificates.TLSFiles, directory: Path, core: int, *more: str
) -> Iterator[Ours]:
    context = ssl.create_default_context(cafile=str(files.ca))
    argv = trusting(
        issuer,
        *("--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key)),
        *("--data-dir", str(directory), "--log-level", "info"),
        *more,
    )
    server = ServerProcess(
        *argv, cwd=directory, tls=context, wrapper=["taskset", "--cpu-list", str(core)]
    )
    with server:
        token = issuer.token(aud="kms", exp=int(time.time()) + 36_000)
        yield Ours(server.port, server.process.pid, token, context)


# --- the peer -----------------------------------------------------------------------------------


def peer_operations(first: Any) -> dict[str, Callable[[Any], object]]:
    """The same operations by PyKMIP's client. It has no authenticated cipher, so AES-CBC it is."""
    from kmip.core import enums

    aes, mask = enums.CryptographicAlgorithm.AES, enums.CryptographicUsageMask
    cipher = {
        "cryptographic_algorithm": aes,
        "block_cipher_mode": enums.BlockCipherMode.CBC,
        "padding_method": enums.PaddingMethod.PKCS5,
    }
    signature = {
        "padding_method": enums.PaddingMethod.PSS,
        "hashing_algorithm": enums.HashingAlgorithm.SHA_256,
        "cryptographic_algorithm": enums.CryptographicAlgorithm.RSA,
    }
    usage = [mask.ENCRYPT, mask.DECRYPT]
    keys = [first.create(aes, 256, cryptographic_usage_mask=usage) for _ in range(POOL)]
    for key in keys:
        first.activate(key)
    sealed = [first.encrypt(DATA, key, cipher, b"\0" * 16)[0] for key in keys]
    _, private = first.create_key_pair(
        enums.CryptographicAlgorithm.RSA,
        2048,
        public_usage_mask=[mask.VERIFY],
        private_usage_mask=[mask.SIGN],
    )
    first.activate(private)
    turn = itertools.count()

    def key() -> int:
        return next(turn) % POOL

    def undo(client: Any, at: int) -> object:
        return client.decrypt(sealed[at], keys[at], cipher, b"\0" * 16)

    return {
        "create": lambda client: client.create(aes, 256, cryptographic_usage_mask=usage),
        "get": lambda client: client.get(keys[key()]),
        "encrypt": lambda client: client.encrypt(DATA, keys[key()], cipher, b"\0" * 16),
        "decrypt": lambda client: undo(client, key()),
        "sign": lambda client: client.sign(DATA, private, signature),
    }


# --- what is printed ----------------------------------------------------------------------------


def print_beside_peer(
    ours: Ours,
    files: certificates.TLSFiles,
    directory: Path,
    core: int,
    rounds: int,
    seconds: float,
) -> None:
    """Measure both servers in turn, with 1 and with 16 connections."""
    operations = ours.operations()
    directory = directory / "peer"
    directory.mkdir()
    certificates.copy(files, directory)
    with pykmip_peer.running(directory, 15697, core) as process:
        clients = [pykmip_peer.client(files, 15697) for _ in range(16)]
        theirs = peer_operations(clients[0])
        for connections in (1, 16):
            print(f"\nbeside PyKMIP 0.11.0, {connections} connections")
            for operation, next_request in operations.items():
                pairs = []
                open_ = ours.connect(connections)
                for _ in range(rounds):
                    peer = pykmip_peer.measure(
                        clients[:connections], theirs[operation], pid=process.pid, seconds=seconds
                    )
                    mine = measure(open_, next_request, pid=ours.pid, seconds=seconds)
                    pairs.append((mine, peer))
                close(open_)
                _print_pairs(operation, pairs)
        for client in clients:
            client.close()


def _print_pairs(operation: str, pairs: list[tuple[Measurement, Measurement]]) -> None:
    def middle(of: Callable[[Measurement, Measurement], float]) -> float:
        return statistics.median(of(mine, peer) for mine, peer in pairs)

    print(
        f"  {operation:<8} {middle(lambda m, p: m.per_second):7.0f}/s"
        f" ({middle(lambda m, p: m.percentile_ms(50)):.2f}/"
        f"{middle(lambda m, p: m.percentile_ms(99)):.2f} ms)"
        f"   PyKMIP {middle(lambda m, p: p.per_second):5.0f}/s"
        f"   {middle(lambda m, p: m.per_second / p.per_second):6.1f} x"
        f"   by CPU {middle(lambda m, p: p.cpu_us / m.cpu_us):6.1f} x"
    )


def print_alone(
    ours: Ours, title: str, operation: Operation, *, rounds: int, seconds: float
) -> Measurement:
    """The median round of 16 connections, printed."""
    open_ = ours.connect(16)
    measured = [measure(open_, operation, pid=ours.pid, seconds=seconds) for _ in range(rounds)]
    close(open_)
    median = sorted(measured, key=lambda result: result.per_second)[rounds // 2]
    print(
        f"  {title:<44} {median.per_second:7.0f}/s  {median.cpu_us:6.0f} µs CPU"
        f"   p50 {median.percentile_ms(50):.2f}  p99 {median.percentile_ms(99):.2f} ms"
    )
    return median


def measure_ratio(
    ours: Ours, first: Operation, second: Operation, *, rounds: int, seconds: float
) -> tuple[float, float]:
    """first ÷ second at 16 connections, in turn: by requests per second, by CPU."""
    open_ = ours.connect(16)
    pairs = [
        (
            measure(open_, first, pid=ours.pid, seconds=seconds),
            measure(open_, second, pid=ours.pid, seconds=seconds),
        )
        for _ in range(rounds)
    ]
    close(open_)
    return (
        statistics.median(a.per_second / b.per_second for a, b in pairs),
        statistics.median(b.cpu_us / a.cpu_us for a, b in pairs),
    )


def close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.socket.close()


def print_by_ourselves(ours: Ours, rounds: int, seconds: float, many: int) -> None:
    """What needs no peer: goals that are ratios of ours to ours."""
    operations = ours.operations()
    create, get = operations["create"], operations["get"]
    print("\nby itself, 16 connections")
    few = print_alone(ours, "get, few objects stored", get, rounds=rounds, seconds=seconds)
    _print_ratio(
        "durable create ÷ get",
        measure_ratio(ours, create, get, rounds=rounds, seconds=seconds),
        0.6,
    )
    batch = message(*[batch_item("Create", *CREATE["value"])] * 100)
    print_alone(ours, "batch of 100 creates", ours.in_turn([batch]), rounds=rounds, seconds=seconds)
    gets = message(*[batch_item("Get", uid(key)) for key in ours.keys[:100]])
    print_alone(ours, "batch of 100 gets", ours.in_turn([gets]), rounds=rounds, seconds=seconds)

    begun = time.perf_counter()
    ours.populate(many, 0)
    print(f"  {many:,} more keys made by batches of 100 in {time.perf_counter() - begun:.0f} s")
    full = print_alone(ours, f"get, {many:,} more stored", get, rounds=rounds, seconds=seconds)
    _print_ratio(
        "get with many ÷ with few",
        (full.per_second / few.per_second, few.cpu_us / full.cpu_us),
        0.9,
    )
    locate = structure("Locate", number("MaximumItems", 10), attributes(bits=256))
    print_alone(
        ours, "locate, a page of 10", ours.in_turn([locate]), rounds=rounds, seconds=seconds
    )
    named = structure(
        "Locate",
        structure(
            "Attributes",
            structure("Name", text("NameValue", "no such name"), name("NameType", 1)),
        ),
    )
    print_alone(ours, "locate by a name", ours.in_turn([named]), rounds=rounds, seconds=seconds)

    idle, busy = (
        print_alone(ours, "get, idle", get, rounds=rounds, seconds=seconds),
        print_beside_rsa(ours, get, seconds=seconds * 3),
    )
    print(f"  p99 of get while RSA-4096 keys are made: {busy.percentile_ms(99):.2f} ms,", end=" ")
    print(f"{busy.percentile_ms(99) / idle.percentile_ms(99):.1f} x idle (goal: at most 3)")
    before = resident_mib(ours.pid)
    left = 100_000
    open_ = ours.connect(16)
    while left > 0:
        left -= measure(open_, get, pid=ours.pid, seconds=2).count
    close(open_)
    print(f"  memory over 100,000 gets: {before:.0f} → {resident_mib(ours.pid):.0f} MiB")


def print_beside_rsa(ours: Ours, get: Operation, *, seconds: float) -> Measurement:
    """`get` while another connection has RSA-4096 pairs made, one after the other."""
    import threading

    stop = threading.Event()
    made = 0

    def make() -> None:
        nonlocal made
        while not stop.is_set():
            ours.ask(create_pair(4096))
            made += 1

    thread = threading.Thread(target=make)
    thread.start()
    try:
        measured = print_alone(
            ours, "get beside RSA-4096 creations", get, rounds=1, seconds=seconds
        )
    finally:
        stop.set()
        thread.join()
    print(f"    ({made} RSA-4096 pairs made meanwhile)")
    return measured


def _print_ratio(title: str, ratio: tuple[float, float], goal: float) -> None:
    wall, cpu = ratio
    print(f"  {title:<44} {wall:7.2f}    by CPU {cpu:.2f}   (goal: {goal})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="short rounds, 2,000 objects for many")
    parser.add_argument("--database-url", help="another database than SQLite")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    rounds, seconds, many = (3, 0.5, 2000) if options.quick else (7, 1.0, MANY)
    more = ("--database-url", options.database_url) if options.database_url else ()
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as text_directory,
        Issuer("RS256") as issuer,
    ):
        os.sched_setaffinity(0, {cores[-1]})
        directory = Path(text_directory)
        files = certificates.make(directory)
        with our_server(issuer, files, directory, cores[0], *more) as ours:
            if options.no_peer or importlib.util.find_spec("kmip") is None:
                print("PyKMIP is not installed, or not wanted: left out")
            else:
                print_beside_peer(ours, files, directory, cores[0], rounds, seconds)
        alone = directory if options.database_url else directory / "alone"  # the master key's place
        alone.mkdir(exist_ok=True)
        with our_server(issuer, files, alone, cores[0], *more) as ours:
            print_by_ourselves(ours, rounds, seconds, many)


if __name__ == "__main__":
    main()
