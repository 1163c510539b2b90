"""Cryptographic usage masks (KMIP.md §6, §10)."""

from __future__ import annotations

import pytest

from kms_tornado.domain.usage import check_usage
from kms_tornado.errors import IncompatibleCryptographicUsageMask
from kms_tornado.kmip.enums import CryptographicUsageMask as Mask


@pytest.mark.parametrize("needed", [Mask.ENCRYPT, Mask.DECRYPT])
@pytest.mark.parametrize("bit", Mask)
def test_a_bit_allows_itself_alone_and_unrestricted_allows_all(needed, bit):
    if bit in {needed, Mask.UNRESTRICTED}:
        check_usage(int(bit), needed)
    else:
        with pytest.raises(IncompatibleCryptographicUsageMask, match=needed.name):
            check_usage(int(bit), needed)


@pytest.mark.parametrize("mask", [None, 12, 2108], ids=["none", "both", "cosmian_kms"])
def test_masks_of_the_published_clients_allow_encryption(mask):
    check_usage(mask, Mask.ENCRYPT)
    check_usage(mask, Mask.DECRYPT)


def test_a_mask_without_bits_allows_nothing():
    with pytest.raises(IncompatibleCryptographicUsageMask):
        check_usage(0, Mask.ENCRYPT)
