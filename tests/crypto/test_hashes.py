"""The hashes that are offered, and data in parts; vectors: test_vectors."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.hashes import HASHES, Hasher, compute_digest, find_hash
from kms_tornado.errors import UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import HashingAlgorithm as H
from kms_tornado.kmip.tables import format_name

from ..rows import each_row


@pytest.mark.parametrize("algorithm", sorted(set(H) - set(HASHES)), ids=lambda each: each.name)
def test_hashes_that_are_broken_or_rare_are_not_offered(algorithm):
    with pytest.raises(UnsupportedCryptographicParameters, match=format_name(algorithm)):
        find_hash(algorithm)


def test_hashes_that_are_offered():
    assert {each.name for each in HASHES} == {
        "SHA_1", "SHA_224", "SHA_256", "SHA_384", "SHA_512", "SHA_512_224", "SHA_512_256",
        "SHA3_224", "SHA3_256", "SHA3_384", "SHA3_512",
    }  # fmt: skip


@each_row("algorithm", HASHES, ids=lambda each: each.name)
def test_parts_make_the_hash_of_the_whole(algorithm):
    hasher = Hasher(algorithm)
    hasher.update(b"pay ")
    hasher.update(b"12 EUR")
    assert hasher.finish() == compute_digest(algorithm, b"pay 12 EUR")
