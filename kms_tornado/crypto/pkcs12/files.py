"""PKCS#12 files (RFC 7292), taken apart: private keys, certificates, and their names.

The keys come out as they are, whether or not an operation could use them. The library loads only keys that it can use,
and only one of them, and does not report the others. What this module does not accept is an error, and never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import BadPassword, InvalidField, MalformedKey, UnsupportedCryptographicParameters
from ..keys.der import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    DERReader,
    malformed_key_error,
    read_sequence,
)
from ..material import KeyMaterial
from .ber_to_der import convert_to_der, join_parts
from .passwords import (
    NO_PASSWORDS,
    Password,
    WorkBudget,
    decrypt_by_password,
    verify_mac,
    wrong_password_error,
)

_DATA = bytes.fromhex("2a864886f70d010701")
_ENCRYPTED_DATA = bytes.fromhex("2a864886f70d010706")
_BAG = bytes.fromhex("2a864886f70d010c0a01")
_KEY_BAG, _SHROUDED_KEY_BAG, _CERTIFICATE_BAG, _CRL_BAG, _SECRET_BAG, _NESTED_BAGS = range(1, 7)
_X509 = bytes.fromhex("2a864886f70d01091601")
_FRIENDLY_NAME = bytes.fromhex("2a864886f70d010914")
_LOCAL_KEY_ID = bytes.fromhex("2a864886f70d010915")
_EXPLICIT_0, _IMPLICIT_0 = 0xA0, 0x80
_SET, _BMP_STRING = 0x31, 0x1E

#: The most objects that one request stores. Chains have about four certificates.
MAX_OBJECTS = 50
_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class PKCS12Entry:
    """octets: PKCS#8 or an X.509 certificate. key_id: the same for a key and its certificate, if any."""

    octets: KeyMaterial
    friendly_name: str | None = None
    key_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class PKCS12Contents:
    """The contents, in the order of the file."""

    keys: tuple[PKCS12Entry, ...]
    certificates: tuple[PKCS12Entry, ...]


@dataclass(frozen=True, slots=True)
class _Opening:
    """What is needed to open one file, and what was found so far."""

    password: Password
    budget: WorkBudget
    keys: list[PKCS12Entry] = field(default_factory=list)
    certificates: list[PKCS12Entry] = field(default_factory=list)

    def decrypt(self, algorithm: DERReader, ciphertext: bytes) -> bytes:
        return decrypt_by_password(algorithm, ciphertext, self.password, self.budget)


def open_pkcs12(octets: bytes, password: bytes | None) -> PKCS12Contents:
    """The contents of the file. This can take a second, so run it on a thread.

    password: in UTF-8; None or b"" for an empty one, or none.
    Raises BadPassword, InvalidField, MalformedKey, UnsupportedCryptographicParameters.
    """
    candidates = (Password.of(password),) if password else NO_PASSWORDS
    budget = WorkBudget()
    for candidate in candidates:
        try:
            return _open(octets, _Opening(candidate, budget))
        except BadPassword:
            continue
    if not password:
        raise BadPassword("the PKCS#12 is encrypted, and no password came with it")
    raise wrong_password_error()


def _open(octets: bytes, opening: _Opening) -> PKCS12Contents:
    pfx = read_sequence(convert_to_der(octets))
    if pfx.read_integer() != 3:
        raise malformed_key_error()
    oid, content = _read_content_info(pfx.read_sequence())
    if oid != _DATA:
        raise UnsupportedCryptographicParameters(
            "the PKCS#12 is signed instead of having a MAC: write it anew by `openssl pkcs12`"
        )
    safe = content.read(OCTET_STRING)
    if pfx.has_next(SEQUENCE):
        _check_mac(pfx.read_sequence(), safe, opening)
    pfx.check_end()
    try:
        for info in _read_elements(safe):
            _read_safe(info, opening)
    except MalformedKey:
        # Wrong passwords pass the check of the padding once in 256 times.
        raise (
            wrong_password_error() if opening.budget.was_spent else malformed_key_error()
        ) from None
    return PKCS12Contents(tuple(opening.keys), tuple(opening.certificates))


def _check_mac(mac: DERReader, content: bytes, opening: _Opening) -> None:
    digest_info, salt = mac.read_sequence(), mac.read(OCTET_STRING)
    rounds = mac.read_integer() if mac.has_next(INTEGER) else 1
    mac.check_end()
    if not verify_mac(digest_info, salt, rounds, content, opening.password, opening.budget):
        raise wrong_password_error()


def _read_content_info(info: DERReader) -> tuple[bytes, DERReader]:
    return info.read(OID), DERReader(info.read(_EXPLICIT_0))


def _read_elements(octets: bytes) -> Iterator[DERReader]:
    """The sequences in a SEQUENCE that may be in BER."""
    outer = read_sequence(convert_to_der(octets))
    while outer.has_next(SEQUENCE):
        yield outer.read_sequence()
    outer.check_end()


def _read_safe(info: DERReader, opening: _Opening) -> None:
    oid, content = _read_content_info(info)
    if oid == _DATA:
        bags = content.read(OCTET_STRING)
    elif oid == _ENCRYPTED_DATA:
        encrypted = content.read_sequence()
        encrypted.read_integer()
        inner = encrypted.read_sequence()
        if inner.read(OID) != _DATA:
            raise malformed_key_error()
        algorithm = inner.read_sequence()
        bags = opening.decrypt(algorithm, _read_implicit_octets(inner))
    else:
        raise UnsupportedCryptographicParameters(
            "the PKCS#12 is encrypted to a public key: write it anew by `openssl pkcs12`"
        )
    _read_bags(bags, opening, 0)


def _read_implicit_octets(reader: DERReader) -> bytes:
    if reader.has_next(_IMPLICIT_0):
        return reader.read(_IMPLICIT_0)
    return join_parts(list(DERReader(reader.read(_EXPLICIT_0)).read_rest()))


def _read_bags(octets: bytes, opening: _Opening, depth: int) -> None:
    for bag in _read_elements(octets):
        oid = bag.read(OID)
        value = bag.read(_EXPLICIT_0)
        name, key_id = _read_attributes(bag)
        kind = oid[-1] if oid[:-1] == _BAG else 0
        if kind == _NESTED_BAGS and depth < _MAX_DEPTH:
            _read_bags(value, opening, depth + 1)
        elif kind in {_KEY_BAG, _SHROUDED_KEY_BAG}:
            key = _decrypt_key(value, opening) if kind == _SHROUDED_KEY_BAG else value
            opening.keys.append(PKCS12Entry(KeyMaterial(key), name, key_id))
        elif kind == _CERTIFICATE_BAG:
            entry = PKCS12Entry(KeyMaterial(_read_certificate(value)), name, key_id)
            opening.certificates.append(entry)
        elif kind == _SECRET_BAG:
            raise InvalidField(
                "the PKCS#12 has a secret key beside those of pairs: import that as a SymmetricKey, and the "
                "file without it"
            )
        elif kind != _CRL_BAG:  # lists of revoked certificates are no secrets, and nobody's key
            raise malformed_key_error()
        if len(opening.keys) + len(opening.certificates) > MAX_OBJECTS:
            raise InvalidField(f"the PKCS#12 has over {MAX_OBJECTS} keys and certificates")


def _decrypt_key(value: bytes, opening: _Opening) -> bytes:
    """The decrypted key. Raises MalformedKey for what is no SEQUENCE: a wrong password gives such a result."""
    shrouded = read_sequence(value)
    key = opening.decrypt(shrouded.read_sequence(), shrouded.read(OCTET_STRING))
    read_sequence(convert_to_der(key))
    return key


def _read_certificate(value: bytes) -> bytes:
    bag = read_sequence(value)
    if bag.read(OID) != _X509:
        raise InvalidField("a certificate in the PKCS#12 is not X.509")
    return DERReader(bag.read(_EXPLICIT_0)).read(OCTET_STRING)


def _read_attributes(bag: DERReader) -> tuple[str | None, bytes | None]:
    """(friendlyName, localKeyId). Other attributes, and odd values of these two, contain nothing that is kept."""
    name: str | None = None
    key_id: bytes | None = None
    attributes = DERReader(bag.read(_SET)) if bag.has_next(_SET) else DERReader(b"")
    bag.check_end()
    while attributes.has_next(SEQUENCE):
        attribute = attributes.read_sequence()
        oid, values = attribute.read(OID), DERReader(attribute.read(_SET))
        if oid == _FRIENDLY_NAME and values.has_next(_BMP_STRING):
            name = values.read(_BMP_STRING).decode("utf-16-be", "replace").rstrip("\0")
        elif oid == _LOCAL_KEY_ID and values.has_next(OCTET_STRING):
            key_id = values.read(OCTET_STRING)
    # A TextString has no null character: neither a database nor another server would take it.
    return name if name and "\0" not in name else None, key_id
