"""The browser that kmsctl opens to sign somebody in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...oauth_issuer import Browser


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    browser = Browser()
    monkeypatch.setattr("webbrowser.open", browser.open)
    yield browser
    browser.close()
