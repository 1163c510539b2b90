"""What the version of a message changes in a batch: how long an answer is, and what cannot be answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.kmip.enums import ObjectType, Operation, ResultReason
from kms_tornado.kmip.gates import make_gate
from kms_tornado.kmip.messages import requests
from kms_tornado.kmip.messages.bodies import parse_message
from kms_tornado.kmip.payloads import LocateRequest, ReKeyRequest
from kms_tornado.kmip.ttlv import Node, children_of
from kms_tornado.kmip.versions import Changes, ProtocolVersion, Vocabulary
from kms_tornado.service import batch
from kms_tornado.service.item_results import ItemResult

from ..kmip_items import attributes, batch_item, message, name, number, uid, version
from ..operations.inside import ALICE, Inside, a_principal

CREATE = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256))


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[Inside]:
    with Inside(tmp_path) as inside:
        yield inside


def ask(kms: Inside, minor: int, *items: Any, header: tuple[Any, ...] = ()) -> list[ItemResult]:
    body = message(*items, header=[version(2, minor), *header])
    read = parse_message(json.dumps(body).encode(), kms.service.payloads)
    results: list[ItemResult] = kms.run(
        batch.run(kms.service, a_principal(ALICE), read, overhead=0)
    )
    return results


def test_size_limit_counts_what_the_version_has(kms):
    """A key that replaced another has attributes that 2.0 lacks."""
    old = kms.create(ALICE)
    new = kms.do(ALICE, Operation.RE_KEY, ReKeyRequest(old)).unique_identifier
    asking = batch_item("GetAttributes", uid(new))
    (older,) = ask(kms, 0, asking)
    (newer,) = ask(kms, 1, asking)
    assert older.length < newer.length
    limit = (number("MaximumResponseSize", older.length),)
    assert [ask(kms, minor, asking, header=limit)[0].result for minor in (0, 1)] == [
        "Success",
        "Response_Too_Large",
    ]


def test_what_cannot_be_told_in_the_version_is_taken_back(kms, monkeypatch):
    """As if 2.0 had no symmetric keys, and a client asked for one all the same."""
    too_new = Vocabulary(values=frozenset({("ObjectType", int(ObjectType.SYMMETRIC_KEY))}))
    v20, v21 = ProtocolVersion(2, 0), ProtocolVersion(2, 1)
    history = {v20: Changes(), v21: Changes(added=too_new, taken_early=too_new)}
    gates = {spoken: make_gate(spoken, history) for spoken in history}
    monkeypatch.setattr(requests, "GATES", gates)

    (failed,) = ask(kms, 0, CREATE)
    assert failed.has_failed
    assert reason_of(failed.node) == ResultReason.FEATURE_NOT_SUPPORTED
    assert kms.do(ALICE, Operation.LOCATE, LocateRequest()).located_items == 0
    (made,) = ask(kms, 1, CREATE)
    assert not made.has_failed
    assert kms.do(ALICE, Operation.LOCATE, LocateRequest()).located_items == 1


def reason_of(item: Node) -> object:
    return next(child.value for child in children_of(item) if child.tag == "ResultReason")
