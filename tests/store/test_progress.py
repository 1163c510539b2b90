"""A start that takes long says how far it is."""

from __future__ import annotations

import logging

import pytest

from kms_tornado.store.progress import LoggedProgress


def test_a_line_comes_every_ten_seconds_and_none_of_what_is_done_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    progress = LoggedProgress("were counted", monotonic=lambda: now)
    progress.add(500)
    now = 9.9
    progress.add(500)
    assert caplog.messages == []
    now = 10.0
    progress.add(500)
    now = 19.9
    progress.add(500)
    now = 25.0
    progress.add(500)
    assert caplog.messages == [
        "1500 objects were counted so far",
        "2500 objects were counted so far",
    ]
