"""JSON TTLV files: one KMIP object as it is, wrapped or not, with the attributes that are in its key value.

The root is the tag of the object's type, as Cosmian's command line writes and reads such files. That writes
every attribute that its server knows; those that a server determines, such as the state, are not read.
"""

from __future__ import annotations

import dataclasses
import json

from ...errors import KMIPError
from ...kmip import json_codec
from ...kmip.attributes import Attributes, parse_search_tags, with_user_tags
from ...kmip.objects import OBJECT_CLASSES, Certificate, KeyValue, Object, OpaqueObject
from ...kmip.schema import from_node, to_node
from ...kmip.ttlv import Dialect
from .errors import KeyFileError

_CLASSES = {cls.__name__: cls for cls in OBJECT_CLASSES.values()}


#: Attributes in a key value that go with the key wherever it goes. No server takes the others from a client.
_KEPT = (
    "cryptographic_algorithm",
    "cryptographic_domain_parameters",
    "cryptographic_length",
    "cryptographic_parameters",
    "cryptographic_usage_mask",
    "extractable",
    "key_format_type",
    "links",
    "object_type",
    "sensitive",
    "vendor_attributes",
)


def read_json_ttlv(octets: bytes) -> Object:
    """Raises KeyFileError. Its text may name tags of the file, never values."""
    try:
        node, _ = json_codec.parse(octets)
        cls = _CLASSES.get(node.tag)
        if cls is None:
            raise KeyFileError(
                f"the JSON TTLV is {node.tag}: a key file has one of {', '.join(_CLASSES)}"
            )
        managed: Object = from_node(cls, node)
        return _without_attributes_of_servers(managed)
    except KMIPError as exc:
        raise KeyFileError(f"the file is no object in JSON TTLV: {exc}") from None


def _without_attributes_of_servers(managed: Object) -> Object:
    """The object without the state, dates, identifier and tags that the server had given to it."""
    if isinstance(managed, Certificate | OpaqueObject):
        return managed
    value = managed.key_block.key_value
    if not isinstance(value, KeyValue) or value.attributes is None:
        return managed
    fields = value.attributes.set_fields()
    kept = Attributes(**{name: fields[name] for name in _KEPT if name in fields})
    tags = {tag for tag in parse_search_tags(kept) if tag and not tag.startswith("_")}
    value = dataclasses.replace(value, attributes=with_user_tags(kept, tags))
    block = dataclasses.replace(managed.key_block, key_value=value)
    return dataclasses.replace(managed, key_block=block)


def write_json_ttlv(managed: Object) -> bytes:
    node = to_node(managed, type(managed).__name__)
    tree = json.loads(json_codec.format(node, Dialect.COSMIAN))
    tree["tag"] = node.tag  # the codec writes the `Object` of a message
    return json.dumps(tree, indent=2).encode() + b"\n"
