"""JSON TTLV files: one KMIP object as it is, wrapped or not, with the attributes that are in its key value.

The root is the tag of the object's type, as Cosmian's command line writes and reads such files.
"""

from __future__ import annotations

import json

from ...errors import KMIPError
from ...kmip import json_codec
from ...kmip.objects import OBJECT_CLASSES, Object
from ...kmip.schema import from_node, to_node
from ...kmip.ttlv import Dialect
from .errors import KeyFileError

_CLASSES = {cls.__name__: cls for cls in OBJECT_CLASSES.values()}


def read_json_ttlv(octets: bytes) -> Object:
    """Raises KeyFileError. Its text may name tags of the file, never values."""
    try:
        node, _ = json_codec.parse(octets)
        cls = _CLASSES.get(node.tag)
        if cls is None:
            raise KeyFileError(
                f"the JSON TTLV is {node.tag}: a key file has one of {', '.join(_CLASSES)}"
            )
        return from_node(cls, node)
    except KMIPError as exc:
        raise KeyFileError(f"the file is no object in JSON TTLV: {exc}") from None


def write_json_ttlv(managed: Object) -> bytes:
    node = to_node(managed, type(managed).__name__)
    tree = json.loads(json_codec.format(node, Dialect.COSMIAN))
    tree["tag"] = node.tag  # the codec writes the `Object` of a message
    return json.dumps(tree, indent=2).encode() + b"\n"
