"""Protocol versions: which ones the server speaks, and what each has that another lacks.

Every decision by protocol version is made here. The declarations of the other modules are KMIP 2.1's;
`HISTORY` says how the other versions differ from it, and a `VersionGate` made from it stands between
a message and the declarations, in both directions: neither a request of KMIP 2.0 nor its answer may
hold anything that came with 2.1.

To add a version, put it at its place in HISTORY with its `Changes` against the version before it. From
then on the server speaks it: it is accepted in requests, listed by Discover Versions and named in the
text of a refusal. What a version has that the declarations lack (because 2.1 dropped it) has to be
declared first, and is then `removed` in the row of the version that dropped it. A field
of an operation's payload is spelled by the tag of the operation, ("Encrypt", "Data") in the request
and ("EncryptResponse", "Data") in the answer; an attribute by its tag alone, since it may stand in
many places; a value by the tag that holds it, ("Operation", 52).

The row of 2.0 says nothing yet: both versions are read and answered by the same declarations. A bare
operation has no version and passes no gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidField, OperationNotSupported, UnsupportedProtocolVersion
from .tables import OPERATION_TAGS, TAG_NUMBERS
from .ttlv import ItemType, Node, children_of


@dataclass(frozen=True, slots=True)
class ProtocolVersion:
    protocol_version_major: int
    protocol_version_minor: int

    def __str__(self) -> str:
        return f"{self.protocol_version_major}.{self.protocol_version_minor}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Parts of KMIP's language. attributes: tags. fields: (tag of the structure, tag of the field).
    values: (tag of the field, number of the enumeration's value)."""

    attributes: frozenset[str] = frozenset()
    fields: frozenset[tuple[str, str]] = frozenset()
    values: frozenset[tuple[str, int]] = frozenset()

    def __or__(self, other: Vocabulary) -> Vocabulary:
        return Vocabulary(
            self.attributes | other.attributes,
            self.fields | other.fields,
            self.values | other.values,
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What first appears in a version, and what of the version before it is gone."""

    added: Vocabulary = field(default_factory=Vocabulary)
    removed: Vocabulary = field(default_factory=Vocabulary)


#: Each version that the server speaks and what it changed, oldest first. KMIP 2.1 §9 has every server
#: speak all versions of its own major version.
HISTORY: Mapping[ProtocolVersion, Changes] = {
    ProtocolVersion(2, 0): Changes(),
    ProtocolVersion(2, 1): Changes(),
}

#: In order of preference, the newest first: as Discover Versions lists them.
SUPPORTED_VERSIONS: Sequence[ProtocolVersion] = tuple(HISTORY)[::-1]

#: The version of an answer to a message whose own version is not known or not supported.
DEFAULT_VERSION = SUPPORTED_VERSIONS[0]


def check_supported(version: ProtocolVersion) -> None:
    """Raises UnsupportedProtocolVersion, which names the versions that a client may try instead."""
    if version not in HISTORY:
        raise UnsupportedProtocolVersion(f"this server speaks KMIP {format_versions()}")


def format_versions() -> str:
    """``2.1 and 2.0``: the supported versions for people to read."""
    *others, last = map(str, SUPPORTED_VERSIONS)
    return f"{', '.join(others)} and {last}" if others else last


def select_versions(offered: Sequence[ProtocolVersion]) -> tuple[ProtocolVersion, ...]:
    """The supported versions among those that a client offers, newest first; all where it offers none."""
    return tuple(version for version in SUPPORTED_VERSIONS if not offered or version in offered)


# --- the gate -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VersionGate:
    """What a message of one version may not hold. absent: what the version lacks."""

    version: ProtocolVersion
    absent: Vocabulary

    def check(self, name: str, node: Node) -> None:
        """Raises InvalidField for what the version lacks. name: of the structure, as in `Vocabulary.fields`."""
        for child in children_of(node):
            if self._lacks(name, child):
                raise InvalidField(f"KMIP {self.version} does not have this {child.tag} in {name}")
            self.check(child.tag, child)

    def check_operation(self, operation: int) -> None:
        """Raises OperationNotSupported."""
        if ("Operation", operation) in self.absent.values:
            name = OPERATION_TAGS[operation]
            raise OperationNotSupported(f"KMIP {self.version} has no operation {name}")

    def restrict(self, name: str, node: Node) -> Node:
        """The structure without the parts that the version lacks. name: as for `check`."""
        if not isinstance(node.value, tuple):
            return node
        return node._replace(
            value=tuple(
                self.restrict(child.tag, child)
                for child in node.value
                if not self._lacks(name, child)
            )
        )

    def restrict_item(self, item: Node) -> Node:
        """As `restrict`, for a batch item of an answer, whose payload is named after its operation."""
        operation = next(
            (child.value for child in children_of(item) if child.tag == "Operation"), None
        )
        if not isinstance(operation, int):
            return item
        name = f"{OPERATION_TAGS[operation]}Response"
        return item._replace(
            value=tuple(
                self.restrict(name, child) if child.tag == "ResponsePayload" else child
                for child in children_of(item)
            )
        )

    def _lacks(self, name: str, child: Node) -> bool:
        absent = self.absent
        if child.tag in absent.attributes or (name, child.tag) in absent.fields:
            return True
        return child.type is ItemType.ENUMERATION and (child.tag, child.value) in absent.values


def make_gate(
    version: ProtocolVersion, history: Mapping[ProtocolVersion, Changes] = HISTORY
) -> VersionGate | None:
    """The gate of a version; None where it lacks nothing, so that its messages need no check."""
    absent = Vocabulary()
    for changed_in, changes in history.items():  # oldest first
        absent |= changes.removed if _order(changed_in) <= _order(version) else changes.added
    absent |= Vocabulary(values=frozenset(_references_to(absent.attributes)))
    return None if absent == Vocabulary() else VersionGate(version, absent)


def _order(version: ProtocolVersion) -> tuple[int, int]:
    return version.protocol_version_major, version.protocol_version_minor


def _references_to(attributes: Iterable[str]) -> Iterable[tuple[str, int]]:
    """An attribute that a version lacks cannot be asked for or listed by reference either."""
    return (("AttributeReference", TAG_NUMBERS[tag]) for tag in attributes)


#: {version: its gate, or None where everything passes}
GATES: Mapping[ProtocolVersion, VersionGate | None] = {
    version: make_gate(version) for version in HISTORY
}
