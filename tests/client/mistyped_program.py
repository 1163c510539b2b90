"""A user's mistakes, each of which type checkers find. It is not run."""

from __future__ import annotations

from kms_tornado.client import AsyncKMSClient, KMSClient
from kms_tornado.kmip.payloads import GetRequest, GetResponse

client = KMSClient()
client.encrypt("key")  # the data are missing
client.encrypt("key", "text")  # not bytes
client.encrypt("key", b"data", None, b"iv")  # by name alone
client.locate(tag="one")  # tags
client.create_symmetric_key(256)  # the algorithm comes first
client.perform(GetResponse)  # no request
print(client.perform(GetRequest()).located_items)  # another response
print(client.decrypt("key", b"data").decode().nothing)  # bytes, not Any
client.nothing()  # no such call


async def main() -> None:
    other = AsyncKMSClient()
    other.decrypt("key", await other.encrypt("key", 3)).hex()  # not awaited, and no bytes
