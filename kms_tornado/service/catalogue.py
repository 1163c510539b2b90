"""What each operation works on: Query's object types and the README's table come from here.

Which operations there are stands in the operation table, `service.OPERATIONS`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..kmip.enums import ObjectType, Operation

_CERTIFICATE, _SYMMETRIC, _PUBLIC, _PRIVATE, _SECRET, _OPAQUE = ALL = (
    ObjectType.CERTIFICATE,
    ObjectType.SYMMETRIC_KEY,
    ObjectType.PUBLIC_KEY,
    ObjectType.PRIVATE_KEY,
    ObjectType.SECRET_DATA,
    ObjectType.OPAQUE_OBJECT,
)


@dataclass(frozen=True, slots=True)
class Support:
    """object_types: () where the operation names no object. note: for the README."""

    object_types: tuple[ObjectType, ...] = ()
    note: str = ""


SUPPORT: Mapping[Operation, Support] = {
    Operation.CREATE: Support(
        (_SYMMETRIC,), "AES, ChaCha20, HMAC; Active at once, but in a message Pre-Active"
    ),
    Operation.CREATE_KEY_PAIR: Support(
        (_PUBLIC, _PRIVATE), "RSA, EC P-256, P-384, P-521, Ed25519, X25519"
    ),
    Operation.REGISTER: Support(ALL, "formats below; a wrapped key is kept wrapped"),
    Operation.RE_KEY: Support((_SYMMETRIC,), "the old key still decrypts; its Name goes over"),
    Operation.RE_KEY_KEY_PAIR: Support((_PUBLIC, _PRIVATE), "as ReKey"),
    Operation.DERIVE_KEY: Support(
        (_SYMMETRIC, _SECRET), "HKDF, PBKDF2, HMAC, hash, encryption, NIST 800-108 (counter)"
    ),
    Operation.LOCATE: Support(ALL, "every attribute, dates as ranges; at most 1000 a page"),
    Operation.CHECK: Support(ALL),
    Operation.GET: Support(ALL, "formats below; Sensitive objects only wrapped"),
    Operation.GET_ATTRIBUTES: Support(ALL, "also of destroyed objects"),
    Operation.GET_ATTRIBUTE_LIST: Support(ALL, "also of destroyed objects"),
    Operation.ADD_ATTRIBUTE: Support(ALL),
    Operation.SET_ATTRIBUTE: Support(ALL),
    Operation.MODIFY_ATTRIBUTE: Support(ALL, "Sensitive and Extractable can only be tightened"),
    Operation.DELETE_ATTRIBUTE: Support(ALL),
    Operation.ACTIVATE: Support(ALL),
    Operation.REVOKE: Support(ALL),
    Operation.DESTROY: Support(ALL, "wipes the key, keeps the attributes; not while Active"),
    Operation.QUERY: Support(),
    Operation.DISCOVER_VERSIONS: Support((), "2.1 and 2.0"),
    Operation.ENCRYPT: Support(
        (_SYMMETRIC, _PUBLIC, _CERTIFICATE), "symmetric: whole, or in parts by Correlation Value"
    ),
    Operation.DECRYPT: Support((_SYMMETRIC, _PRIVATE), "as Encrypt"),
    Operation.SIGN: Support(
        (_PRIVATE,), "RSA PSS and PKCS#1 v1.5, ECDSA, Ed25519; whole, or in parts"
    ),
    Operation.SIGNATURE_VERIFY: Support((_PUBLIC, _CERTIFICATE), "as Sign"),
    Operation.MAC: Support(
        (_SYMMETRIC, _SECRET), "HMAC with SHA-1, SHA-2, SHA-3, AES-CMAC; whole, or in parts"
    ),
    Operation.MAC_VERIFY: Support((_SYMMETRIC, _SECRET), "as MAC"),
    Operation.HASH: Support((), "SHA-1, SHA-2, SHA-3; whole, or in parts"),
    Operation.RNG_RETRIEVE: Support((), "random octets of the operating system"),
    Operation.RNG_SEED: Support((), "taken, and not needed"),
    Operation.IMPORT: Support(
        ALL,
        "as Register, under an identifier of the client's choice; KeyWrapType NotWrapped unwraps",
    ),
    Operation.EXPORT: Support(ALL, "as Get, with the attributes, in any state"),
    Operation.INTEROP: Support((), "only with `--kmip-interop`: Begin and End, into the log"),
    Operation.LOG: Support((), "only with `--kmip-interop`: one line into the log"),
}


def object_types(offered: Collection[Operation]) -> tuple[ObjectType, ...]:
    """The types of object that any of the operations works on, in KMIP's order."""
    found = {each for operation in offered for each in SUPPORT[operation].object_types}
    return tuple(each for each in ObjectType if each in found)
