"""The key service beside PyKMIP 0.11.0 (its own server, its own client), TLS on both sides.

``python -m tests.bench.kms [--database-url URL]``. 16 connections to each server, which share a core; the clients have the
other. PyKMIP's client takes more time than our server, so the ratio by the server's CPU is the one that tells.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import certificates, pykmip_peer
from tests.bench.figures import Ratio
from tests.bench.harness import Side, add_arguments, report
from tests.bench.ours import CONNECTIONS, DATA, POOL, cores_apart, operations_of, our_server
from tests.issuer import Issuer

_PEER_PORT = 15697
_RATIOS = (
    Ratio("create ÷ PyKMIP's", "create", "PyKMIP create", 8),
    Ratio("get ÷ PyKMIP's", "get", "PyKMIP get", 8),
    Ratio("encrypt 1 KiB ÷ PyKMIP's", "encrypt", "PyKMIP encrypt", 8),
    Ratio("decrypt 1 KiB ÷ PyKMIP's", "decrypt", "PyKMIP decrypt", 8),
    Ratio("sign by RSA-2048 ÷ PyKMIP's", "sign", "PyKMIP sign", 8),
)


def peer_operations(first: Any) -> dict[str, Callable[[Any], object]]:
    """Our operations by PyKMIP's client. It has no authenticated cipher, so AES-CBC it is."""
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


@contextlib.contextmanager
def _open_sides(
    issuer: Issuer, files: certificates.TLSFiles, core: int, seconds: float, more: tuple[str, ...]
) -> Iterator[dict[str, Side]]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(our_server(issuer, files, directory / "ours", core, *more))
        available = operations_of(ours)
        sides = stack.enter_context(
            ours.sides({ratio.of: available[ratio.of] for ratio in _RATIOS}, seconds)
        )
        peer = directory / "peer"
        peer.mkdir()
        certificates.copy(files, peer)
        process = stack.enter_context(pykmip_peer.running(peer, _PEER_PORT, core))
        clients = [pykmip_peer.client(files, _PEER_PORT) for _ in range(CONNECTIONS)]
        for client in clients:
            stack.callback(client.close)
        for name, operation in peer_operations(clients[0]).items():
            sides[f"PyKMIP {name}"] = partial(
                pykmip_peer.measure, clients, operation, pid=process.pid, seconds=seconds
            )
        yield sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--database-url", help="another database than SQLite")
    options = parser.parse_args()
    more = ("--database-url", options.database_url) if options.database_url else ()
    with cores_apart() as (issuer, files, core):
        open_sides = partial(_open_sides, issuer, files, core, options.seconds, more)
        report("beside PyKMIP 0.11.0", _RATIOS, open_sides, options)


if __name__ == "__main__":
    main()
