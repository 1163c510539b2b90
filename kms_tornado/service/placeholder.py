"""The ID placeholder of a batch (KMIP 2.1 §6.1): the object of an item, for later items that name none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..errors import KMIPError, MissingData
from ..kmip.enums import Operation
from ..kmip.messages.batch_items import RequestItem
from .catalogue import OperationRow


class Placeholder:
    """uid: the identifier that the placeholder has now; None: it has none."""

    def __init__(self, operations: Mapping[Operation, OperationRow]) -> None:
        self.uid: str | None = None
        self._operations = operations

    def fill(self, item: RequestItem) -> Any:
        """The request, with a missing identifier replaced by the ID placeholder.

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
        if self.uid is None:
            raise MissingData("UniqueIdentifier is missing, and no item before this one left one")
        is_list = omitted[0] == "unique_identifiers"
        value = (self.uid,) if is_list else self.uid
        return dataclasses.replace(request, **{omitted[0]: value})

    def set(self, item: RequestItem, response: Any) -> None:
        """Take the identifier that a successful item leaves, if its operation leaves one."""
        assert item.operation is not None
        find_uid = self._operations[item.operation].placeholder
        if find_uid is not None:
            self.uid = find_uid(response)

    def clear(self, item: RequestItem) -> None:
        """Forget the identifier where the item that failed would have left another."""
        row = None if item.operation is None else self._operations.get(item.operation)
        if row is None or row.placeholder is not None:
            self.uid = None
