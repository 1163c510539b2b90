"""The managed object as the rest of the server sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from ..kmip.attributes import Attributes
from ..kmip.enums import ObjectType, State

UniqueIdentifier = NewType("UniqueIdentifier", str)

#: Key material inside its envelope (`crypto.envelope`): the only form that a store accepts.
SealedMaterial = NewType("SealedMaterial", bytes)


#: In any state; only what is removed altogether makes room. Beyond, it is a leak or an attack.
MAX_OBJECTS_OF_AN_OWNER = 1_000_000

#: The tag of an object whose material is wrapped by another key, below its envelope.
STORED_WRAPPED_TAG = "_wrapped"


@dataclass(frozen=True, slots=True)
class ManagedObject:
    """One key, certificate or secret with all that is known of it; its material stays sealed.

    attributes: everything but uid, object type, state and tags, which have their own fields here.
    tags: the user's tags and the system tag of the object's type (``_kk``, …).
    sealed: None once the object is destroyed.
    version: counts replacements of the material; the envelope is bound to it.
    generation: counts every change; a writer says which one it saw (compare and set).
    created_at: seconds since the Unix epoch.
    """

    uid: UniqueIdentifier
    owner: str
    object_type: ObjectType
    state: State
    attributes: Attributes
    tags: frozenset[str]
    sealed: SealedMaterial | None
    created_at: int
    version: int = 1
    generation: int = 1
