"""Writes an object as a key file, in a format that exists for its type.

The object is PKCS#8, SPKI, DER or raw octets; for json-ttlv and raw, it may have any form. A wrapped one can be written
only in these two and base64.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ...kmip.objects import Certificate, Object, PrivateKey, PublicKey
from .der import is_pkcs8, is_spki
from .errors import KeyFileError
from .json_ttlv import write_json_ttlv
from .jwk import write_jwk
from .kmip_objects import is_wrapped, load_asymmetric_key, octets_of, summarise_object

_PEM, _DER = Encoding.PEM, Encoding.DER

_OPENSSH_TYPES = (
    rsa.RSAPrivateKey,
    rsa.RSAPublicKey,
    ed25519.Ed25519PrivateKey,
    ed25519.Ed25519PublicKey,
)
_OPENSSH_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})

#: Formats that can hold an object in whatever form the server has it, wrapped or not.
FORMATS_OF_ANY_OBJECT = frozenset({"json-ttlv", "raw", "base64"})

#: Formats that are text, and so may be shown on a terminal.
TEXT_FORMATS = frozenset(
    {
        "json-ttlv",
        "jwk",
        "jwk-set",
        "base64",
        "openssh",
        "pem",
        "sec1-pem",
        "pkcs1-pem",
        "pkcs8-pem",
        "spki-pem",
    }
)


def write_key_file(managed: Object, file_format: str, identifier: str | None = None) -> bytes:
    """The file's octets. file_format: one of FORMAT_NAMES. identifier: of the object, for the `kid` of a JWK.

    Raises KeyFileError where the object cannot have the format.
    """
    if is_wrapped(managed) and file_format not in FORMATS_OF_ANY_OBJECT:
        raise KeyFileError(
            f"a wrapped key is written as {', '.join(sorted(FORMATS_OF_ANY_OBJECT))},"
            f" not as {file_format}: add --unwrap to have it in the clear"
        )
    if file_format in {"jwk", "jwk-set"}:
        return write_jwk(managed, identifier, as_set=file_format == "jwk-set")
    return FORMATS[file_format](managed)


def _write_base64(managed: Object) -> bytes:
    return base64.b64encode(octets_of(managed)) + b"\n"


def _write_natural(managed: Object, *, encoding: Encoding) -> bytes:
    """PKCS#8, SPKI or X.509, according to the type of the object."""
    if isinstance(managed, Certificate):
        return _encode(managed.certificate_value, "CERTIFICATE", encoding)
    if isinstance(managed, PrivateKey):
        return _write_private(managed, encoding=encoding)
    if isinstance(managed, PublicKey):
        return _write_spki(managed, encoding=encoding)
    raise _refusal(managed, "pem and der hold certificates, private and public keys")


def _write_private(managed: Object, *, encoding: Encoding) -> bytes:
    """PKCS#8 as the server returned it, so that nothing of the key is lost."""
    if not isinstance(managed, PrivateKey):
        raise _refusal(managed, "PKCS#8 holds private keys")
    octets = octets_of(managed)
    if not is_pkcs8(octets):
        key = load_asymmetric_key(managed)
        octets = key.private_bytes(_DER, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[union-attr]
    return _encode(octets, "PRIVATE KEY", encoding)


def _write_spki(managed: Object, *, encoding: Encoding) -> bytes:
    if not isinstance(managed, PublicKey):
        raise _refusal(managed, "SPKI holds public keys")
    octets = octets_of(managed)
    if not is_spki(octets):
        key = load_asymmetric_key(managed)
        octets = key.public_bytes(_DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[union-attr]
    return _encode(octets, "PUBLIC KEY", encoding)


def _encode(octets: bytes, label: str, encoding: Encoding) -> bytes:
    if encoding is _DER:
        return octets
    body = base64.b64encode(octets)
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return b"\n".join(
        (f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----\n".encode())
    )


def _write_openssh(managed: Object) -> bytes:
    if not isinstance(managed, PrivateKey | PublicKey):
        raise _refusal(managed, "OpenSSH has private and public keys")
    key: Any = load_asymmetric_key(managed)
    if not _has_openssh_type(key):
        raise KeyFileError(
            "OpenSSH has RSA keys and those on P-256, P-384, P-521 and Ed25519: export this one as pem"
        )
    if isinstance(managed, PrivateKey):
        written: bytes = key.private_bytes(_PEM, PrivateFormat.OpenSSH, NoEncryption())
        return written
    line: bytes = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return line + b"\n"


def _has_openssh_type(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return key.curve.name in _OPENSSH_CURVES
    return isinstance(key, _OPENSSH_TYPES)


def _write_pkcs1(managed: Object, *, encoding: Encoding) -> bytes:
    if isinstance(managed, PrivateKey | PublicKey):
        key = load_asymmetric_key(managed)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        if isinstance(key, rsa.RSAPublicKey):
            return key.public_bytes(encoding, PublicFormat.PKCS1)
    raise _refusal(managed, "PKCS#1 holds RSA keys")


def _write_sec1(managed: Object, *, encoding: Encoding) -> bytes:
    if isinstance(managed, PrivateKey):
        key = load_asymmetric_key(managed)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    raise _refusal(managed, "SEC1 holds private keys on curves such as P-256")


def _refusal(managed: Object, text: str) -> KeyFileError:
    return KeyFileError(f"{text}, and this is {summarise_object(managed).text}")


#: Format → its writer; those of JWK take the identifier, too.
FORMATS: Mapping[str, Callable[[Object], bytes]] = {
    "json-ttlv": write_json_ttlv,
    "pem": partial(_write_natural, encoding=_PEM),
    "der": partial(_write_natural, encoding=_DER),
    "sec1-pem": partial(_write_sec1, encoding=_PEM),
    "sec1-der": partial(_write_sec1, encoding=_DER),
    "pkcs1-pem": partial(_write_pkcs1, encoding=_PEM),
    "pkcs1-der": partial(_write_pkcs1, encoding=_DER),
    "pkcs8-pem": partial(_write_private, encoding=_PEM),
    "pkcs8-der": partial(_write_private, encoding=_DER),
    "spki-pem": partial(_write_spki, encoding=_PEM),
    "spki-der": partial(_write_spki, encoding=_DER),
    "openssh": _write_openssh,
    "base64": _write_base64,
    "raw": octets_of,
}

FORMAT_NAMES = (*FORMATS, "jwk", "jwk-set")
