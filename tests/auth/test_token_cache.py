"""What is remembered of verified tokens, and for how long."""

from __future__ import annotations

import pytest

from kms_tornado.auth.principal import Claims, Principal
from kms_tornado.auth.token_cache import TokenCache

from ..keys import jwk
from .samples import ISSUER, NOW, key_set

WHO = Principal("alice", "alice", ISSUER, Claims(), NOW + 600)
KEYS = key_set(jwk("ES256"))
UNTIL = NOW + 660.0


def test_a_remembered_token_is_found_with_the_keys_that_verified_it() -> None:
    cache = TokenCache(10)
    digest = cache.digest("a.b.c")
    assert cache.get(digest) is None
    cache.put(digest, WHO, KEYS, UNTIL)
    entry = cache.get(digest)
    assert entry is not None
    assert entry[0] is WHO
    assert entry[1] is KEYS
    assert entry[2] == UNTIL
    assert (cache.hits, cache.misses) == (1, 1)


@pytest.mark.parametrize(
    "other", ["a.b.C", "a.b.c ", "a.b", "A.b.c", "a.b.c=", "", "a.b.\ud800", "\u00e9"]
)
def test_another_token_is_not_found(other: str) -> None:
    cache = TokenCache(10)
    cache.put(cache.digest("a.b.c"), WHO, KEYS, UNTIL)
    assert cache.get(cache.digest(other)) is None


def test_the_cache_holds_no_token() -> None:
    cache = TokenCache(10)
    cache.put(cache.digest("secret.secret.secret"), WHO, KEYS, UNTIL)
    assert b"secret" not in repr(vars(cache)).encode()


def test_the_least_recently_used_token_is_forgotten_first() -> None:
    cache = TokenCache(3)
    digests = [cache.digest(str(i)) for i in range(4)]
    for digest in digests[:3]:
        cache.put(digest, WHO, KEYS, UNTIL)
    cache.get(digests[0])
    cache.put(digests[3], WHO, KEYS, UNTIL)
    assert len(cache) == 3
    assert [cache.get(digest) is not None for digest in digests] == [True, False, True, True]


def test_the_same_token_again_takes_no_more_room() -> None:
    cache = TokenCache(2)
    for _ in range(5):
        cache.put(cache.digest("a"), WHO, KEYS, UNTIL)
    cache.put(cache.digest("b"), WHO, KEYS, UNTIL)
    assert len(cache) == 2


def test_size_zero_remembers_nothing() -> None:
    cache = TokenCache(0)
    cache.put(cache.digest("a"), WHO, KEYS, UNTIL)
    assert len(cache) == 0
    assert cache.get(cache.digest("a")) is None


def test_a_forgotten_token_is_gone_and_may_be_forgotten_again() -> None:
    cache = TokenCache(2)
    cache.put(cache.digest("a"), WHO, KEYS, UNTIL)
    cache.forget(cache.digest("a"))
    cache.forget(cache.digest("a"))
    assert cache.get(cache.digest("a")) is None
