from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..issuer import Issuer


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer("ES256") as running:
        yield running
