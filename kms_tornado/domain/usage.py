"""What a key may be used for: its Cryptographic Usage Mask (KMIP 2.1 §4.17)."""

from __future__ import annotations

from ..errors import IncompatibleCryptographicUsageMask
from ..kmip.enums import CryptographicUsageMask


def check_usage(mask: int | None, needed: CryptographicUsageMask) -> None:
    """Raises IncompatibleCryptographicUsageMask unless the mask has the bit.

    No mask restricts nothing (cloudproof_kms_js creates keys without one); nor does Unrestricted.
    """
    if mask is None or mask & (needed | CryptographicUsageMask.UNRESTRICTED):
        return
    raise IncompatibleCryptographicUsageMask(
        f"the key's usage mask does not allow {needed.name or needed}"
    )
