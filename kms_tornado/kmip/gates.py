"""The gate of each version of KMIP, made from the history of versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .tables import SHARED_ENUMERATIONS, TAG_NUMBERS
from .version_gate import VersionGate
from .versions import HISTORY, Changes, ProtocolVersion, Vocabulary


def make_gate(
    version: ProtocolVersion, history: Mapping[ProtocolVersion, Changes] = HISTORY
) -> VersionGate | None:
    """The gate of a version; None where it lacks nothing, so that its messages need no check."""
    absent, early = Vocabulary(), Vocabulary()
    stand_ins: dict[tuple[str, int], int] = {}
    rows = sorted(history.items(), key=lambda row: row[0])
    for changed_in, changes in reversed(rows):
        if changed_in > version:
            absent = (absent | changes.added) - changes.removed
            early |= changes.taken_early
            stand_ins |= changes.stand_ins
    for changed_in, changes in rows:
        if changed_in <= version:
            absent = (absent - changes.added) | changes.removed
    if absent == Vocabulary():
        return None
    complete = _complete(absent)
    return VersionGate(
        version,
        complete,
        _complete(absent - early),
        dict(_resolve(stand_ins, absent)),
        frozenset(_tags_concerned(complete)),
    )


def _complete(words: Vocabulary) -> Vocabulary:
    """The words, with references to the attributes, and with the values under all tags that may have them."""
    references = {("Tag", TAG_NUMBERS[tag]) for tag in words.attributes | words.tags}
    values = words.values | references
    return words | Vocabulary(
        values=frozenset((tag, value) for name, value in values for tag in _tags_of(name))
    )


def _tags_concerned(words: Vocabulary) -> Iterable[str]:
    yield from words.attributes | words.tags
    for _, tag in words.fields:
        yield tag
    for tag, _ in words.values | words.bits:
        yield tag
    yield from ("AttributeName", "AttributeValue")  # may name an attribute, and hold anything


def _tags_of(enumeration: str) -> Iterable[str]:
    return enumeration, *(tag for tag, name in SHARED_ENUMERATIONS.items() if name == enumeration)


def _resolve(
    stand_ins: Mapping[tuple[str, int], int], absent: Vocabulary
) -> Iterable[tuple[tuple[str, int], int]]:
    """The stand-ins that the version has. A stand-in that it lacks is replaced by its own stand-in."""
    for (name, value), stand_in in stand_ins.items():
        while (name, stand_in) in absent.values:
            stand_in = stand_ins[name, stand_in]
        for tag in _tags_of(name):
            yield (tag, value), stand_in


#: {version: its gate, or None where everything passes}
GATES: Mapping[ProtocolVersion, VersionGate | None] = {
    version: make_gate(version) for version in HISTORY
}
