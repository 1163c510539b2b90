"""KMIP in JSON as binary TTLV, and back."""

from __future__ import annotations

import json

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.ttlv import Dialect

from .kmip_items import Item


def in_binary(item: Item) -> bytes:
    return binary_codec.format(json_codec.parse(json.dumps(item).encode())[0])


def in_json(octets: bytes) -> Item:
    item: Item = json.loads(json_codec.format(binary_codec.parse(octets), Dialect.OASIS))
    return item
