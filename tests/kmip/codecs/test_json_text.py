"""JSON as it is written, with orjson and without."""

from __future__ import annotations

import json

import pytest

from kms_tornado.kmip.codecs import json_text

VALUE = {"tag": "Comment", "value": ["é€😀", '"\\\n\x01', 0, -1, 2**52, True, None, {}]}


def test_text_is_compact_and_characters_stand_as_they_are():
    assert json_text.to_text({"a": ["é", 1]}) == '{"a":["é",1]}'
    assert json_text.to_bytes(VALUE) == json_text.to_text(VALUE).encode()
    assert json.loads(json_text.to_bytes(VALUE)) == VALUE


def test_bytes_are_the_same_with_orjson_and_without():
    orjson = pytest.importorskip("orjson")
    assert orjson.dumps(VALUE) == json_text._encode(VALUE).encode()
