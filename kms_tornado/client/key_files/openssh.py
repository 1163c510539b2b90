"""Public keys of OpenSSH, read into KMIP objects by `cryptography`. Its private keys are PEM files (`containers`)."""

from __future__ import annotations

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ...kmip.objects import Object
from .errors import KeyFileError
from .kmip_objects import make_public_key

_SSH_PUBLIC = (b"ssh-", b"ecdsa-sha2-")
_SSH2_BEGIN = b"---- BEGIN SSH2 PUBLIC KEY ----"


def is_ssh_public(octets: bytes) -> bool:
    return octets.startswith((*_SSH_PUBLIC, _SSH2_BEGIN))


def read_ssh_public(octets: bytes) -> tuple[Object, ...]:
    """The public key of a line such as `ssh-ed25519 AAAA…`, or of a file of RFC 4716. Raises KeyFileError."""
    try:
        line = _read_rfc4716(octets) if octets.startswith(_SSH2_BEGIN) else octets
        return (make_public_key(load_ssh_public_key(line)),)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(
            "the OpenSSH public key is malformed, or of a type that is not supported"
        ) from None


def _read_rfc4716(octets: bytes) -> bytes:
    """The same key on one line (RFC 4716 §3.3): headers are `Name: value`, and continue after a backslash."""
    body, is_header = [], False
    for line in map(bytes.strip, octets.splitlines()[1:]):
        if line.startswith(b"----"):
            break
        if is_header or b":" in line:
            is_header = line.endswith(b"\\")
        else:
            body.append(line)
    encoded = b"".join(body)
    blob = base64.b64decode(encoded, validate=True)
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")] + b" " + encoded
