"""The managed object is a value."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, State

KEY = ManagedObject(
    uid=UniqueIdentifier("a"),
    owner="alice",
    object_type=ObjectType.SYMMETRIC_KEY,
    state=State.ACTIVE,
    attributes=Attributes(),
    tags=frozenset({"_kk"}),
    sealed=SealedMaterial(b"envelope"),
    created_at=0,
)


def test_object_does_not_change_and_a_change_is_another_object():
    with pytest.raises(dataclasses.FrozenInstanceError):
        KEY.state = State.DESTROYED
    assert dataclasses.replace(KEY, state=State.DESTROYED) != KEY


def test_new_object_is_the_first_version_and_generation():
    assert (KEY.version, KEY.generation) == (1, 1)
