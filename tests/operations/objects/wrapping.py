"""Wrapping keys of the tests, and how a request asks for a wrapped key."""

from __future__ import annotations

from ...kmip_items import flag, name, structure, uid

KEY = bytes(range(16))
KEK = bytes(range(32))
#: Bits of the usage mask.
WRAP, UNWRAP, ENCRYPT, DECRYPT = 0x10, 0x20, 4, 8


def under(key, mode=None, encoding=None):
    """A KeyWrappingSpecification."""
    parameters = (
        []
        if mode is None
        else [structure("CryptographicParameters", name("BlockCipherMode", mode))]
    )
    return structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(key), *parameters),
        *([] if encoding is None else [name("EncodingOption", encoding)]),
    )


def wrapped_bytes(answer):
    """The key material in the answer to Get or Export."""
    (held,) = answer["Object", "KeyBlock", "KeyValue", "KeyMaterial"]
    return bytes.fromhex(held["value"])


def sensitive_kek(user, mask=WRAP | UNWRAP, *more):
    """A new wrapping key that nobody reads."""
    return user.create(flag("Sensitive", True), *more, mask=mask)


def come_back(user, answer, *more):
    """Import what Get gave, unwrapped by the server."""
    block = answer["Object", "KeyBlock"]
    return user.do(
        "Import",
        uid(""),
        name("ObjectType", answer["ObjectType"]),
        name("KeyWrapType", "NotWrapped"),
        structure("Attributes", *more),
        structure("Object", structure("KeyBlock", *block)),
    ).uid
