"""The browser in which somebody signs in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..oauth_issuer import Browser


@pytest.fixture
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()
