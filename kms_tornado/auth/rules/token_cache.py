"""TokenCache: verified tokens, so that their next request costs a digest and no signature check."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from ..issuers.keyset import KeySet
from ..principal import Principal

#: Characters of a token of which as many as the size says are remembered. Most have half of it; without this bound
#: 10,000 of the longest would take hundreds of MiB.
COMMON_LENGTH = 2048


class TokenCache:
    """At most `size` verified tokens; the least recently used one goes first. 0 remembers nothing.

    Fewer are remembered where they are long: together they have at most `size` times COMMON_LENGTH characters.

    Entries are found by a 256-bit digest of the whole token: a core dump of the cache leaks no token,
    and no two tokens share an entry. Each is bound to the very KeySet that verified it, and worthless
    once the issuer's keys have changed. The caller compares keys and time.
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
        """Whether there is an entry, good or not. Neither a hit nor a miss."""
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
        """Remember a verified token. good_until: seconds since the Unix epoch, leeway included.

        length: the token's, as its claims take memory in proportion to it.
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
