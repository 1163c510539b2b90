"""PEM and DER files, read into KMIP objects by `cryptography`."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_public_key,
    load_pem_public_key,
    pkcs7,
)

from ...kmip.enums import CryptographicAlgorithm
from ...kmip.objects import Object
from .der import find_key_algorithm, is_certificate, is_der, is_pkcs7, is_pkcs8, is_pkcs12, is_spki
from .errors import KeyFileError, PasswordRequired, WrongPassword
from .kmip_objects import (
    enclose_private_key,
    enclose_public_key,
    make_certificate,
    make_private_key,
    make_public_key,
)
from .loading import load_der, load_pem, load_ssh
from .pkcs12 import read_pkcs12

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\n.*?-----END \1-----", re.DOTALL)
_PRIVATE_LABELS = frozenset(
    {"ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"}
)
_CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
# OpenSSL writes them before the key, which repeats them.
_SKIPPED_LABELS = frozenset({"EC PARAMETERS"})

#: What `cryptography` raises for a file that is no key of the kind that it was asked to load.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


# --- PEM ----------------------------------------------------------------------------------------


def is_pem(octets: bytes) -> bool:
    return b"-----BEGIN " in octets


def read_pem(octets: bytes, password: bytes | None = None) -> tuple[Object, ...]:
    """Every key and certificate of the file, in its order.

    Raises KeyFileError, and PasswordRequired or WrongPassword for an encrypted key.
    """
    objects: list[Object] = []
    # Lines end as they do on any system, and may be indented, as in YAML.
    text = b"\n".join(line.strip() for line in octets.splitlines())
    for match in _PEM_BLOCK.finditer(text):
        objects += _read_block(match[1].decode(), match[0] + b"\n", password)
    if not objects:
        raise KeyFileError("the file has no complete PEM block with a key or a certificate")
    return tuple(objects)


def _read_block(label: str, block: bytes, password: bytes | None) -> list[Object]:
    if label in _SKIPPED_LABELS:
        return []
    try:
        if label in _CERTIFICATE_LABELS:
            return [_read_certificate(_decode_pem(block))]
        if label == "PUBLIC KEY":
            return [_read_spki(_decode_pem(block))]
        if label == "RSA PUBLIC KEY":
            return [make_public_key(load_pem_public_key(block))]
        if label == "PKCS7":
            certificates = pkcs7.load_pem_pkcs7_certificates(block)
            return [make_certificate(one.public_bytes(Encoding.DER)) for one in certificates]
    except _UNREADABLE:
        raise KeyFileError(f"the PEM block {label} is malformed") from None
    if label == "PRIVATE KEY":
        return [_read_pkcs8(_decode_pem(block), "the PEM block PRIVATE KEY")]
    if label in _PRIVATE_LABELS:
        return [_load_private(load_pem, block, password, f"the PEM block {label}")]
    if label == "OPENSSH PRIVATE KEY":
        return [_load_private(load_ssh, block, password, "the OpenSSH key")]
    raise KeyFileError(f"the file has a PEM block {label}, which is no key and no certificate")


def _decode_pem(block: bytes) -> bytes:
    """The octets of a block without headers; none where it is not base64."""
    lines = block.strip().splitlines()[1:-1]
    try:
        return base64.b64decode(b"".join(line.strip() for line in lines), validate=True)
    except binascii.Error:
        return b""


def _read_pkcs8(octets: bytes, what: str) -> Object:
    """The private key, as exactly these octets."""
    algorithm = find_key_algorithm(octets)
    if algorithm is None or not is_pkcs8(octets):
        return _load_private(load_der, octets, None, what)
    if algorithm is not CryptographicAlgorithm.DH:  # the library warns of each of them
        try:
            load_der(octets, None)
        except UnsupportedAlgorithm:  # such as a curve: the server knows more
            pass
        except (ValueError, TypeError):
            raise KeyFileError(
                f"{what} is malformed, or no private key of a supported type"
            ) from None
    return enclose_private_key(octets, algorithm)


def _read_spki(octets: bytes) -> Object:
    """As `_read_pkcs8`, for a public key. Raises one of _UNREADABLE."""
    algorithm = find_key_algorithm(octets)
    if algorithm is None or not is_spki(octets):
        return make_public_key(load_der_public_key(octets))
    if algorithm is not CryptographicAlgorithm.DH:
        with contextlib.suppress(UnsupportedAlgorithm):
            load_der_public_key(octets)
    return enclose_public_key(octets, algorithm)


def _read_certificate(octets: bytes) -> Object:
    """The certificate, byte for byte. Raises ValueError."""
    if not is_der(octets):
        raise ValueError
    return make_certificate(octets)


def _load_private(
    load: Callable[[bytes, bytes | None], PrivateKeyTypes],
    octets: bytes,
    password: bytes | None,
    what: str,
) -> Object:
    """The private key, loaded.

    It is tried without the password first, which must not be given where nothing is encrypted.
    """
    try:
        return make_private_key(load(octets, None))
    except TypeError:
        if password is None:
            raise PasswordRequired(f"{what} is encrypted") from None
    except UnsupportedAlgorithm as exc:
        raise KeyFileError(f"{what} is in a form that is not supported: {exc}") from None
    except ValueError:
        raise KeyFileError(f"{what} is malformed, or no private key of a supported type") from None
    try:
        return make_private_key(load(octets, password))
    except UnsupportedAlgorithm as exc:
        raise KeyFileError(f"{what} is encrypted in a way that is not supported: {exc}") from None
    except (ValueError, TypeError):
        raise WrongPassword(f"the password does not open {what}") from None


# --- DER ----------------------------------------------------------------------------------------


def read_der(octets: bytes, password: bytes | None = None) -> tuple[Object, ...]:
    """The key or certificate; for a PKCS#12 file, everything in it. Raises as `read_pem` does."""
    if not is_der(octets):
        raise KeyFileError("the file is no DER, or it is truncated")
    if is_pkcs12(octets):
        return read_pkcs12(octets, password)
    if is_pkcs7(octets):
        return _read_der_pkcs7(octets)
    if is_certificate(octets):
        return (make_certificate(octets),)
    with contextlib.suppress(*_UNREADABLE):
        return (_read_spki(octets),)
    if is_pkcs8(octets):
        return (_read_pkcs8(octets, "the DER file"),)
    return (_load_private(load_der, octets, password, "the DER file"),)


def _read_der_pkcs7(octets: bytes) -> tuple[Object, ...]:
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(octets)
    except _UNREADABLE:
        certificates = []
    if not certificates:
        raise KeyFileError("the file looks like PKCS#7, and has no certificates that can be read")
    return tuple(make_certificate(one.public_bytes(Encoding.DER)) for one in certificates)
