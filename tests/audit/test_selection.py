"""Which records a selection tells."""

from __future__ import annotations

import pytest

from kms_tornado.audit.selection import Selection

RECORD = {
    "time": "2026-11-29T11:45:26.081Z", "principal": "alice@example.com", "operation": "ReKeyKeyPair",
    "result": "Success", "uid": "a", "also": ["b"], "objects": [["a", None, "0f"], ["c", None, "0e"]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "is_selected"),
    [
        pytest.param(Selection(), True, id="everything"),
        pytest.param(Selection(since="2026-11-29T11:45:26.081Z"), True, id="since then"),
        pytest.param(Selection(since="2026-11-29T11:45:26.082Z"), False, id="since later"),
        pytest.param(Selection(until="2026-11-29T11:45:26.082Z"), True, id="until later"),
        pytest.param(Selection(until="2026-11-29T11:45:26.081Z"), False, id="until then"),
        pytest.param(
            Selection(principals=frozenset({"alice@example.com", "bob"})), True, id="one of two"
        ),
        pytest.param(Selection(principals=frozenset({"bob"})), False, id="of another user"),
        pytest.param(
            Selection(operations=frozenset({"rekeykeypair"})), True, id="operation without case"
        ),
        pytest.param(Selection(operations=frozenset({"get"})), False, id="another operation"),
        pytest.param(Selection(results=frozenset({"success"})), True, id="result"),
        pytest.param(Selection(results=frozenset({"failed"})), False, id="another result"),
        pytest.param(Selection(uids=frozenset({"a"})), True, id="object"),
        pytest.param(Selection(uids=frozenset({"b"})), True, id="took part"),
        pytest.param(Selection(uids=frozenset({"c"})), True, id="was changed"),
        pytest.param(Selection(uids=frozenset({"d"})), False, id="another object"),
        pytest.param(
            Selection(principals=frozenset({"alice@example.com"}), uids=frozenset({"d"})),
            False,
            id="both must fit",
        ),
    ],
)
def test_selection(selection: Selection, is_selected: bool) -> None:
    assert selection.selects(RECORD) is is_selected
    assert selection.is_everything is (selection == Selection())


def test_record_that_something_else_wrote_is_no_error() -> None:
    odd = {"time": 1, "operation": None, "uid": [], "also": 3, "objects": [[], 4, [5]]}
    everything = Selection(
        "2026", "2027", frozenset({"a"}), frozenset({"get"}), frozenset({"a"}), frozenset({"x"})
    )
    assert not everything.selects(odd)
    assert not Selection(uids=frozenset({"a"})).selects(odd)
