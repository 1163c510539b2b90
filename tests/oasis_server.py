"""The server that cases of the KMIP profiles are run against, and the encodings to ask it in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from . import postgres
from .kmip_items import Item
from .kms import KMS, User, two_issuers
from .oasis_case import Differs, Send, over_octets

OPTIONS = ("--crypto-policy", "permissive", "--kmip-interop")
#: What fails → why. A case that begins to pass is to be taken off.
FAILING = {
    "PKCS11-M-1-21": "the operation PKCS#11 passes calls on to a token, and this server has none",
}


def over_json(user: User) -> Send:
    at_kmip = user.again("/kmip")

    def send(request: Item) -> Item:
        answer = at_kmip.send(request)
        if answer.status != 200:
            raise Differs(f"{answer.status} {answer.text}")
        found: Item = json.loads(answer.body)
        return found

    return send


def over_binary(user: User) -> Send:
    return over_octets(user.send_binary)


ENCODINGS = {"json": over_json, "binary": over_binary}


@contextlib.contextmanager
def serving(directory: Path, database: str) -> Iterator[KMS]:
    """A server for conformance runs, on SQLite or on PostgreSQL. Raises NoPostgres."""
    options = list(OPTIONS)
    if database == "postgresql":
        options += ["--database-url", postgres.cluster().new_database()]
    with two_issuers() as issuers, KMS(directory, *issuers, options=options) as server:
        yield server
