"""Protocol versions: which ones the server speaks, and what each has that another lacks.

The declarations of the other modules are KMIP 2.1's; `HISTORY` says how the other versions differ from
it, and is the only place that does. `version_gate` makes from it what stands between a message and the
declarations, in both directions: neither a request of KMIP 2.0 nor its answer may hold anything that
came with 2.1. A bare operation has no version and passes no gate.

To add a version, put it at its place in HISTORY with its `Changes` against the version before it. From
then on the server speaks it: it is accepted in requests, listed by Discover Versions and named in the
text of a refusal. What a version has that the declarations lack (because 2.1 dropped it) has to be
declared first, and is then `removed` in the row of the version that dropped it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnsupportedProtocolVersion
from .enums import Operation, ResultReason
from .ttlv import ItemType


@dataclass(frozen=True, slots=True)
class ProtocolVersion:
    protocol_version_major: int
    protocol_version_minor: int

    def __str__(self) -> str:
        return f"{self.protocol_version_major}.{self.protocol_version_minor}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Parts of KMIP's language.

    attributes: tags, where attributes stand and where a reference names them. Elsewhere the same tag may
    be older: Key Format Type is in every key block and an attribute since 2.0 only.
    tags: wherever they stand, and whatever is in them.
    fields: (tag of the structure, tag of the field). A field of an operation's payload is spelled by the
    tag of the operation: ("Encrypt", "Data") in the request, ("EncryptResponse", "Data") in the answer.
    values: (name of the enumeration, number), for every tag that holds such values.
    bits: (tag of the mask, one bit). item_types: of any item.
    """

    attributes: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    fields: frozenset[tuple[str, str]] = frozenset()
    values: frozenset[tuple[str, int]] = frozenset()
    bits: frozenset[tuple[str, int]] = frozenset()
    item_types: frozenset[ItemType] = frozenset()

    def __or__(self, other: Vocabulary) -> Vocabulary:
        return self._combine(other, operator.or_)

    def __sub__(self, other: Vocabulary) -> Vocabulary:
        return self._combine(other, operator.sub)

    def _combine(self, other: Vocabulary, combine: Callable[[Any, Any], Any]) -> Vocabulary:
        names = [part.name for part in dataclasses.fields(self)]
        return Vocabulary(*(combine(getattr(self, name), getattr(other, name)) for name in names))


@dataclass(frozen=True, slots=True)
class Changes:
    """How a version differs from the one before it. All but `removed` tell what first appears in it.

    taken_early: what of `added` is nevertheless accepted in requests of earlier versions, because
    clients send it; the answers to them are without it all the same.
    stand_ins: for values among `added` that no answer can do without, what earlier versions get in their
    place: (name of the enumeration, number) → number. If that is too new as well, its own row tells more.
    """

    added: Vocabulary = field(default_factory=Vocabulary)
    removed: Vocabulary = field(default_factory=Vocabulary)
    taken_early: Vocabulary = field(default_factory=Vocabulary)
    stand_ins: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for a result reason without which a refusal could not be answered."""
        reasons = {value for value in self.added.values if value[0] == "ResultReason"}
        if reasons - self.stand_ins.keys():
            raise ValueError("a result reason needs a stand-in for the versions that lack it")


# KMIP 2.1, against kmip-spec-v2.0-os. Everything that the server declares was compared, and what PyKMIP 0.11,
# whose newest version is 2.0, knows. The two versions are equal in object types, usage masks, Query
# functions, item types, the fields of headers and batch items, and those of all payloads declared here.

#: 2.1 §4; 2.0 §4 has no attribute of rotation. Every replacement key has some of them.
_ROTATION = frozenset(
    {
        "RotateAutomatic",
        "RotateDate",
        "RotateGeneration",
        "RotateInterval",
        "RotateLatest",
        "RotateName",
        "RotateOffset",
    }
)

#: 2.1 §11.56 goes on where 2.0 §11.54 ends, at 420165. Most are parts of the attributes above and of the
#: operations below; they may also stand in the value of a vendor attribute.
_TAGS_OF_2_1 = _ROTATION | {
    "AsynchronousCorrelationValues",
    "AsynchronousRequest",
    "Constraint",
    "Constraints",
    "ObjectGroups",
    "ObjectTypes",
    "ProcessingStage",
    "RotateNameType",
    "RotateNameValue",
    "SubmissionDate",
}

#: 2.1 §11.36.
_OPERATIONS_OF_2_1 = (
    Operation.SET_DEFAULTS,
    Operation.SET_CONSTRAINTS,
    Operation.GET_CONSTRAINTS,
    Operation.QUERY_ASYNCHRONOUS_REQUESTS,
    Operation.PROCESS,
    Operation.PING,
)

#: 2.1 §11.46 → what comes nearest in 2.0 §11.45.
_REASONS_OF_2_1 = {
    ResultReason.UNKNOWN_OBJECT_GROUP: ResultReason.INVALID_FIELD,
    ResultReason.CONSTRAINT_VIOLATION: ResultReason.PERMISSION_DENIED,
    ResultReason.DUPLICATE_PROCESS_REQUEST: ResultReason.GENERAL_FAILURE,
}

#: Each version that the server speaks and what it changed, oldest first. KMIP 2.1 §9 has every server
#: speak all versions of its own major version.
HISTORY: Mapping[ProtocolVersion, Changes] = {
    ProtocolVersion(2, 0): Changes(),
    ProtocolVersion(2, 1): Changes(
        added=Vocabulary(
            attributes=_ROTATION,
            tags=_TAGS_OF_2_1,
            values=frozenset(
                {
                    *(("Operation", int(operation)) for operation in _OPERATIONS_OF_2_1),
                    *(("ResultReason", int(reason)) for reason in _REASONS_OF_2_1),
                }
            ),
        ),
        stand_ins={
            ("ResultReason", int(reason)): int(nearest)
            for reason, nearest in _REASONS_OF_2_1.items()
        },
    ),
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
