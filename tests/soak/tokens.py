"""Tokens of all users, from an issuer whose keys rotate, and when a server must take or refuse them."""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass

from ..issuer import Issuer
from .model import Contradiction

#: A server fetches the keys every two seconds; where it meets an unknown one, within a second.
OPTIONS = ("--jwks-refresh-interval", "2", "--jwks-cooldown", "1", "--jwks-timeout", "2")
_ROTATE_EVERY_S = 5.0
#: How long a server may take to learn of a key, or of its end: both intervals, and fetches that fail on a busy
#: machine.
LEARNS_WITHIN_S = 15.0
# Keys that are published at the same time; the newest one signs, tokens of the others are still good.
_PUBLISHED = 5
# Tokens of each user that are remembered.
_REMEMBERED = 16


@dataclass
class Key:
    """One signing key of the issuer. Times are of the monotonic clock; withdrawn_at: None while published."""

    kid: str
    published_at: float
    withdrawn_at: float | None = None


@dataclass(frozen=True)
class Token:
    key: Key
    header: bytes


class Tokens:
    """All users' tokens, the newest of each user last.

    rotations: how often the keys were rotated; refused_early: tokens whose key a server had yet to learn of.
    """

    def __init__(self, issuer: Issuer, users: list[str]) -> None:
        self._issuer = issuer
        self._keys = [Key(issuer.kid, time.monotonic() - LEARNS_WITHIN_S)]
        self._signed: dict[str, list[Token]] = {user: [] for user in users}
        self._restarted_at = 0.0
        self.rotations = 0
        self.refused_early = 0
        self._sign_all()

    def good(self, user: str) -> Token:
        """The newest one, or now and then an older one whose key is published."""
        token = random.choice(self._signed[user][-_PUBLISHED:])
        newest = self._signed[user][-1]
        return newest if random.random() < 0.8 or token.key.withdrawn_at is not None else token

    def withdrawn(self, user: str) -> Token | None:
        """One that every server must refuse by now."""
        now = time.monotonic()
        old = [token for token in self._signed[user] if _is_over(token.key.withdrawn_at, now)]
        return random.choice(old) if old and _is_over(self._restarted_at, now) else None

    def server_starts(self) -> None:
        """Keys that a former run has kept serve until the first fetch."""
        self._restarted_at = math.inf

    def server_started(self) -> None:
        self._restarted_at = time.monotonic()

    def check(self, token: Token, asked_at: float, *, is_refused: bool) -> None:
        """Raises Contradiction where a token was refused that had to be taken, or the other way round."""
        key = token.key
        if is_refused:
            if key.withdrawn_at is None and _is_over(key.published_at, asked_at):
                raise Contradiction(f"a token of {key.kid}, which is published, was refused")
            self.refused_early += key.withdrawn_at is None
        elif _is_over(key.withdrawn_at, asked_at) and _is_over(self._restarted_at, asked_at):
            raise Contradiction(f"a token of {key.kid}, which was withdrawn, was taken")

    async def rotate_forever(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_EVERY_S)
            self._rotate()

    def _rotate(self) -> None:
        """A new key signs at once; the oldest one is withdrawn."""
        self._issuer.rotate(keep_old=True)
        self._keys.append(Key(self._issuer.kid, time.monotonic()))
        self._issuer.keys = self._issuer.keys[-_PUBLISHED:]
        self._sign_all()
        now = time.monotonic()
        for key in self._keys[:-_PUBLISHED]:
            if key.withdrawn_at is None:
                key.withdrawn_at = now
        self.rotations += 1

    def _sign_all(self) -> None:
        for user, signed in self._signed.items():
            token = self._issuer.token(sub=user, aud="kms")
            signed.append(Token(self._keys[-1], f"Authorization: Bearer {token}\r\n".encode()))
            del signed[:-_REMEMBERED]


def _is_over(since: float | None, now: float) -> bool:
    """Whether every server has had the time to learn of it."""
    return since is not None and now > since + LEARNS_WITHIN_S
