"""The words for what a version of KMIP has and lacks: `versions` and `kmip1.history` are written in them."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .ttlv import ItemType


@dataclass(frozen=True, slots=True, order=True)
class ProtocolVersion:
    protocol_version_major: int
    protocol_version_minor: int

    def __str__(self) -> str:
        return f"{self.protocol_version_major}.{self.protocol_version_minor}"

    @property
    def is_kmip1(self) -> bool:
        return self.protocol_version_major == 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Parts of KMIP's language.

    attributes: tags, in the places where attributes stand and where a reference names them. Elsewhere the same tag may
    be older: Key Format Type is in every key block, and has been an attribute only since 2.0.
    tags: wherever they stand, and whatever they contain.
    fields: (tag of the structure, tag of the field). A field of an operation's payload is named with the tag of the
    operation: ("Encrypt", "Data") in the request, ("EncryptResponse", "Data") in the answer.
    values: (name of the enumeration, number), for every tag that has such values.
    bits: (tag of the mask, one bit).
    item_types: of any item.
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
    """How a version differs from the one before it. Everything but `removed` says what first appears in it.

    taken_early: the part of `added` that is nevertheless accepted in requests of earlier versions, because clients send
    it; the answers to them are without it all the same.
    stand_ins: for values among `added` that no answer can do without, their replacements in earlier versions: (name of
    the enumeration, number) → number. If the replacement is too new as well, its own row says more. (Tag of an
    operation, number) → number is a result reason's replacement in the answer of that operation.
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
