"""What to do in a batch when an item fails, and what became of the items."""

from __future__ import annotations

from ..kmip_items import name


def option(value):
    return name("BatchErrorContinuationOption", value)


CONTINUE, STOP, UNDO = map(option, ("Continue", "Stop", "Undo"))


def statuses(items):
    return [each.get("ResultReason") or each["ResultStatus"] for each in items]
