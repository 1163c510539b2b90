"""The code of a row: keyed BLAKE2b, the same for the same message, and never out of the process."""

from __future__ import annotations

import hashlib
import pickle

import pytest

from kms_tornado.crypto.sealing.row_mac import RowMAC

KEY = bytes(range(32))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 1000])
def test_a_code_is_keyed_blake2b_of_the_message(length):
    mac, message = RowMAC(KEY), bytes(length)
    for _ in range(2):
        assert mac(message) == hashlib.blake2b(message, key=KEY, digest_size=32).digest()
    assert mac(message) != RowMAC(bytes(32))(message)


def test_its_key_does_not_leave_the_process():
    mac = RowMAC(KEY)
    assert KEY.hex() not in repr(mac)
    with pytest.raises(TypeError):
        pickle.dumps(mac)
