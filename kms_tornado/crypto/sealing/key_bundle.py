"""KeyBundle: the keys of a database that stay the same whichever master key seals.

They are derived from the database's first master key, so a database with one master key stores nothing more. For every
other master key of the database, they are stored sealed under that key, and so outlast the first one:

    sealed bundle = format (1) | nonce (12) | keys (3 x 32) and tag (16)
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ..cursor_seal import KEY_BYTES as CURSOR_KEY_BYTES
from ..cursor_seal import CursorSeal
from .row_mac import RowMAC

_KEY = 32
BUNDLE_BYTES = 3 * _KEY


class KeyBundle:
    """The keys that belong to a database.

    row_mac: authenticates the rows of the database.
    kept_keys_mac: authenticates the issuers' keys that are kept for a restart.
    identify: makes the identity of key material, under which its nonces are recorded.
    """

    __slots__ = ("_keys", "identify", "kept_keys_mac", "row_mac")

    def __init__(self, keys: bytes) -> None:
        """keys: BUNDLE_BYTES, the keys for row MACs, for identities and for kept keys."""
        self._keys = keys
        self.row_mac = RowMAC(keys[:_KEY])
        self.identify = RowMAC(keys[_KEY : 2 * _KEY])
        self.kept_keys_mac = RowMAC(keys[2 * _KEY :])

    def reveal(self) -> bytes:
        """The keys, to seal them."""
        return self._keys

    def make_cursor_seal(self) -> CursorSeal:
        """The seal for cursors, the same on all servers of the database.

        HKDF-Expand is enough (RFC 5869 §3.3), because the keys are uniformly random.
        """
        label = b"kms_tornado key bundle: cursors"
        return CursorSeal(HKDFExpand(SHA256(), CURSOR_KEY_BYTES, label).derive(self._keys))

    def is_same_as(self, other: KeyBundle) -> bool:
        return hmac.compare_digest(self._keys, other._keys)

    def __repr__(self) -> str:
        return "KeyBundle(***)"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a key bundle does not leave the process")
