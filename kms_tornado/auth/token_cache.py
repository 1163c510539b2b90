"""TokenCache: tokens that were verified, so that the next request with one costs a digest, not RSA."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from .keyset import KeySet
from .principal import Principal


class TokenCache:
    """Bounded, least recently used out first; only successes are kept.

    Entries are found by a 256-bit digest of the whole token: the cache holds no token that a core dump could
    leak, and no two tokens share an entry. Each is bound to the very KeySet that verified it: once
    the issuer's keys have changed it counts for nothing. Time and keys are the caller's to compare.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[Principal, KeySet, float]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        """Whether there is an entry, good or not; counts as no use of it."""
        return key in self._entries

    @staticmethod
    def key(token: str) -> bytes:
        # As strong as SHA-256, and without OpenSSL's set-up, which costs more than the hashing.
        return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()

    def get(self, key: bytes) -> tuple[Principal, KeySet, float] | None:
        """(who, the key set that verified it, seconds since the Unix epoch until which it is good)."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry

    def put(self, key: bytes, principal: Principal, key_set: KeySet, good_until: float) -> None:
        if self._size == 0:
            return
        self._entries[key] = (principal, key_set, good_until)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, key: bytes) -> None:
        self._entries.pop(key, None)
