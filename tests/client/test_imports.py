"""What a program loads that uses the client: nothing of the server, and nothing before it is asked for."""

from __future__ import annotations

import subprocess
import sys

from kms_tornado import client

from ..server import environment
from .conftest import Server

#: What the server stands on, and the command line.
FOREIGN = [
    "sqlalchemy",
    "alembic",
    "tornado",
    "jose",
    "configargparse",
    "prometheus_client",
    "psycopg",
    "greenlet",
    "click",
    "rich",
    "authlib",
    "requests",
    "keyring",
]

#: Fails at the import of any of them, as if it were not installed.
BLOCK = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FOREIGN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Block())

def loaded():
    return sorted({{name.split(".")[1] for name in sys.modules if name.startswith("kms_tornado.")}})
"""


def run(program: str, **variables: str) -> str:
    """What the program prints, in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", BLOCK + program],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_operation_is_performed_without_anything_of_the_server(server: Server) -> None:
    program = """
from kms_tornado.client import AsyncKMSClient, ItemNotFound, KMSClient

with KMSClient() as client:
    key = client.create_symmetric_key()
    assert client.decrypt(key, client.encrypt(key, b"data")) == b"data"
    try:
        client.get("nowhere")
    except ItemNotFound:
        print(*loaded())
"""
    printed = run(program, KMS_URL=server.url, KMS_TOKEN=server.token("alice"))
    assert printed.split() == [
        "argument_types",
        "client",
        "errors",
        "kmip",
        "strict_json",
        "wording",
    ]


def test_every_name_is_given_without_anything_of_the_server() -> None:
    run("import kms_tornado.client as c\nfor name in c.__all__: getattr(c, name)")


def test_import_alone_loads_neither_the_network_nor_kmip() -> None:
    printed = run(
        """
before = set(sys.modules)
import kms_tornado.client
heavy = {"urllib3", "ssl", "socket", "http", "json", "dataclasses", "cryptography"}
print(*loaded(), *sorted(heavy & (set(sys.modules) - before)))
"""
    )
    assert printed.split() == ["client"]


def test_settings_alone_load_neither_the_network_nor_kmip() -> None:
    printed = run(
        """
from kms_tornado.client import ConnectionSettings
ConnectionSettings(server_url="https://kms.example")
print(*loaded(), *sorted({"urllib3", "ssl", "socket"} & set(sys.modules)))
"""
    )
    assert printed.split() == ["argument_types", "client", "errors"]


def test_names_are_complete_and_others_are_errors() -> None:
    assert dir(client) == client.__all__ == sorted(client.__all__)
    assert not hasattr(client, "Nothing")
