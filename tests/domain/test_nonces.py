"""Whose nonces a key takes, and how many the server may make."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from kms_tornado.domain.nonces import (
    MAX_SERVER_NONCES,
    RESERVED_BLOCK,
    NonceSource,
    add_reserved,
    check_caller_may_choose,
    check_server_may_choose,
    mix_sources,
)
from kms_tornado.errors import NoncesSpent, WrongNonceSource


@pytest.mark.parametrize(
    ("fixed", "caller", "server"),
    [
        (None, True, True),
        (NonceSource.SERVER, False, True),
        (NonceSource.CALLER, True, False),
        (NonceSource.SERVER_UNRECORDED, False, True),
        (NonceSource.MIXED, False, False),
    ],
)
def test_the_first_source_stays_the_only_one(fixed, caller, server):
    for check, is_allowed in (
        (check_caller_may_choose, caller),
        (check_server_may_choose, server),
    ):
        with nullcontext() if is_allowed else pytest.raises(WrongNonceSource):
            check(fixed)
        with nullcontext() if is_allowed else pytest.raises(WrongNonceSource):
            check(None if fixed is None else int(fixed))


def test_refusals_say_what_to_do():
    with pytest.raises(WrongNonceSource, match=r"leave IVCounterNonce out; .* ReKey"):
        check_caller_may_choose(NonceSource.SERVER)
    with pytest.raises(WrongNonceSource, match=r"send IVCounterNonce; .* ReKey"):
        check_server_may_choose(NonceSource.CALLER)
    with pytest.raises(WrongNonceSource, match=r"wrap with AES-KWP; .* ReKey"):
        check_server_may_choose(NonceSource.CALLER, instead="wrap with AES-KWP")
    for check in (check_caller_may_choose, check_server_may_choose):
        with pytest.raises(WrongNonceSource, match="from the server and from callers: ReKey"):
            check(NonceSource.MIXED)
    with pytest.raises(NoncesSpent, match="ReKey"):
        add_reserved(MAX_SERVER_NONCES, 1)


def test_the_server_makes_two_to_the_thirty_second_nonces_and_no_more():
    assert MAX_SERVER_NONCES == 2**32
    assert RESERVED_BLOCK == 2**16
    assert add_reserved(2**32 - RESERVED_BLOCK, RESERVED_BLOCK) == 2**32
    for reserved, count in ((2**32, 1), (2**32 - 1, 2), (2**32 - 1, RESERVED_BLOCK)):
        with pytest.raises(NoncesSpent):
            add_reserved(reserved, count)
    assert add_reserved(2**32, 0) == 2**32


def test_material_with_objects_of_either_source_is_mixed():
    server, caller, mixed = NonceSource.SERVER, NonceSource.CALLER, NonceSource.MIXED
    for fixed in (server, caller, mixed):
        for added in (server, caller):
            assert mix_sources(fixed, added) is (fixed if fixed is added else mixed)
