"""What belongs together in a PKCS#12: the key that is meant, its certificate, and who issued which."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InvalidField, KMIPError, MalformedKey
from .asymmetric import derive_public_key
from .der import INTEGER, SEQUENCE, read_sequence
from .pkcs12 import PKCS12Contents, PKCS12Entry

_VERSION = 0xA0


def choose_key(contents: PKCS12Contents, friendly_name: str | None) -> PKCS12Entry:
    """The only key, or the one of this name, in whatever case (KMIP 2.1 §4.39). Raises InvalidField."""
    keys = contents.keys
    if not keys:
        raise InvalidField(
            "the PKCS#12 has no private key: register each of its certificates as a Certificate"
        )
    if friendly_name is not None:
        keys = tuple(
            key for key in keys if (key.friendly_name or "").lower() == friendly_name.lower()
        )
    if len(keys) == 1:
        return keys[0]
    if keys:
        raise InvalidField(
            f"the PKCS#12 has {len(keys)} private keys: say which by PKCS12FriendlyName, and import it once for each"
        )
    raise InvalidField("the PKCS#12 has no private key of the name that PKCS12FriendlyName says")


def find_certificate(contents: PKCS12Contents, key: PKCS12Entry) -> int | None:
    """The index of the key's certificate: the one with its public key; where none can be computed, of its id."""
    try:
        public = derive_public_key(key.octets).reveal()
    except KMIPError:  # a key that the server keeps, and does not use
        public = None
    for index, certificate in enumerate(contents.certificates):
        if public is None:
            if key.key_id is not None and certificate.key_id == key.key_id:
                return index
        elif _read_fields(certificate.octets.reveal())[2] == public:
            return index
    return None


def select_chain(contents: PKCS12Contents, leaf: int | None) -> tuple[int, ...]:
    """The certificates to keep beside the key: its own first. Those of other keys are left out, with their chains.

    Where the file has one key, all of its certificates are kept.
    """
    indexes = range(len(contents.certificates))
    if len(contents.keys) == 1:
        return (*(() if leaf is None else (leaf,)), *(at for at in indexes if at != leaf))
    chain: list[int] = []
    while leaf is not None and leaf not in chain:
        chain.append(leaf)
        leaf = find_issuer(contents.certificates, leaf)
    return tuple(chain)


def find_issuer(certificates: Sequence[PKCS12Entry], index: int) -> int | None:
    """The index of the certificate whose subject is this one's issuer; None for a root, or where it is not there.

    Names are compared, and no signature is checked: whom to trust is the client's decision.
    """
    issuer, subject, _ = _read_fields(certificates[index].octets.reveal())
    if not issuer or issuer == subject:
        return None
    for candidate, other in enumerate(certificates):
        if candidate != index and _read_fields(other.octets.reveal())[1] == issuer:
            return candidate
    return None


def _read_fields(octets: bytes) -> tuple[bytes, bytes, bytes]:
    """(issuer, subject, SPKI) of a certificate, in DER; empty for octets that are none."""
    try:
        body = read_sequence(octets).read_sequence()
        if body.has_next(_VERSION):
            body.read(_VERSION)
        body.read(INTEGER)
        body.read(SEQUENCE)
        issuer = body.read_raw(SEQUENCE)
        body.read(SEQUENCE)
        return issuer, body.read_raw(SEQUENCE), body.read_raw(SEQUENCE)
    except MalformedKey:
        return b"", b"", b""
