"""Derivation of objects that nobody may read, so that no other operation shows their bytes.

An object is hidden if it is Sensitive or not Extractable. The methods of DeriveKey are standards, and others
of the server's functions compute the same: HMAC and SP 800-108 are a MAC, PBKDF2 with one iteration is one,
too, derivation by encryption is Encrypt, and the hash of a key is its Digest. DeriveKey itself would show the
bytes of a hidden object as those of one that is not hidden. So there are four rules for hidden objects:

1. A base may do nothing but derive: its usage mask is DeriveKey alone.
2. Its owner derives them. A right to derive_key would otherwise give its holder an object of their own with
   the same bytes, and with other uses.
3. What is derived from one base is hidden or not, always as it was the first time. A system tag of the base
   records which. A base that is hidden itself gives hidden objects only.
4. They are long enough not to be guessed, and never a plain hash of their base.

The Secret Data that holds the derivation data is a base like the other: HMAC, of which it is the message and
a known key the key, is the first step of HKDF from it (RFC 5869 §2.2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ...crypto.policy import Technique
from ...domain.access import is_owner
from ...domain.managed_object import ManagedObject
from ...domain.usage import usage_mask_of
from ...errors import IncompatibleCryptographicUsageMask, PermissionDenied, SensitiveObject
from ...kmip.attributes import Attributes
from ...kmip.enums import CryptographicUsageMask
from .call import Call

#: Shortest hidden object (SP 800-131A). A short one can be guessed by trying all values, and longer results
#: of the same derivation then byte by byte: in the end the whole derived key, and the data that was
#: encrypted with it.
MIN_HIDDEN_BITS = 112

#: System tags of a base: what was derived from it is hidden, or is not.
HIDDEN_RESULTS_TAG, READABLE_RESULTS_TAG = "_derived_hidden", "_derived_readable"

_DERIVE_KEY = int(CryptographicUsageMask.DERIVE_KEY)


def is_hidden(attributes: Attributes) -> bool:
    """Whether nobody may read an object with these attributes in the clear."""
    return bool(attributes.sensitive) or attributes.extractable is False


def check_derivation(
    call: Call,
    bases: Sequence[ManagedObject],
    length: int,
    technique: Technique,
    *,
    hides: bool,
) -> None:
    """Refuse a derivation that would show the bytes of a hidden object.

    bases: the base, and perhaps the Secret Data with the derivation data. length: of the new object, in
    bytes. hides: whether the new object is hidden.
    Raises IncompatibleCryptographicUsageMask, PermissionDenied, SensitiveObject.
    """
    if not hides:
        if any(HIDDEN_RESULTS_TAG in base.tags for base in bases):
            raise SensitiveObject(
                "what was derived from this base is Sensitive or not Extractable, and so is all that "
                "will be: ask for a Sensitive object, or derive from another base"
            )
        if technique is Technique.DERIVATION_BY_ENCRYPTION:
            _check_no_key_stream(call, bases[0])
        return
    if any(READABLE_RESULTS_TAG in base.tags for base in bases):
        raise SensitiveObject(
            "what was derived from this base can be read, and so can all that will be: derive a "
            "Sensitive object, or one that is not Extractable, from another base"
        )
    if technique is Technique.DERIVATION_BY_HASH:
        raise SensitiveObject(
            "a Sensitive object, or one that is not Extractable, is never a plain hash of its base: "
            "use another derivation method, such as HKDF"
        )
    for base in bases:
        _check_derives_for_owner(call, base)
    if 8 * length < MIN_HIDDEN_BITS:
        raise SensitiveObject(
            "what is derived from a Sensitive object, or is Sensitive itself, has at least "
            f"{MIN_HIDDEN_BITS} bits"
        )


def _check_no_key_stream(call: Call, base: ManagedObject) -> None:
    """Raises PermissionDenied where the result could be the key stream of the owner's messages.

    The caller chooses the blocks that are encrypted, and counter blocks give the key stream of GCM.
    """
    if not is_owner(call.principal, base) and usage_mask_of(base) != _DERIVE_KEY:
        raise PermissionDenied(
            "derivation by encryption, for others than the owner, takes a base whose usage mask is "
            "DeriveKey alone"
        )


def _check_derives_for_owner(call: Call, base: ManagedObject) -> None:
    """Raises unless the base may do nothing but derive, and the caller owns it."""
    if not is_owner(call.principal, base):
        raise PermissionDenied(
            "a Sensitive object, or one that is not Extractable, is derived by the owner of its base, "
            "who can grant the use of it"
        )
    if usage_mask_of(base) != _DERIVE_KEY:
        raise IncompatibleCryptographicUsageMask(
            "a Sensitive object, or one that is not Extractable, is derived from an object whose usage "
            "mask is DeriveKey alone"
        )


def record_results(base: ManagedObject, *, hides: bool) -> ManagedObject:
    """The base, with a record of whether its results are hidden; unchanged where it has that record already."""
    tag = HIDDEN_RESULTS_TAG if hides else READABLE_RESULTS_TAG
    return base if tag in base.tags else dataclasses.replace(base, tags=base.tags | {tag})
