"""The managed object: what the server knows of one key, certificate or secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from ..kmip.attribute_index import Retired
from ..kmip.attributes import Attributes
from ..kmip.enums import ObjectType, State

UniqueIdentifier = NewType("UniqueIdentifier", str)

#: Key material inside its envelope (`crypto.sealing.envelope`): the only form in which a store accepts it.
SealedMaterial = NewType("SealedMaterial", bytes)

#: Objects in every state count, so only removal makes room. A greater number is a leak or an attack.
MAX_OBJECTS_OF_AN_OWNER = 1_000_000

#: The tag of an object whose material, inside its envelope, is wrapped by another key.
STORED_WRAPPED_TAG = "_wrapped"


@dataclass(frozen=True, slots=True)
class ManagedObject:
    """One key, certificate or secret with everything that is known of it. Its material stays sealed.

    attributes: all except uid, object type, state and tags, which have fields of their own here.
    tags: the user's tags and the system tag of the object's type (``_kk``, …).
    sealed: None once the object is destroyed.
    version: counts the replacements of the material; the envelope is bound to it.
    generation: counts all changes; a writer names the one that it has read (compare and set).
    created_at: seconds since the Unix epoch.
    nonce_source: who makes the nonces for encrypting with it; None before the first encryption.
    retired_indices: the numbers of deleted values of its attributes (`kmip.attribute_index`).
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
    nonce_source: int | None = None
    retired_indices: Retired = ()
