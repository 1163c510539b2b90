"""Whether a database is older than an anchor."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.audit.chain import ChainHead
from kms_tornado.audit.checkpoint import parse_checkpoint
from kms_tornado.audit.rollback import AuditPosition, find_rollback

from ..rows import each_row
from .logs import DATABASE, KEY, make_checkpoint

HEAD = ChainHead(1, 5, "00" * 32)
LINE = make_checkpoint(3, [HEAD])
ANCHOR = parse_checkpoint(LINE.encode(), [KEY.public])
NEWER = dataclasses.replace(ANCHOR, number=9)
OLDER = dataclasses.replace(ANCHOR, number=2)
SAME = AuditPosition(DATABASE, ANCHOR, LINE, {1: HEAD.hash})


@each_row(
    ("position", "why"),
    [
        pytest.param(SAME, None, id="the same"),
        pytest.param(dataclasses.replace(SAME, newest=NEWER), None, id="newer"),
        pytest.param(dataclasses.replace(SAME, newest=OLDER, line=None), "is older", id="older"),
        pytest.param(AuditPosition(None, None, None, {}), "is empty", id="empty"),
        pytest.param(dataclasses.replace(SAME, newest=None), "is older", id="no checkpoints"),
        pytest.param(dataclasses.replace(SAME, database="ff"), "is another one", id="another one"),
        pytest.param(
            dataclasses.replace(SAME, newest=NEWER, line="{}"), "another history", id="branched off"
        ),
        pytest.param(dataclasses.replace(SAME, hashes={}), "lacks records", id="chain cut"),
        pytest.param(
            dataclasses.replace(SAME, hashes={1: "11" * 32}), "lacks records", id="chain edited"
        ),
    ],
)
def test_older_database_is_found(position, why):
    fault = find_rollback(ANCHOR, LINE, position)
    assert fault is None if why is None else why in str(fault)
