"""TokenCache: verified tokens, so that their next request costs a digest and no signature check."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from .keyset import KeySet
from .principal import Principal


class TokenCache:
    """At most `size` verified tokens; the least recently used one goes first. 0 remembers nothing.

    Entries are found by a 256-bit digest of the whole token: a core dump of the cache leaks no token,
    and no two tokens share an entry. Each is bound to the very KeySet that verified it, and worthless
    once the issuer's keys have changed. The caller compares keys and time.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[Principal, KeySet, float]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: bytes) -> bool:
        """Whether there is an entry, good or not. Neither a hit nor a miss."""
        return digest in self._entries

    @staticmethod
    def digest(token: str) -> bytes:
        """The key of the token's entry: 32 bytes."""
        # BLAKE2b is as strong as SHA-256 and needs none of OpenSSL's set-up, which costs more than
        # the hashing.
        return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()

    def get(self, digest: bytes) -> tuple[Principal, KeySet, float] | None:
        """(principal, the key set that verified the token, good_until); see `put`."""
        entry = self._entries.get(digest)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(digest)
        return entry

    def put(self, digest: bytes, principal: Principal, key_set: KeySet, good_until: float) -> None:
        """Remember a verified token. good_until: seconds since the Unix epoch, leeway included."""
        if self._size == 0:
            return
        self._entries[digest] = (principal, key_set, good_until)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Drop the entry, if there is one."""
        self._entries.pop(digest, None)
