"""What the octets of a key or a certificate look like, for the error where they are not what was stated.

Only shapes are looked at: the first bytes, and the types of the elements in DER. A user who mixed up two formats learns
which one to state; no key is read in a format only because it looks like it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ...errors import InvalidField
from ...kmip.enums import KeyFormatType
from .ber_reader import BERReader, MalformedBER, read_single
from .der import BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, read_sequence
from .encodings import CONTEXT_0, CONTEXT_1

_F = KeyFormatType

#: Keys are smaller. What is longer is not looked at, so that a wrong guess costs nothing.
_MAX_OCTETS = 64 * 1024

_OPENSSH = (
    "an OpenSSH private key: `ssh-keygen -p -N '' -m PKCS8 -f COPY` makes a copy of it PKCS#8 without a passphrase, "
    "and `openssl pkey` DER of that"
)
_OPENSSH_PUBLIC = "an OpenSSH public key: `ssh-keygen -e -m PKCS8` converts it"
_KEYSTORE = "`keytool -importkeystore -srckeystore STORE -destkeystore COPY.p12 -deststoretype PKCS12` converts it"
#: How octets begin that are neither DER nor PEM → what they look like.
_BEGINNINGS: Mapping[bytes, str] = MappingProxyType(
    {
        b"openssh-key-v1\0": _OPENSSH,
        b"ssh-": _OPENSSH_PUBLIC,
        b"ecdsa-sha2-": _OPENSSH_PUBLIC,
        b"---- BEGIN SSH2": "an SSH2 public key: `ssh-keygen -i` makes an OpenSSH public key of it, and `ssh-keygen -e -m PKCS8` PEM of that",
        b"PuTTY-User-Key-File-": "a key of PuTTY: `puttygen KEY.ppk -O private-openssh-new -o COPY` and then `ssh-keygen` convert it",
        b"\xfe\xed\xfe\xed": f"a Java keystore (JKS): {_KEYSTORE}",
        b"\xce\xce\xce\xce": f"a Java keystore (JCEKS): {_KEYSTORE}",
        b"{": "a JSON Web Key: send the key in DER",
        b"\xff\xfe-\0": "PEM in UTF-16, as PowerShell's > writes it: send the DER inside it",
    }
)
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_DECRYPT = (
    "decrypt it first, as no request carries its password: `openssl pkey -in KEY -outform DER -out COPY`, or let "
    "`kmsctl` import the file, which asks for the password"
)
# The base64 of a SEQUENCE begins with M.
_BASE64 = re.compile(rb"M[A-Za-z0-9+/_-]{20,}[A-Za-z0-9+/_\s-]*=*\s*")
_HEXADECIMAL = re.compile(rb"30[0-9A-Fa-f\s]{40,}")

_CERTIFICATE = "X.509: register a Certificate, or send its public key (SubjectPublicKeyInfo)"
_ENCRYPTED = f"an encrypted PKCS#8: {_DECRYPT}"
_PKCS7 = "PKCS#7: `openssl pkcs7 -inform DER -print_certs` takes the certificates out; register each as a Certificate"
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
        (OID, CONTEXT_0): (_PKCS7, None),
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
    """In words: what the octets look like, and what to do then.

    stated: the format in which the octets are not. None where they look like that format all the same, or like nothing
    that is known here.
    """
    if len(octets) > _MAX_OCTETS:
        return None
    if (text := _recognise_text(octets)) is not None:
        return text
    try:
        tags = tuple(element[0] for element in read_sequence(octets).read_rest())
    except InvalidField:
        return None
    look = _PKCS8 if tags[:3] == _PKCS8_BEGINNING else _SHAPES.get(tags)
    return None if look is None or look[1] is stated else look[0]


def _recognise_text(octets: bytes) -> str | None:
    text = octets.removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, wording in _BEGINNINGS.items():
        if text.startswith(beginning):
            return wording
    block = _PEM.search(text)
    if block is not None:
        return _recognise_pem(block[1], text)
    if _BASE64.fullmatch(text):
        return "Base64: send the octets that it encodes"
    if _HEXADECIMAL.fullmatch(text):
        return "hexadecimal digits encoded once more: send the octets that they stand for"
    return None


def _recognise_pem(label: bytes, text: bytes) -> str:
    if label == b"OPENSSH PRIVATE KEY":
        return _OPENSSH
    if label == b"ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in text:
        return f"PEM of an encrypted private key: {_DECRYPT}"
    if label.startswith(b"PGP "):
        return "an OpenPGP key, which no operation uses: register it as an OpaqueObject to keep it"
    if label == b"PKCS7":
        return "PKCS#7 in PEM: register each of its certificates, in DER, as a Certificate"
    return "PEM: send the DER inside it, as `-outform DER` of openssl writes it"


# --- certificates -------------------------------------------------------------------------------

_TIMES = (0x17, 0x18)
_PRIVATE_KEY = "a private key: register a PrivateKey"
#: The tags of the elements in a SEQUENCE → what it looks like.
_SHAPES_BESIDE: Mapping[tuple[int, ...], str] = MappingProxyType(
    {
        (OID, CONTEXT_0): _PKCS7,
        (INTEGER, SEQUENCE): "PKCS#12: take the certificate out of it first",
        (INTEGER, SEQUENCE, SEQUENCE): "PKCS#12: take the certificate out of it first",
        (SEQUENCE, BIT_STRING): "a public key: register a PublicKey",
        (SEQUENCE, OCTET_STRING): "an encrypted private key",
        (INTEGER, SEQUENCE, OCTET_STRING): _PRIVATE_KEY,
        (INTEGER,) * 9: _PRIVATE_KEY,
    }
)


def recognise_certificate(octets: bytes) -> str | None:
    """What octets look like that are not a certificate, and what to do then; None where that is not known here."""
    if len(octets) > _MAX_OCTETS:
        return None
    if (text := _recognise_text(octets)) is not None:
        return text
    try:
        elements = read_single(octets, SEQUENCE).read_all(most=9)
    except MalformedBER:
        return _recognise_beginning(octets)
    tags = tuple(element.tag for element in elements)
    if tags == (SEQUENCE, SEQUENCE, BIT_STRING):
        return _recognise_signed(elements[0].content)
    return _SHAPES_BESIDE.get(tags)


def _recognise_signed(body: bytes) -> str | None:
    """Which other kind of signed data this is, if it is known."""
    try:
        tags = tuple(element.tag for element in BERReader(body).read_all(most=8))
    except MalformedBER:
        return None
    if tags == (INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0):
        return "a certificate request: send the certificate that its issuer makes of it"
    if any(tags[at : at + 3] == (SEQUENCE, SEQUENCE, time) for at in (0, 1) for time in _TIMES):
        return "a list of revoked certificates, which this server does not keep"
    return None


def _recognise_beginning(octets: bytes) -> str | None:
    """The text for a DER SEQUENCE whose end is missing, according to its length."""
    if octets[:2] == b"\x30\x82" and len(octets) >= 4:
        stated = 4 + int.from_bytes(octets[2:4], "big")
        if len(octets) < stated:
            return f"DER that was cut off: {len(octets)} of {stated} bytes are here"
    return None
