"""What the requests of KMIP 1 have in another shape than those of KMIP 2: one row an operation.

What no row mentions is the same in both: fields, their order, structures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..enums import Operation

_ONE = {"TemplateAttribute": "Attributes"}
_THREE = {
    "CommonTemplateAttribute": "CommonAttributes",
    "PrivateKeyTemplateAttribute": "PrivateKeyAttributes",
    "PublicKeyTemplateAttribute": "PublicKeyAttributes",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the request of one operation has in place of KMIP 2's fields.

    templates: {structure of Attributes: its name in KMIP 2}.
    attributes: where KMIP 2 has the Attributes that stand in the payload itself.
    instance: where KMIP 2 has the one Attribute of the payload.
    has_names: whether it names attributes by AttributeName.
    is_numbered: whether it is about one value of an attribute, which AttributeIndex numbers.
    required: the one of these fields without which there is no request.
    """

    templates: Mapping[str, str] = field(default_factory=dict)
    attributes: str | None = None
    instance: str | None = None
    has_names: bool = False
    is_numbered: bool = False
    required: str | None = None

    @property
    def single_fields(self) -> frozenset[str]:
        """Those of KMIP 1 that a request has once, and that KMIP 2 calls otherwise."""
        instance = () if self.instance is None else ("Attribute",)
        name = ("AttributeName",) if self.has_names and self.is_numbered else ()
        return frozenset((*self.templates, *instance, *name))


SAME = Row()

ROWS: Mapping[Operation, Row] = {
    Operation.CREATE: Row(_ONE, required="TemplateAttribute"),
    Operation.CREATE_KEY_PAIR: Row(_THREE),
    Operation.REGISTER: Row(_ONE, required="TemplateAttribute"),
    Operation.RE_KEY: Row(_ONE),
    Operation.RE_KEY_KEY_PAIR: Row(_THREE),
    Operation.DERIVE_KEY: Row(_ONE, required="TemplateAttribute"),
    Operation.LOCATE: Row(attributes="Attributes"),
    Operation.IMPORT: Row(attributes="Attributes"),
    Operation.EXPORT: SAME,
    Operation.GET: SAME,
    Operation.GET_ATTRIBUTES: Row(has_names=True),
    Operation.GET_ATTRIBUTE_LIST: SAME,
    Operation.ADD_ATTRIBUTE: Row(instance="NewAttribute", required="Attribute"),
    Operation.MODIFY_ATTRIBUTE: Row(
        instance="NewAttribute", is_numbered=True, required="Attribute"
    ),
    Operation.DELETE_ATTRIBUTE: Row(has_names=True, is_numbered=True, required="AttributeName"),
    Operation.CHECK: SAME,
    Operation.OBTAIN_LEASE: SAME,
    Operation.GET_USAGE_ALLOCATION: SAME,
    Operation.ACTIVATE: SAME,
    Operation.REVOKE: SAME,
    Operation.DESTROY: SAME,
    Operation.ARCHIVE: SAME,
    Operation.RECOVER: SAME,
    Operation.QUERY: SAME,
    Operation.DISCOVER_VERSIONS: SAME,
    Operation.ENCRYPT: SAME,
    Operation.DECRYPT: SAME,
    Operation.SIGN: SAME,
    Operation.SIGNATURE_VERIFY: SAME,
    Operation.MAC: SAME,
    Operation.MAC_VERIFY: SAME,
    Operation.RNG_RETRIEVE: SAME,
    Operation.RNG_SEED: SAME,
    Operation.HASH: SAME,
}
