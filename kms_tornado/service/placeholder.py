"""The objects of earlier items of a batch, for later items that name none, or name one by its operation.

An item without an identifier means the ID placeholder (KMIP 2.1 §6.1). Since 2.0, a name of the Unique Identifier
Enumeration (§11.58) may stand for the identifier: the placeholder's own, or that of the operation which made or found the
object. Of an operation that comes several times, the last one is meant, also where that one failed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import FeatureNotSupported, KMIPError, MissingData
from ..kmip.enums import Operation
from ..kmip.messages.batch_items import ID_PLACEHOLDER, RequestItem
from ..kmip.tables import ENUMERATIONS
from .catalogue import OperationRow

_NAMES = ENUMERATIONS["UniqueIdentifier"]


def _number(name: str) -> int:
    number = _NAMES.number(name)
    assert number is not None
    return number


def _read_from(field: str, *names: str) -> Mapping[int, Callable[[Any], str | None]]:
    """{number of a name: response → the identifier in this field}"""
    return {_number(name): lambda response: getattr(response, field) for name in names}


_OWN = "unique_identifier"
_PRIVATE, _PUBLIC = "private_key_unique_identifier", "public_key_unique_identifier"

#: Operation → the names that mean an object of it, and where its answer has the identifier.
NAMED_OBJECTS: Mapping[Operation, Mapping[int, Callable[[Any], str | None]]] = MappingProxyType(
    {
        Operation.CREATE: _read_from(_OWN, "Create"),
        Operation.CREATE_KEY_PAIR: {
            **_read_from(_PRIVATE, "CreateKeyPairPrivateKey"),
            **_read_from(_PUBLIC, "CreateKeyPairPublicKey"),
        },
        Operation.DERIVE_KEY: _read_from(_OWN, "DeriveKey"),
        Operation.IMPORT: _read_from(_OWN, "Import"),
        Operation.LOCATE: _read_from("placeholder", "Locate"),
        Operation.REGISTER: _read_from(_OWN, "Register"),
        Operation.RE_KEY: _read_from(_OWN, "ReKey"),
        Operation.RE_KEY_KEY_PAIR: {
            **_read_from(_PRIVATE, "ReKeyKeyPairPrivateKey"),
            **_read_from(_PUBLIC, "ReKeyKeyPairPublicKey"),
        },
    }
)

#: These mean two objects: the specification then has the operation repeated in an item of its own, which no client asks for.
_PAIRS = frozenset(map(_number, ("CreateKeyPair", "ReKeyKeyPair")))


class Placeholder:
    """objects: {number of a name: the identifier that it means now}; a name that means none is not in it."""

    def __init__(self, operations: Mapping[Operation, OperationRow]) -> None:
        self.objects: Mapping[int, str] = {}
        self._operations = operations

    def fill(self, item: RequestItem) -> Any:
        """The request, with a missing identifier replaced by that of the object that is meant.

        Raises the error of a malformed payload.
        """
        request: Any = item.request
        if isinstance(request, KMIPError):
            raise request
        assert item.operation is not None
        fields = self._operations[item.operation].identifier_fields
        omitted = [field for field in fields if getattr(request, field) in (None, ())]
        if not omitted:
            return request
        uid = self._find(item.object_name)
        is_list = omitted[0] == "unique_identifiers"
        value = (uid,) if is_list else uid
        return dataclasses.replace(request, **{omitted[0]: value})

    def set(self, item: RequestItem, response: Any) -> None:
        """Take the identifiers that a successful item leaves, if its operation leaves any."""
        assert item.operation is not None
        left = {
            number: find_uid(response)
            for number, find_uid in NAMED_OBJECTS.get(item.operation, {}).items()
        }
        find_uid = self._operations[item.operation].placeholder
        if find_uid is not None:
            left[ID_PLACEHOLDER] = find_uid(response)
        self._replace(left)

    def clear(self, item: RequestItem) -> None:
        """Forget the identifiers where the item that failed would have left others."""
        row = None if item.operation is None else self._operations.get(item.operation)
        left: dict[int, str | None] = {}
        if item.operation is not None:
            left = dict.fromkeys(NAMED_OBJECTS.get(item.operation, {}))
        if row is None or row.placeholder is not None:
            left[ID_PLACEHOLDER] = None
        self._replace(left)

    def _find(self, number: int) -> str:
        """The identifier that the name means. Raises MissingData, FeatureNotSupported."""
        uid = self.objects.get(number)
        if uid is not None:
            return uid
        name = _NAMES.oasis[number]
        if number in _PAIRS:
            raise FeatureNotSupported(f"{name} means two objects: name its private or public key")
        if number == ID_PLACEHOLDER:
            raise MissingData("UniqueIdentifier is missing, and no item before this one left one")
        raise MissingData(
            f"UniqueIdentifier is {name}, and no such item before this one left one object"
        )

    def _replace(self, left: Mapping[int, str | None]) -> None:
        """A new mapping, as a checkpoint may hold the old one."""
        if left:
            objects = {**self.objects, **left}
            self.objects = {number: uid for number, uid in objects.items() if uid is not None}
