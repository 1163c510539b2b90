"""The names of attributes in KMIP 1, which are texts, and their tags in KMIP 2.

A name in KMIP 1 is exactly the specification's title of the tag ("Cryptographic Usage Mask"). A custom attribute is
called ``x-…`` by a client or ``y-…`` by a server (KMIP 1.0 §3.36); in KMIP 2 it is the attribute of a vendor "x" or
"y". Attributes that KMIP 2 dropped are kept as those of the vendor "KMIP1".
"""

from __future__ import annotations

from collections.abc import Mapping

from ..tables import normalise

_TITLES = """
Unique Identifier, Name, Object Type, Cryptographic Algorithm, Cryptographic Length, Cryptographic Parameters,
Cryptographic Domain Parameters, Certificate Type, Certificate Length, X.509 Certificate Identifier,
X.509 Certificate Subject, X.509 Certificate Issuer, Digital Signature Algorithm, Digest,
Cryptographic Usage Mask, Lease Time, Usage Limits, State, Initial Date, Activation Date, Process Start Date,
Protect Stop Date, Deactivation Date, Destroy Date, Compromise Occurrence Date, Compromise Date,
Revocation Reason, Archive Date, Object Group, Fresh, Link, Application Specific Information,
Contact Information, Last Change Date, Alternative Name, Key Value Present, Key Value Location,
Original Creation Date, Random Number Generator, PKCS#12 Friendly Name, Description, Comment, Sensitive,
Always Sensitive, Extractable, Never Extractable
"""

#: Name → tag, of the attributes that both KMIP 1 and KMIP 2 have.
TAGS: Mapping[str, str] = {
    title: normalise(title) for title in " ".join(_TITLES.split()).split(", ")
}
NAMES: Mapping[str, str] = {tag: title for title, tag in TAGS.items()}

#: The vendor of attributes that only KMIP 1 has, by their names there.
VENDOR = "KMIP1"

#: Those that are kept. They mean nothing to this server: no policy is looked up by that name.
KEPT = ("Operation Policy Name",)

#: The vendors in KMIP 2 of custom attributes, whose names begin with the vendor and a hyphen.
_CUSTOM = ("x", "y")


def find_vendor(name: str) -> tuple[str, str] | None:
    """(vendor, name) in KMIP 2 for a custom attribute, or for a dropped one that is kept; None for any other name."""
    if name in KEPT:
        return VENDOR, name
    vendor, _, rest = name.partition("-")
    return (vendor, rest) if vendor in _CUSTOM and rest else None


def name_vendor_attribute(vendor: str, name: str) -> str | None:
    """The name in KMIP 1 of a vendor's attribute; None where it has none there."""
    if vendor == VENDOR:
        return name if name in KEPT else None
    return f"{vendor}-{name}" if is_custom(vendor) and name else None


def is_custom(vendor: str) -> bool:
    """Whether KMIP 1 calls this vendor's attributes custom: such ones may have several values (KMIP 1.4 §3.40)."""
    return vendor in _CUSTOM
