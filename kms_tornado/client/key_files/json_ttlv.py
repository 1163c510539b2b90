"""JSON TTLV files: one KMIP object unchanged, wrapped or not, with the attributes in its key value.

The root is the tag of the object's type, as in the files of Cosmian's command line. That program writes every attribute
that its server knows. Attributes that end or limit the use of the key are read, and those that belong to the key
itself; identifier, names and other dates are not.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ...errors import KMIPError
from ...kmip.attributes import Attributes, parse_search_tags, with_user_tags
from ...kmip.codecs import json_codec
from ...kmip.enums import State
from ...kmip.objects import OBJECT_CLASSES, Certificate, KeyValue, Object, OpaqueObject
from ...kmip.schema import from_node, to_node
from ...kmip.ttlv import Dialect, Node, children_of
from .errors import KeyFileError

T = TypeVar("T", Node, dict[str, Any])

_CLASSES = {cls.__name__: cls for cls in OBJECT_CLASSES.values()}


#: Attributes in a key value that go with the key wherever it goes.
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

#: Attributes that end or limit the use of a key. A key that was revoked must not be Active in its next place.
_LIMITING = (
    "activation_date",
    "compromise_date",
    "compromise_occurrence_date",
    "deactivation_date",
    "process_start_date",
    "protect_stop_date",
    "revocation_reason",
    "usage_limits",
)
_ENDED = frozenset({State.DEACTIVATED, State.COMPROMISED})


def read_json_ttlv(octets: bytes) -> Object:
    """The object in the file. Raises KeyFileError, whose text may name tags in the file, but never values."""
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
    """The object without the identifier, names, dates and tags that do not belong to the key itself or to its use."""
    if isinstance(managed, Certificate | OpaqueObject):
        return managed
    value = managed.key_block.key_value
    if not isinstance(value, KeyValue) or value.attributes is None:
        return managed
    fields = value.attributes.set_fields()
    attributes = _select_limiting(value.attributes).replace(
        **{name: fields[name] for name in _KEPT if name in fields}
    )
    tags = {tag for tag in parse_search_tags(attributes) if tag and not tag.startswith("_")}
    value = dataclasses.replace(value, attributes=with_user_tags(attributes, tags))
    block = dataclasses.replace(managed.key_block, key_value=value)
    return dataclasses.replace(managed, key_block=block)


def _select_limiting(attributes: Attributes) -> Attributes:
    """The attributes that end or limit the use of the key. Any other State is for the next server to decide."""
    fields = attributes.set_fields()
    return Attributes(
        **{name: fields[name] for name in _LIMITING if name in fields},
        state=attributes.state if attributes.state in _ENDED else None,
    )


def with_limits(managed: Object, attributes: Attributes) -> Object:
    """The object, with those attributes in its key value that end or limit its use.

    Unchanged where it has no key value that could contain them: a certificate, an opaque object, or a key that was
    wrapped together with its rights.
    """
    if isinstance(managed, Certificate | OpaqueObject):
        return managed
    value = managed.key_block.key_value
    if not isinstance(value, KeyValue):
        return managed
    limiting = _select_limiting(attributes)
    if attributes.state is not State.PRE_ACTIVE:
        limiting = limiting.replace(activation_date=None)  # it has come, and limits nothing
    inner = (value.attributes or Attributes()).replace(**limiting.set_fields())
    value = dataclasses.replace(value, attributes=inner if inner.set_fields() else None)
    return dataclasses.replace(
        managed, key_block=dataclasses.replace(managed.key_block, key_value=value)
    )


def write_json_ttlv(managed: Object) -> bytes:
    node = to_node(managed, type(managed).__name__)
    tree = json.loads(json_codec.format(node, Dialect.COSMIAN))
    tree["tag"] = node.tag  # the codec writes the `Object` of a message
    _keep_structures(tree, node)
    return json.dumps(tree, indent=2).encode() + b"\n"


def _keep_structures(tree: dict[str, Any], node: Node) -> None:
    """Write values of vendor attributes that are structures as structures.

    In the dialect of Cosmian's clients they would become octets, and remain octets when the file is read.
    """
    values = _find(node, children_of, lambda child: child.tag == "AttributeValue")
    items = _find(tree, _items_of, lambda item: item["tag"] == "AttributeValue")
    for item, value in zip(items, values, strict=True):
        if isinstance(value.value, tuple):
            item |= json.loads(json_codec.format(value, Dialect.OASIS))


def _items_of(item: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return item["value"] if isinstance(item["value"], list) else ()


def _find(
    root: T, open_: Callable[[T], Sequence[T]], is_sought: Callable[[T], bool]
) -> Iterator[T]:
    """The items that are sought, in the order in which they are written. Items inside of these are ignored."""
    if is_sought(root):
        yield root
        return
    for child in open_(root):
        yield from _find(child, open_, is_sought)
