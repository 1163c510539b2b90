"""Where a new object may be stored."""

from __future__ import annotations

import pytest

from kms_tornado.domain.protection_storage import (
    check_protection_storage,
    check_protection_storage_of_pair,
)
from kms_tornado.errors import (
    PrivateProtectionStorageUnavailable,
    ProtectionStorageUnavailable,
    PublicProtectionStorageUnavailable,
)
from kms_tornado.kmip.structures import ProtectionStorageMasks

from ..rows import each_row

SOFTWARE, HARDWARE, ON_SYSTEM = 1, 2, 8


@each_row(
    "permitted",
    [
        None,
        ProtectionStorageMasks(),
        ProtectionStorageMasks((SOFTWARE,)),
        ProtectionStorageMasks((HARDWARE, SOFTWARE)),
        ProtectionStorageMasks((0,)),
    ],
)
def test_storage_in_software_is_what_there_is(permitted):
    check_protection_storage(permitted)
    check_protection_storage_of_pair(permitted, permitted, permitted)


@each_row(
    "permitted",
    [
        ProtectionStorageMasks((HARDWARE,)),
        ProtectionStorageMasks((SOFTWARE | HARDWARE,)),
        ProtectionStorageMasks((HARDWARE, SOFTWARE | ON_SYSTEM)),
        ProtectionStorageMasks((-1,)),
    ],
)
def test_each_permitted_combination_is_met_as_a_whole_or_not_at_all(permitted):
    with pytest.raises(ProtectionStorageUnavailable):
        check_protection_storage(permitted)


def test_error_says_which_half_of_a_pair_is_meant():
    hardware, software = (ProtectionStorageMasks((mask,)) for mask in (HARDWARE, SOFTWARE))
    with pytest.raises(ProtectionStorageUnavailable):
        check_protection_storage_of_pair(hardware, software, software)
    with pytest.raises(PrivateProtectionStorageUnavailable):
        check_protection_storage_of_pair(software, hardware, software)
    with pytest.raises(PublicProtectionStorageUnavailable):
        check_protection_storage_of_pair(software, software, hardware)
