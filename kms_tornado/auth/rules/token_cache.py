"""TokenCache: verified tokens, so that the next request with the same token costs a digest and no signature check."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from ..issuers.keyset import KeySet
from ..principal import Principal

#: The size of the cache counts tokens of this length, in characters. Most tokens have half of it. Without this bound,
#: 10,000 of the longest ones would take hundreds of MiB.
COMMON_LENGTH = 2048


class TokenCache:
    """At most `size` verified tokens; the least recently used one is dropped first. A size of 0 remembers none.

    Long tokens reduce that number: all remembered tokens together have at most `size` times COMMON_LENGTH characters.

    An entry is found by the SHA-256 digest of the whole token: a core dump of the cache leaks no token, and no two
    tokens share an entry. Each entry belongs to the KeySet that verified the token, and is worthless once the issuer's
    keys have changed. The caller compares keys and time.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[Principal, KeySet, float, int]] = OrderedDict()
        self._length = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: bytes) -> bool:
        """Whether there is an entry, still good or not. It counts as neither a hit nor a miss."""
        return digest in self._entries

    @staticmethod
    def digest(token: str) -> bytes:
        """The key of the token's entry: its SHA-256 digest, 32 bytes."""
        # Processors compute it faster than any other, and a DPoP proof of the token names it, too (RFC 9449 §4.2).
        return sha256(token.encode("utf-8", "surrogatepass")).digest()

    def get(self, digest: bytes) -> tuple[Principal, KeySet, float, int] | None:
        """(principal, the key set that verified the token, good_until, length); see `put`."""
        entry = self._entries.get(digest)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(digest)
        return entry

    def put(
        self, digest: bytes, principal: Principal, key_set: KeySet, good_until: float, length: int
    ) -> None:
        """Remember a verified token.

        good_until: seconds since the Unix epoch, leeway included.
        length: the length of the token, to which the memory for its claims is proportional.
        """
        if self._size == 0:
            return
        self.forget(digest)
        self._entries[digest] = (principal, key_set, good_until, length)
        self._length += length
        while len(self._entries) > self._size or (
            self._length > self._size * COMMON_LENGTH and len(self._entries) > 1
        ):
            _, oldest = self._entries.popitem(last=False)
            self._length -= oldest[-1]

    def forget(self, digest: bytes) -> None:
        """Drop the entry, if there is one."""
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self._length -= entry[-1]
