"""Protocol versions: which ones the server speaks, and what each has that another lacks.

The declarations of the other modules are KMIP 2.1's; `HISTORY` says how the other versions differ from
it, and is the only place that does. `gates` makes from it what stands between a message and the
declarations, in both directions: neither a request of KMIP 2.0 nor its answer may hold anything that
came with 2.1. A bare operation has no version and passes no gate. What has another shape in KMIP 1 is
translated by `kmip1`.

To add a version, put it at its place in HISTORY with its `Changes` against the version before it. From
then on the server speaks it: it is accepted in requests, listed by Discover Versions and named in the
text of a refusal. What a version has that the declarations lack (because 2.1 dropped it) has to be
declared first, and is then `removed` in the row of the version that dropped it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import UnsupportedProtocolVersion
from .enums import Operation, ResultReason
from .kmip1.history import CHANGES_IN_2_0, KMIP1
from .vocabulary import Changes as Changes
from .vocabulary import ProtocolVersion as ProtocolVersion
from .vocabulary import Vocabulary as Vocabulary

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
    **KMIP1,
    ProtocolVersion(2, 0): CHANGES_IN_2_0,
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

#: The version of an answer to a message whose own version is newer than all, or to one in JSON that tells none.
DEFAULT_VERSION = SUPPORTED_VERSIONS[0]

#: That of an answer to a message in binary that tells none: nearly all clients that use it speak KMIP 1, each has 1.0,
#: and a refusal says the same in all versions.
OLDEST_VERSION = SUPPORTED_VERSIONS[-1]


def check_supported(version: ProtocolVersion) -> None:
    """Raises UnsupportedProtocolVersion, which names the versions that a client may try instead."""
    if version not in HISTORY:
        raise UnsupportedProtocolVersion(f"this server speaks KMIP {format_versions()}")


def choose_answer_version(version: ProtocolVersion) -> ProtocolVersion:
    """The version to answer in: this one, else the newest one with the same major version.

    One that is newer than all is answered in DEFAULT_VERSION, one that is older in OLDEST_VERSION. A client that uses
    KMIP 1 may not even be able to read a refusal in KMIP 2.
    """
    if version in HISTORY:
        return version
    major = version.protocol_version_major
    if major < OLDEST_VERSION.protocol_version_major:
        return OLDEST_VERSION
    peers = (other for other in SUPPORTED_VERSIONS if other.protocol_version_major == major)
    return next(peers, DEFAULT_VERSION)


def format_versions() -> str:
    """``2.1, 2.0, 1.4 and 1.3``: the supported versions, for people."""
    *others, last = map(str, SUPPORTED_VERSIONS)
    return f"{', '.join(others)} and {last}" if others else last


def select_versions(offered: Sequence[ProtocolVersion]) -> tuple[ProtocolVersion, ...]:
    """Those of the versions offered by a client that are supported, in the client's order; all where it offers none.

    Clients use the first one, and offer the one that they prefer first.
    """
    if not offered:
        return tuple(SUPPORTED_VERSIONS)
    return tuple(version for version in dict.fromkeys(offered) if version in HISTORY)
