"""What the cryptographic operations have in common beside `Call.fetch_to_use` and `Call.spend`."""

from __future__ import annotations

from ..domain.managed_object import ManagedObject
from ..kmip.structures import CryptographicParameters

#: Bytes above which a computation is worth a thread: AES-GCM does about 1 MiB in a millisecond.
OFFLOAD_BYTES = 256 * 1024


def parameters_of(
    target: ManagedObject, wanted: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The request's parameters; where it gives none, the key's own (KMIP 2.1 §6.1.15)."""
    return target.attributes.cryptographic_parameters if wanted is None else wanted
