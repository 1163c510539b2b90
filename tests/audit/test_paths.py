"""What the records leave of an object, and what they say of the row that it has."""

from __future__ import annotations

import itertools

import pytest

from kms_tornado.audit.paths import ObjectPaths

from ..rows import each_row


def follow(changes):
    paths = ObjectPaths()
    for was, after in changes:
        paths.add([("uid", was, after)])
    return paths


@each_row(
    ("changes", "code", "told"),
    [
        pytest.param([(None, "a"), ("a", "b")], "b", None, id="as it was left"),
        pytest.param([("a", "b"), (None, "a")], "b", None, id="in any order of chains"),
        pytest.param([(None, "a"), ("a", None)], None, None, id="removed"),
        pytest.param([(None, "a"), ("a", None), (None, "b")], "b", None, id="made anew"),
        pytest.param([(None, "a"), ("a", "b")], "a", "an older one was put back", id="older row"),
        pytest.param([(None, "a"), ("a", "b")], None, "it is gone", id="deleted"),
        pytest.param([(None, "a"), ("a", None)], "a", "is there again", id="revived"),
        pytest.param([], "a", "no record tells of it", id="made by something else"),
        pytest.param(
            [(None, "a"), ("a", "b"), ("a", "c")], "c", "do not follow one another", id="fork"
        ),
    ],
)
def test_row_must_be_the_one_of_the_objects_last_record(changes, code, told):
    fault = follow(changes).find_fault("uid", code)
    assert fault is None if told is None else told in str(fault)


CHANGES = [(None, "a"), ("a", "b"), ("b", "c"), ("c", None), (None, "d")]


@each_row("order", [*itertools.permutations(CHANGES)], ids=str)
def test_order_in_which_chains_are_read_does_not_matter(order):
    paths = follow(order)
    assert paths.find_fault("uid", "d") is None
    assert paths.list_uids() == ["uid"]
    assert [*paths.find_missing("uid", "d")] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param([(None, "a"), ("a", "b")], "a", id="older row"),
        pytest.param([(None, "a"), ("a", "b")], None, id="gone"),
        pytest.param([(None, "a"), ("a", None)], "a", id="revived"),
        pytest.param([], "a", id="no record"),
        pytest.param([(None, "a"), ("a", "b"), ("a", "c")], "c", id="fork"),
        pytest.param([(None, "a"), ("a", "b"), ("a", "c")], None, id="fork that is gone"),
        pytest.param([(None, "a"), ("a", "b"), ("a", "c"), ("a", "d")], "b", id="fork in three"),
    ],
)
def test_missing_changes_make_the_records_fit(changes, code):
    paths = follow(changes)
    assert paths.find_fault("uid", code) is not None
    missing = [*paths.find_missing("uid", code)]
    for was, after in missing:
        paths.add([("uid", was, after)])
    assert paths.find_fault("uid", code) is None
    assert paths.list_uids() == ([] if code is None else ["uid"])
