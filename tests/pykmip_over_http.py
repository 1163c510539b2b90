"""PyKMIP's messages over HTTP."""

from __future__ import annotations

from typing import Any

from kmip.core.utils import BytearrayStream

from .kms import User


class OverHTTP:
    """In the place of PyKMIP's socket. answers: as they came."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.answers: list[bytes] = []

    def write(self, request: bytes) -> None:
        self.answers.append(self.user.send_binary(bytes(request)))

    def read(self) -> Any:
        return BytearrayStream(self.answers[-1])
