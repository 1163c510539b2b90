"""Clients that were made before a fork, as by a server that loads the program first: no process gets another's answer."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from kms_tornado.client import AsyncKMSClient, KMSClient

from .conftest import Server

#: Each process decrypts what it alone has encrypted, over a client whose connections were open before.
BLOCKING = """
import os, sys
from kms_tornado.client import KMSClient

client = KMSClient(*sys.argv[1:])
key = client.create_symmetric_key()

def work(mine):
    for number in range(40):
        text = b"%d of %d" % (number, mine)
        assert client.decrypt(key, client.encrypt(key, text)) == text
"""
ASYNCHRONOUS = """
import asyncio, os, sys
from kms_tornado.client import AsyncKMSClient

client = AsyncKMSClient(*sys.argv[1:])
key = asyncio.run(client.create_symmetric_key())

async def exchange(text):
    assert await client.decrypt(key, await client.encrypt(key, text)) == text

async def exchange_all(mine):
    await asyncio.gather(*(exchange(b"%d of %d" % (number, mine)) for number in range(40)))

def work(mine):
    asyncio.run(exchange_all(mine))
"""
FORK = """
children = []
for child in range(1, 4):
    process = os.fork()
    if not process:
        try:
            work(child)
            os._exit(0)
        finally:
            os._exit(1)
    children.append(process)
work(0)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.parametrize("program", [BLOCKING, ASYNCHRONOUS], ids=["blocking", "asynchronous"])
def test_forked_processes_get_their_own_answers(server: Server, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program + FORK, server.url, server.token("alice")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_client_is_not_pickled_with_its_token() -> None:
    for client in (KMSClient("http://127.0.0.1:1", "token"), AsyncKMSClient("http://127.0.0.1:1")):
        with pytest.raises(TypeError, match="make one in each process"):
            pickle.dumps(client)
        client.close()
