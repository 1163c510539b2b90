"""How an item of a message ended, and how it is answered if it failed or was undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import (
    KMIPError,
    ResponseTooLarge,
)
from ..kmip.messages import responses
from ..kmip.messages.batch_items import RequestItem
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import ItemType, Node, encoded_length

#: Bytes of TTLV, eight of them text, to which that of a failure is cut at most: some clients read one of every failure.
_LEAST_TEXT = 16


def too_large() -> ResponseTooLarge:
    return ResponseTooLarge("the answer is longer than there is room for")


class ItemResult(NamedTuple):
    """How one item ended.

    node: the item of the response; after a success, in its written form (`long_answers.replace_by_written`).
    length: its bytes in TTLV.
    result, uid: for log and metrics.
    sent_length: its bytes as they are sent; 0 for a failure, which is always sent.
    is_undone: whether the operation was carried out and then undone.
    """

    item: RequestItem
    node: Node
    length: int
    result: str
    uid: str | None = None
    has_failed: bool = False
    sent_length: int = 0
    is_undone: bool = False

    @property
    def operation(self) -> str:
        return "none" if self.item.operation is None else OPERATION_TAGS[self.item.operation]


def make_failure(
    item: RequestItem, error: KMIPError, uid: str | None = None, room: int | None = None
) -> ItemResult:
    """The result for an item that failed.

    room: the bytes of TTLV to which the item's text is shortened; None for no limit. If not even the shortest failure
    fits, the client gets that one all the same: it has to learn that the answer is too large (KMIP 1.4 §11.1).
    """
    node = responses.render_failure(item, error)
    length = encoded_length(node)
    if room is not None and length > room:
        text = encoded_length(Node("ResultMessage", ItemType.TEXT_STRING, str(error)))
        longest = max(room - (length - text), _LEAST_TEXT)
        node = responses.render_failure(item, error, longest=longest)
        length = encoded_length(node)
    result = error.reason_with_underscores
    return ItemResult(item, node, length, result, uid, has_failed=True)


def mark_undone(results: Sequence[ItemResult], failure: ItemResult) -> list[ItemResult]:
    """The results of the items that were undone because of the failure, followed by the failure itself."""
    return [
        result._replace(
            node=responses.render_undone(result.item, result.uid),
            result="Operation_Undone",
            is_undone=True,
        )
        for result in results
    ] + [failure]
