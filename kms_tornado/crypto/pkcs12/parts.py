"""What belongs together in a PKCS#12: the key that is meant, its certificate, and which certificate issued which."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InvalidField, KMIPError
from ..keys.certificates import CertificateFields, split_fields
from ..keys.loading import derive_public_key
from .files import PKCS12Contents, PKCS12Entry


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
    """The index of the key's certificate: the one with its public key, or if that cannot be computed, with its id."""
    try:
        public = derive_public_key(key.octets).reveal()
    except KMIPError:  # a key that the server keeps, and does not use
        public = None
    for index, certificate in enumerate(contents.certificates):
        if public is None:
            if key.key_id is not None and certificate.key_id == key.key_id:
                return index
        elif (fields := _split(certificate)) is not None and fields.public_key.raw == public:
            return index
    return None


def select_chain(
    contents: PKCS12Contents, leaf: int | None, issuers: Sequence[int | None]
) -> tuple[int, ...]:
    """The certificates to keep beside the key: its own first. Those of other keys are left out, with their chains.

    Where the file has one key, all of its certificates are kept. issuers: from `find_issuers`.
    """
    indexes = range(len(contents.certificates))
    if len(contents.keys) == 1:
        return (*(() if leaf is None else (leaf,)), *(at for at in indexes if at != leaf))
    chain: list[int] = []
    while leaf is not None and leaf not in chain:
        chain.append(leaf)
        leaf = issuers[leaf]
    return tuple(chain)


def find_issuers(certificates: Sequence[PKCS12Entry]) -> tuple[int | None, ...]:
    """For each certificate, the index of the one whose subject is its issuer; None for a root, or where it is missing.

    Names are compared, and no signature is checked: whom to trust is the client's decision.
    """
    fields = [_split(certificate) for certificate in certificates]
    by_subject: dict[bytes, int] = {}
    for index, own in enumerate(fields):
        if own is not None:
            by_subject.setdefault(own.subject.raw, index)
    return tuple(
        None if own is None or own.issuer.raw == own.subject.raw else by_subject.get(own.issuer.raw)
        for own in fields
    )


def _split(certificate: PKCS12Entry) -> CertificateFields | None:
    """The fields of a certificate; None where the octets are not one."""
    try:
        return split_fields(certificate.octets.reveal())
    except InvalidField:
        return None
