"""The names in an X.509 certificate: what KMIP's attributes contain of them, and what they cannot contain.

If a name cannot be read, the certificate still can. The name is left out, with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from cryptography.x509.oid import NameOID

from .ber_reader import CONSTRUCTED, BERReader, Element, MalformedBER, encode_oid, read_single
from .der import OID, SEQUENCE

#: Part of a distinguished name → the suffix of the attribute that holds it (KMIP 2.1 §4.8 ff.).
NAME_PARTS: Mapping[bytes, str] = MappingProxyType(
    {
        encode_oid(oid.dotted_string): suffix
        for oid, suffix in (
            (NameOID.COMMON_NAME, "cn"),
            (NameOID.ORGANIZATION_NAME, "o"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "ou"),
            (NameOID.EMAIL_ADDRESS, "email"),
            (NameOID.COUNTRY_NAME, "c"),
            (NameOID.STATE_OR_PROVINCE_NAME, "st"),
            (NameOID.LOCALITY_NAME, "l"),
            (NameOID.USER_ID, "uid"),
            (NameOID.SERIAL_NUMBER, "serial_number"),
            (NameOID.TITLE, "title"),
            (NameOID.DOMAIN_COMPONENT, "dc"),
            (NameOID.DN_QUALIFIER, "dn_qualifier"),
        )
    }
)

#: A distinguished name of more bytes stays in the certificate; attributes do not repeat it. Its parts are read
#: on the event loop, and all attributes of an object together have a limit.
MAX_NAME_BYTES = 4 * 1024
#: The same limit for the alternative names, for example of a certificate for a thousand hosts.
MAX_ALTERNATIVE_NAMES_BYTES = 8 * 1024

_SET = 0x31


@dataclass(frozen=True, slots=True)
class Entity:
    """The subject or the issuer.

    distinguished_name: as in the certificate; None where it is too long.
    alternative_names: one GeneralName each, encoded.
    parts: {suffix of the attribute: values}.
    left_out: {what was left out: why}, by that suffix, or as NAME and ALTERNATIVE_NAMES.
    """

    distinguished_name: bytes | None
    alternative_names: tuple[bytes, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


#: What `Entity.left_out` calls a distinguished name as a whole, and the alternative names.
NAME, ALTERNATIVE_NAMES = "name", "alternative names"


class _Unreadable(ValueError):
    """str() says why, in words for the log that repeat nothing of the name."""


def read_entity(name: Element, alternative_names: list[bytes], most: int) -> Entity:
    """The subject or the issuer.

    alternative_names: the values of the extension, one for each time that it occurs.
    most: how many bytes of them the attributes may contain.
    """
    left_out: dict[str, str] = {}
    parts: Mapping[str, tuple[str, ...]] = {}
    octets: bytes | None = name.raw
    if len(name.raw) > MAX_NAME_BYTES:
        octets, left_out[NAME] = None, f"it has {len(name.raw)} bytes"
    else:
        try:
            parts = _collect_parts(name, left_out)
        except MalformedBER:
            left_out[NAME] = "it is not a SEQUENCE of SETs of types and values"
    alternatives: tuple[bytes, ...] = ()
    try:
        alternatives = _split_alternative_names(alternative_names, most)
    except _Unreadable as exc:
        left_out[ALTERNATIVE_NAMES] = str(exc)
    except MalformedBER:
        left_out[ALTERNATIVE_NAMES] = "the extension is malformed"
    return Entity(octets, alternatives, parts, left_out)


def _collect_parts(name: Element, left_out: dict[str, str]) -> Mapping[str, tuple[str, ...]]:
    """The parts of a name. What cannot be decoded is added to `left_out`. Raises MalformedBER."""
    values_by_suffix: dict[str, list[str]] = {}
    for oid, value in _walk(name):
        suffix = NAME_PARTS.get(oid)
        if suffix is None:
            continue
        try:
            values_by_suffix.setdefault(suffix, []).append(decode_text(value))
        except (_Unreadable, MalformedBER) as exc:
            left_out[suffix] = str(exc) or "the value is malformed"
    return {suffix: tuple(values) for suffix, values in values_by_suffix.items() if values}


def _walk(name: Element) -> Iterator[tuple[bytes, Element]]:
    """The types and the values, in their order. A SET with several of them is ignored."""
    for relative in BERReader(name.content).read_all():
        if relative.tag != _SET:
            raise MalformedBER
        members = BERReader(relative.content)
        while members.remaining:
            pair = BERReader(members.read(SEQUENCE).content)
            yield pair.read(OID).content, pair.read_any()


def _split_alternative_names(values: list[bytes], most: int) -> tuple[bytes, ...]:
    """Each name with its header, whatever is in it. Raises _Unreadable, MalformedBER."""
    if len(values) > 1:
        raise _Unreadable(f"the extension occurs {len(values)} times")
    if not values:
        return ()
    if len(values[0]) > most:
        raise _Unreadable(f"they have {len(values[0])} bytes")
    return tuple(name.raw for name in read_single(values[0], SEQUENCE).read_all())


# --- strings ------------------------------------------------------------------------------------


def _decode_ascii(octets: bytes, what: str) -> str:
    """The text of a string that must be ASCII. Some programs wrote Latin-1 into such strings, others UTF-8."""
    if not octets.isascii():
        raise _Unreadable(f"{what} with octets beyond ASCII")
    return octets.decode("ascii")


def _decode_teletex(octets: bytes) -> str:
    """The text in Latin-1, as OpenSSL and Java read it, and as those who use this type mean it."""
    text = octets.decode("latin-1")
    if any("\x80" <= character <= "\x9f" for character in text):
        raise _Unreadable("a T61String that is not Latin-1")
    return text


def _decode_as(octets: bytes, encoding: str, what: str) -> str:
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError:
        raise _Unreadable(f"{what} that is malformed") from None


#: Tag of a string type (X.680 §41) → its decoder.
_DECODERS: Mapping[int, Callable[[bytes], str]] = MappingProxyType(
    {
        0x0C: partial(_decode_as, encoding="utf-8", what="a UTF8String"),
        0x12: partial(_decode_ascii, what="a NumericString"),
        0x13: partial(_decode_ascii, what="a PrintableString"),
        0x14: _decode_teletex,
        0x16: partial(_decode_ascii, what="an IA5String"),
        0x1A: partial(_decode_ascii, what="a VisibleString"),
        0x1C: partial(_decode_as, encoding="utf-32-be", what="a UniversalString"),
        0x1E: partial(_decode_as, encoding="utf-16-be", what="a BMPString"),
    }
)


def decode_text(value: Element) -> str:
    """The text of a string of any type. Raises _Unreadable, MalformedBER."""
    decode = _DECODERS.get(value.tag & ~CONSTRUCTED)
    if decode is None:
        raise _Unreadable("the value is no string of characters")
    text = decode(value.read_string())
    # PostgreSQL stores no null characters, and they are an old trick to fool readers of a name.
    if "\0" in text:
        raise _Unreadable("the value has a null character in it")
    return text
