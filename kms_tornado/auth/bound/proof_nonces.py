"""Nonces for DPoP proofs (RFC 9449 §9), which no server has to remember.

A nonce is the time at which it was made, together with a MAC, so every process that has the MAC's key accepts the
nonces of the others. A nonce shows that a proof was made recently, whatever the client's clock says. It does not show
that the proof is used for the first time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from ...errors import MalformedToken
from ..tokens.compact import decode_segment

#: Seconds for which a nonce is good. A client that is idle for longer asks twice.
NONCE_LIFETIME_S = 120

LEAST_KEY_BYTES = 16

_TIME, _CODE = 6, 16  # bytes; a guess at a code of 128 bits is hopeless


class ProofNonces:
    """Makes nonces and checks them.

    key: at least 16 bytes, shared by all processes that are to accept each other's nonces.
    leeway_s: the clock skew that is allowed between these processes.
    """

    def __init__(self, key: bytes, leeway_s: float) -> None:
        if len(key) < LEAST_KEY_BYTES:
            raise ValueError(f"a key of nonces has {LEAST_KEY_BYTES} bytes at least")
        self._key = key
        self._leeway_s = leeway_s

    def make(self, now: float) -> str:
        """A new nonce. now: seconds since the Unix epoch."""
        time = int(now).to_bytes(_TIME, "big")
        return base64.urlsafe_b64encode(time + self._compute_code(time)).rstrip(b"=").decode()

    def find_end(self, nonce: str, now: float) -> float | None:
        """When the nonce stops being good, leeway included; None where it is not good, or was made with another key."""
        try:
            octets = decode_segment(nonce.encode("ascii"))
        except (MalformedToken, UnicodeEncodeError):
            return None
        time, code = octets[:_TIME], octets[_TIME:]
        if not hmac.compare_digest(code, self._compute_code(time)):
            return None
        made_at = int.from_bytes(time, "big")
        end = made_at + NONCE_LIFETIME_S + self._leeway_s
        return end if made_at - self._leeway_s <= now < end else None

    def is_old(self, nonce: str, now: float) -> bool:
        """Whether a good nonce has used up more than half of its time, so that the client is given a new one."""
        end = self.find_end(nonce, now)
        return end is None or end - self._leeway_s - now < NONCE_LIFETIME_S / 2

    def _compute_code(self, time: bytes) -> bytes:
        return hmac.digest(self._key, b"DPoP nonce" + time, hashlib.sha256)[:_CODE]
