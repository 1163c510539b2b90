"""Reads a key file: in the format that is named, or else in the one that it shows.

What each format may hold stands in FORMATS; the names are those of Cosmian's command line and ours.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...kmip.enums import CryptographicAlgorithm, ObjectType, SecretDataType
from ...kmip.objects import OBJECT_CLASSES, Object
from .containers import is_pem, read_der, read_pem
from .der import is_der
from .errors import KeyFileError
from .json_ttlv import read_json_ttlv
from .jwk import is_jwk, read_jwk
from .kmip_objects import make_secret_data, make_symmetric_key, summarise_object
from .openssh import is_ssh_public, read_ssh_public
from .pkcs12 import read_pkcs12

_A = CryptographicAlgorithm
_T = ObjectType
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{32,}")


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What the file itself does not say.

    raw_type: SYMMETRIC_KEY or SECRET_DATA if plain octets may be one, else None.
    algorithm: of a symmetric key; None for AES, or what a JWK states.
    password: of an encrypted file.
    """

    raw_type: ObjectType | None = None
    algorithm: CryptographicAlgorithm | None = None
    secret_type: SecretDataType = SecretDataType.PASSWORD
    password: bytes | None = field(default=None, repr=False)


def read_key_file(
    octets: bytes, options: ReadingOptions, file_format: str | None = None
) -> tuple[Object, ...]:
    """The objects in the file, at least one, in its order.

    file_format: one of FORMATS; None to detect it. Raises KeyFileError, including PasswordRequired.
    """
    if not octets:
        raise KeyFileError("the file is empty")
    if file_format is None:
        return _detect(octets, options)
    reader, types = FORMATS[file_format]
    objects = reader(octets, options)
    for managed in objects:
        if types and not isinstance(managed, tuple(OBJECT_CLASSES[one] for one in types)):
            raise KeyFileError(
                f"the file holds {summarise_object(managed).text}, not {file_format}"
            )
    return objects


# --- detection ----------------------------------------------------------------------------------


def _decode_utf_16(octets: bytes) -> bytes:
    """The UTF-8 of a PEM file that PowerShell's > wrote; anything else unchanged."""
    if not octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return octets
    try:
        text = octets.decode("utf-16").encode()
    except UnicodeError:
        return octets
    return text if is_pem(text) else octets


_KEYSTORE = "`keytool -importkeystore -srckeystore STORE -destkeystore COPY.p12 -deststoretype PKCS12` converts it"
#: How files begin that are not read here → what they are, and what to do.
_FOREIGN: Mapping[bytes, str] = {
    b"\xfe\xed\xfe\xed": f"a Java keystore (JKS): {_KEYSTORE}",
    b"\xce\xce\xce\xce": f"a Java keystore (JCEKS): {_KEYSTORE}",
    b"PuTTY-User-Key-File-": "a key of PuTTY: `puttygen KEY.ppk -O private-openssh-new -o COPY` converts it",
}


def _detect(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    if options.raw_type is None:  # a secret may begin with anything
        for beginning, wording in _FOREIGN.items():
            if octets.startswith(beginning):
                raise KeyFileError(f"the file is {wording}")
        octets = _decode_utf_16(octets)
    if is_pem(octets):
        return read_pem(octets, options.password)
    if is_der(octets):
        return read_der(octets, options.password)
    if is_ssh_public(octets):
        return read_ssh_public(octets)
    tree = _parse_object(octets)
    if is_jwk(tree):
        return read_jwk(octets, options.algorithm)
    if isinstance(tree, dict) and "tag" in tree:
        return (read_json_ttlv(octets),)
    if options.raw_type is _T.SECRET_DATA:
        return _read_raw(octets, options)
    return _detect_without_marks(octets, options)


def _parse_object(octets: bytes) -> object:
    """The JSON object in the file; None where there is none. The reader of its format then checks it strictly."""
    if not octets.lstrip().startswith(b"{"):
        return None
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        return None


def _detect_without_marks(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    """The objects of a file whose format does not show: base64, or the octets of a symmetric key."""
    text = octets.strip()
    if _HEXADECIMAL.fullmatch(text):
        raise KeyFileError(
            "the file may be hexadecimal, base64 or the key itself: name --key-format base64 or raw"
        )
    decoded = _decode_base64(text)
    if decoded is not None and (is_der(decoded) or len(decoded) in _KEY_SIZES):
        return _read_decoded(decoded, options)
    if options.raw_type is _T.SYMMETRIC_KEY and len(octets) in _KEY_SIZES:
        return _read_raw(octets, options)
    tried = "PEM, DER, PKCS#12, OpenSSH, JWK, JSON TTLV, base64"
    if options.raw_type is not None:
        sizes = ", ".join(map(str, sorted(_KEY_SIZES)))
        raise KeyFileError(f"the file is none of {tried} nor a raw key of {sizes} bytes")
    raise KeyFileError(f"the file is none of {tried}")


#: The lengths, in bytes, of symmetric keys that are recognised without a format: AES, ChaCha20, HMAC.
_KEY_SIZES = frozenset({16, 20, 24, 28, 32, 48, 64})


# --- readers ------------------------------------------------------------------------------------


def _read_raw(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    if options.raw_type is _T.SECRET_DATA:
        return (make_secret_data(octets, options.secret_type),)
    if options.raw_type is _T.SYMMETRIC_KEY:
        return (make_symmetric_key(octets, options.algorithm or _A.AES),)
    raise KeyFileError("only symmetric keys and secret data can be raw octets")


def _read_base64(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    decoded = _decode_base64(octets.strip())
    if not decoded:
        raise KeyFileError("the file is not base64")
    return _read_decoded(decoded, options)


def _read_decoded(decoded: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    if is_der(decoded) and options.raw_type is not _T.SECRET_DATA:
        return read_der(decoded, options.password)
    return _read_raw(decoded, options)


def _decode_base64(text: bytes) -> bytes | None:
    """The octets; None where the text is not base64, with or without line breaks, in either alphabet."""
    compact = b"".join(text.split())
    standard = compact.replace(b"-", b"+").replace(b"_", b"/")
    padded = standard + b"=" * (-len(standard) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except (ValueError, binascii.Error):
        return None


def _read_pem_or_der(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    octets = _decode_utf_16(octets)
    read = read_pem if is_pem(octets) else read_der
    return read(octets, options.password)


def _read_openssh(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    if is_ssh_public(octets):
        return read_ssh_public(octets)
    return read_pem(octets, options.password)


def _read_algorithm(
    algorithm: CryptographicAlgorithm,
) -> Callable[[bytes, ReadingOptions], tuple[Object, ...]]:
    def read(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
        if options.raw_type is not _T.SYMMETRIC_KEY:
            raise KeyFileError("only a symmetric key is read as aes or chacha20")
        return (make_symmetric_key(octets, algorithm),)

    return read


def _read_pkcs12(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    return read_pkcs12(octets, options.password)


def _read_jwk(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    return read_jwk(octets, options.algorithm)


def _read_json_ttlv(octets: bytes, options: ReadingOptions) -> tuple[Object, ...]:
    return (read_json_ttlv(octets),)


Reader = Callable[[bytes, ReadingOptions], tuple[Object, ...]]

_PRIVATE, _PUBLIC, _KEYS = {_T.PRIVATE_KEY}, {_T.PUBLIC_KEY}, {_T.PRIVATE_KEY, _T.PUBLIC_KEY}

#: Format → (its reader, the types of object that it may hold; none named: all).
FORMATS: Mapping[str, tuple[Reader, set[ObjectType]]] = {
    "json-ttlv": (_read_json_ttlv, set()),
    "pem": (_read_pem_or_der, set()),
    "der": (_read_pem_or_der, set()),
    "chain": (_read_pem_or_der, {_T.CERTIFICATE}),
    "pkcs12": (_read_pkcs12, set()),
    "jwk": (_read_jwk, set()),
    "openssh": (_read_openssh, _KEYS),
    "sec1": (_read_pem_or_der, _PRIVATE),
    "sec1-pem": (_read_pem_or_der, _PRIVATE),
    "sec1-der": (_read_pem_or_der, _PRIVATE),
    "pkcs1-priv": (_read_pem_or_der, _PRIVATE),
    "pkcs1-pub": (_read_pem_or_der, _PUBLIC),
    "pkcs1-pem": (_read_pem_or_der, _KEYS),
    "pkcs1-der": (_read_pem_or_der, _KEYS),
    "pkcs8-priv": (_read_pem_or_der, _PRIVATE),
    "pkcs8-pub": (_read_pem_or_der, _PUBLIC),
    "pkcs8-pem": (_read_pem_or_der, _PRIVATE),
    "pkcs8-der": (_read_pem_or_der, _PRIVATE),
    "spki-pem": (_read_pem_or_der, _PUBLIC),
    "spki-der": (_read_pem_or_der, _PUBLIC),
    "aes": (_read_algorithm(_A.AES), set()),
    "chacha20": (_read_algorithm(_A.CHACHA20), set()),
    "base64": (_read_base64, set()),
    "raw": (_read_raw, set()),
}
