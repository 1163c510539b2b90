"""Certificate Identifier, Subject and Issuer: how KMIP 1.0 describes a certificate (§3.9 to §3.11).

KMIP 1.1 deprecated these attributes in favour of the X.509 attributes, which contain the names as octets, and KMIP 2
dropped them. They contain a distinguished name as text (RFC 4514), which is put together from the parts that KMIP 2
has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ..ttlv import ItemType, Node, children_of, structure

#: Parts of a name as KMIP 2 has them (CertificateSubjectCN), in the order of RFC 4514, → what they are called.
_PARTS: Mapping[str, str] = {
    "CN": "CN",
    "UID": "UID",
    "SerialNumber": "2.5.4.5",
    "Title": "2.5.4.12",
    "DNQualifier": "2.5.4.46",
    "Email": "1.2.840.113549.1.9.1",
    "OU": "OU",
    "O": "O",
    "L": "L",
    "ST": "ST",
    "C": "C",
    "DC": "DC",
}

_IDENTIFIER = "X_509CertificateIdentifier"

#: Name → the tags of KMIP 2 from which it is made.
SOURCES: Mapping[str, Sequence[str]] = {
    "Certificate Identifier": (
        _IDENTIFIER,
        *(f"CertificateIssuer{part}" for part in _PARTS),
    ),
    "Certificate Subject": tuple(f"CertificateSubject{part}" for part in _PARTS),
    "Certificate Issuer": tuple(f"CertificateIssuer{part}" for part in _PARTS),
}

#: Tag of KMIP 2 → the name that it alone shows to be there, for lists of names.
NAMES: Mapping[str, str] = {
    _IDENTIFIER: "Certificate Identifier",
    **{
        tag: name for name in ("Certificate Subject", "Certificate Issuer") for tag in SOURCES[name]
    },
}


def describe_certificate(attributes: Iterable[Node]) -> list[tuple[str, Node]]:
    """[(name, AttributeValue)] of those that can be made from the attributes of KMIP 2."""
    nodes = [node for node in attributes if node.tag in NAMES]
    if not nodes:
        return []
    subject, issuer = (_join_name(nodes, side) for side in ("Subject", "Issuer"))
    described = []
    serial_number = _find_serial_number(nodes)
    if serial_number is not None and issuer:
        described.append(
            (
                "Certificate Identifier",
                structure("AttributeValue", _text("Issuer", issuer), serial_number),
            )
        )
    for side, name in (("Subject", subject), ("Issuer", issuer)):
        if name:
            value = _text(f"Certificate{side}DistinguishedName", name)
            described.append((f"Certificate {side}", structure("AttributeValue", value)))
    return described


def _join_name(nodes: Sequence[Node], side: str) -> str:
    """The last of several values comes first, as it is the nearest to the subject (RFC 4514 §2.1)."""
    parts = [
        f"{called}={_escape(node.value)}"
        for part, called in _PARTS.items()
        for node in reversed(nodes)
        if node.tag == f"Certificate{side}{part}" and isinstance(node.value, str)
    ]
    return ",".join(parts)


def _escape(text: str) -> str:
    """The text with the characters escaped that have a meaning in RFC 4514 §2.4."""
    escaped = re.sub(r'([",+;<>\\])', r"\\\1", text)
    escaped = re.sub(r"^([ #])", r"\\\1", escaped)
    return re.sub(r"(?<!\\) $", r"\\ ", escaped)


def _find_serial_number(nodes: Sequence[Node]) -> Node | None:
    """The serial number in hexadecimal. In KMIP 2, it is an INTEGER in DER."""
    for node in nodes:
        if node.tag == _IDENTIFIER:
            for child in children_of(node):
                if child.tag == "CertificateSerialNumber" and isinstance(child.value, bytes):
                    content = _content_of(child.value)
                    # A leading zero keeps the number from being negative.
                    is_padded = len(content) > 1 and content[0] == 0
                    return _text("SerialNumber", content[is_padded:].hex().upper())
    return None


def _content_of(der: bytes) -> bytes:
    """The content of an element in DER: without tag and length, which has further octets if its first bit is set."""
    further = der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0
    return der[2 + further :]


def _text(tag: str, value: str) -> Node:
    return Node(tag, ItemType.TEXT_STRING, value)
