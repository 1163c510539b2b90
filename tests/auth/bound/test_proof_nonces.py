"""Nonces that no server remembers."""

from __future__ import annotations

import pytest

from kms_tornado.auth.bound.proof_nonces import NONCE_LIFETIME_S, ProofNonces

from ...rows import each_row
from ..samples import NOW

KEY = bytes(range(32))
NONCES = ProofNonces(KEY, leeway_s=60)


def test_every_process_with_the_key_takes_a_nonce_until_it_is_old() -> None:
    nonce = NONCES.make(NOW)
    end = NOW + NONCE_LIFETIME_S + 60
    other = ProofNonces(KEY, leeway_s=60)
    assert other.find_end(nonce, NOW) == end
    assert other.find_end(nonce, end - 1) == end
    assert other.find_end(nonce, end) is None


def test_the_leeway_counts_where_the_other_process_has_a_clock_that_is_fast() -> None:
    nonce = NONCES.make(NOW + 50)
    assert NONCES.find_end(nonce, NOW) is not None
    assert NONCES.find_end(nonce, NOW - 11) is None


@each_row(
    "nonce",
    [
        "",
        "x",
        "é",
        "\ud800",
        NONCES.make(NOW)[:-1],
        NONCES.make(NOW) + "A",
        NONCES.make(NOW) + "==",
        ProofNonces(bytes(32), 60).make(NOW),
        "A" * len(NONCES.make(NOW)),
        "A" * 8000,
    ],
)
def test_what_was_not_made_with_the_key_is_no_nonce(nonce: str) -> None:
    assert NONCES.find_end(nonce, NOW) is None


def test_every_changed_character_makes_it_another_one() -> None:
    nonce = NONCES.make(NOW)
    for place, character in enumerate(nonce):
        changed = nonce[:place] + ("B" if character != "B" else "C") + nonce[place + 1 :]
        assert NONCES.find_end(changed, NOW) is None


def test_a_nonce_is_old_in_the_second_half_of_its_life() -> None:
    nonce = NONCES.make(NOW)
    assert not NONCES.is_old(nonce, NOW + NONCE_LIFETIME_S / 2)
    assert NONCES.is_old(nonce, NOW + NONCE_LIFETIME_S / 2 + 1)


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ProofNonces(b"short", 60)
