"""UsableKey: an object whose key material an operation may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...crypto.material import KeyMaterial
from ...domain.managed_object import ManagedObject


# One is made for each use of a key. Not frozen: a frozen dataclass takes four times as long to make.
@dataclass(slots=True)
class UsableKey:
    """An object whose key material may be used, and a function that returns it.

    open: returns the plaintext, which must not be used after the operation has ended. It opens the envelope each time
    it is called, and not before, so a request that is refused because of its parameters costs no decryption. Raises
    ObjectDestroyed, SealBroken.
    """

    target: ManagedObject
    open: Callable[[], KeyMaterial] = field(repr=False)
