"""What the octets of a key look like, for the error where they are not in the format that was stated.

Only shapes are looked at: the first bytes, and the types of the elements in DER. It tells somebody who mixed
two formats up which one to state; nothing is read from a key because it looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ...errors import InvalidField
from ...kmip.enums import KeyFormatType
from .der import BIT_STRING, INTEGER, OCTET_STRING, SEQUENCE, read_sequence
from .encodings import CONTEXT_0, CONTEXT_1

_F = KeyFormatType

#: Keys are smaller. What is longer is not looked at, so that a wrong guess costs nothing.
_MAX_OCTETS = 64 * 1024

#: How octets begin that are no DER → what they look like.
_BEGINNINGS: Mapping[bytes, str] = MappingProxyType(
    {
        b"-----BEGIN": "PEM: send the DER inside it, as `-outform DER` of openssl writes it",
        b"openssh-key-v1\0": "an OpenSSH private key: `ssh-keygen -p -m PKCS8` converts it",
        b"ssh-": "an OpenSSH public key: `ssh-keygen -e -m PKCS8` converts it",
        b"ecdsa-sha2-": "an OpenSSH public key: `ssh-keygen -e -m PKCS8` converts it",
        b"{": "a JSON Web Key: send the key in DER",
    }
)
_BASE64 = re.compile(rb"M[A-Za-z0-9+/_-]{20,}[A-Za-z0-9+/_\s-]*=*\s*")  # M: of a SEQUENCE
_HEXADECIMAL = re.compile(rb"30[0-9A-Fa-f\s]{40,}")

_CERTIFICATE = "X.509: register a Certificate, or send its public key (SubjectPublicKeyInfo)"
_ENCRYPTED = "an encrypted PKCS#8: decrypt it first, as no request has its password"
_PKCS12 = "PKCS#12: state KeyFormatType PKCS_12, or let `kmsctl certificates import` take it apart"
#: The tags of the elements in a SEQUENCE → what it looks like, and the format that it then has.
_SHAPES: Mapping[tuple[int, ...], tuple[str, _F | None]] = MappingProxyType(
    {
        (INTEGER,) * 9: ("a private key in PKCS#1: state KeyFormatType PKCS_1", _F.PKCS1),
        (INTEGER,) * 2: ("a public key in PKCS#1: state KeyFormatType PKCS_1", _F.PKCS1),
        (INTEGER,) * 6: (
            "a DSA key as old versions of openssl write it: convert it to PKCS#8",
            None,
        ),
        (SEQUENCE, BIT_STRING): (
            "a public key in SubjectPublicKeyInfo: state KeyFormatType X_509",
            _F.X509,
        ),
        (SEQUENCE, SEQUENCE, BIT_STRING): (_CERTIFICATE, None),
        (SEQUENCE, OCTET_STRING): (_ENCRYPTED, None),
        (INTEGER, SEQUENCE): (_PKCS12, _F.PKCS12),
        (INTEGER, SEQUENCE, SEQUENCE): (_PKCS12, _F.PKCS12),
        **dict.fromkeys(
            (
                (INTEGER, OCTET_STRING),
                (INTEGER, OCTET_STRING, CONTEXT_0),
                (INTEGER, OCTET_STRING, CONTEXT_1),
                (INTEGER, OCTET_STRING, CONTEXT_0, CONTEXT_1),
            ),
            ("an EC private key in SEC1: state KeyFormatType ECPrivateKey", _F.EC_PRIVATE_KEY),
        ),
    }
)
_PKCS8_BEGINNING = (INTEGER, SEQUENCE, OCTET_STRING)
_PKCS8 = ("a private key in PKCS#8: state KeyFormatType PKCS_8", _F.PKCS8)


def recognise_key(octets: bytes, stated: KeyFormatType) -> str | None:
    """What the octets look like, and what to do then, in words.

    stated: the format that the octets are not in. None where they look like it all the same, or like
    nothing that is known here.
    """
    if len(octets) > _MAX_OCTETS:
        return None
    text = octets.removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, wording in _BEGINNINGS.items():
        if text.startswith(beginning):
            return wording
    if _BASE64.fullmatch(text):
        return "Base64: send the octets that it encodes"
    if _HEXADECIMAL.fullmatch(text):
        return "hexadecimal digits encoded once more: send the octets that they stand for"
    try:
        tags = tuple(element[0] for element in read_sequence(octets).read_rest())
    except InvalidField:
        return None
    look = _PKCS8 if tags[:3] == _PKCS8_BEGINNING else _SHAPES.get(tags)
    return None if look is None or look[1] is stated else look[0]
