"""What is remembered of verified tokens, and for how long."""

from __future__ import annotations

from kms_tornado.auth.principal import Claims, Principal
from kms_tornado.auth.rules.token_cache import COMMON_LENGTH, TokenCache

from ...keys import jwk
from ...rows import each_row
from ..samples import ISSUER, NOW, key_set

WHO = Principal("alice", "alice", ISSUER, Claims(), NOW + 600)
KEYS = key_set(jwk("ES256"))
UNTIL = NOW + 660.0


def test_a_remembered_token_is_found_with_the_keys_that_verified_it() -> None:
    cache = TokenCache(10)
    digest = cache.digest("a.b.c")
    assert cache.get(digest) is None
    cache.put(digest, WHO, KEYS, UNTIL, 5)
    entry = cache.get(digest)
    assert entry is not None
    assert entry[0] is WHO
    assert entry[1] is KEYS
    assert entry[2] == UNTIL
    assert (cache.hits, cache.misses) == (1, 1)


@each_row("other", ["a.b.C", "a.b.c ", "a.b", "A.b.c", "a.b.c=", "", "a.b.\ud800", "\u00e9"])
def test_another_token_is_not_found(other: str) -> None:
    cache = TokenCache(10)
    cache.put(cache.digest("a.b.c"), WHO, KEYS, UNTIL, 5)
    assert cache.get(cache.digest(other)) is None


def test_the_cache_holds_no_token() -> None:
    cache = TokenCache(10)
    cache.put(cache.digest("secret.secret.secret"), WHO, KEYS, UNTIL, 5)
    assert b"secret" not in repr(vars(cache)).encode()


def test_the_least_recently_used_token_is_forgotten_first() -> None:
    cache = TokenCache(3)
    digests = [cache.digest(str(i)) for i in range(4)]
    for digest in digests[:3]:
        cache.put(digest, WHO, KEYS, UNTIL, 5)
    cache.get(digests[0])
    cache.put(digests[3], WHO, KEYS, UNTIL, 5)
    assert len(cache) == 3
    assert [cache.get(digest) is not None for digest in digests] == [True, False, True, True]


def test_the_same_token_again_takes_no_more_room() -> None:
    cache = TokenCache(2)
    for _ in range(5):
        cache.put(cache.digest("a"), WHO, KEYS, UNTIL, 5)
    cache.put(cache.digest("b"), WHO, KEYS, UNTIL, 5)
    assert len(cache) == 2


def test_of_long_tokens_fewer_are_remembered() -> None:
    cache = TokenCache(100)
    digests = [cache.digest(str(i)) for i in range(100)]
    for digest in digests:
        cache.put(digest, WHO, KEYS, UNTIL, 8 * COMMON_LENGTH)
        cache.put(digest, WHO, KEYS, UNTIL, 8 * COMMON_LENGTH)  # again: counts once
    assert len(cache) == 12
    assert cache.get(digests[-1]) is not None


def test_what_is_forgotten_makes_room_for_others() -> None:
    cache = TokenCache(2)
    for name in "abcdef":
        cache.put(cache.digest(name), WHO, KEYS, UNTIL, 2 * COMMON_LENGTH)
        cache.forget(cache.digest(name))
    cache.put(cache.digest("g"), WHO, KEYS, UNTIL, COMMON_LENGTH)
    cache.put(cache.digest("h"), WHO, KEYS, UNTIL, COMMON_LENGTH)
    assert len(cache) == 2


def test_one_token_is_remembered_however_long_it_is() -> None:
    cache = TokenCache(1)
    cache.put(cache.digest("a"), WHO, KEYS, UNTIL, 8 * COMMON_LENGTH)
    assert cache.get(cache.digest("a")) is not None


def test_size_zero_remembers_nothing() -> None:
    cache = TokenCache(0)
    cache.put(cache.digest("a"), WHO, KEYS, UNTIL, 5)
    assert len(cache) == 0
    assert cache.get(cache.digest("a")) is None


def test_a_forgotten_token_is_gone_and_may_be_forgotten_again() -> None:
    cache = TokenCache(2)
    cache.put(cache.digest("a"), WHO, KEYS, UNTIL, 5)
    cache.forget(cache.digest("a"))
    cache.forget(cache.digest("a"))
    assert cache.get(cache.digest("a")) is None
