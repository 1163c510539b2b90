"""Every tag and enumeration of KMIP 2.1: spelling to number and back, as data.

`enumerations.json` holds the specification's text (§11, §12); the tables below add the few names that
clients send and the text lacks. A name has three spellings: the specification's ("SHA-256"), the OASIS
JSON profile's ("SHA_256") and that of Cosmian's clients ("SHA256").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from importlib import resources
from types import MappingProxyType

#: Sent or expected by the clients, or missing from the extract: docs/dialects.md, "Enumerations".
ADDITIONS: Mapping[str, Mapping[str, int]] = {
    "CryptographicAlgorithm": {"CoverCrypt": 0x88800004},
    "KeyFormatType": {"CoverCryptSecretKey": 0x8880000C, "CoverCryptPublicKey": 0x8880000D},
    # §11.38, §11.39: positions in CK_FUNCTION_LIST, counted from 1, and values of CK_RV. A case of the
    # OASIS profiles needs these.
    "PKCS_11Function": {"C_Initialize": 1, "C_Finalize": 2, "C_GetInfo": 3},
    "PKCS_11ReturnCode": {"OK": 0},
    "BlockCipherMode": {"CosmianNISTKeyWrap": 0x80000001, "GCMSIV": 0x80000002},
    "OpaqueDataType": {"Unknown": 0x80000001},
    "ObjectType": {"Template": 6},  # of KMIP 1, refused by name
    "ResultReason": {"Illegal Operation": 0x0B},
    # Of KMIP 1, which KMIP 2 dropped.
    "Tag": {
        "Attribute Index": 0x420009,
        "Certificate Identifier": 0x420014,
        "Certificate Issuer": 0x420015,
        "Certificate Issuer Alternative Name": 0x420016,
        "Certificate Issuer Distinguished Name": 0x420017,
        "Certificate Subject": 0x42001A,
        "Certificate Subject Alternative Name": 0x42001B,
        "Certificate Subject Distinguished Name": 0x42001C,
        "Common Template-Attribute": 0x42001F,
        "Custom Attribute": 0x42002D,
        "Issuer": 0x42003B,
        "Operation Policy Name": 0x42005D,
        "Private Key Template-Attribute": 0x420065,
        "Public Key Template-Attribute": 0x42006E,
        "Serial Number": 0x420087,
        "Template": 0x420090,
        "Template-Attribute": 0x420091,
    },
}

#: Names of values that KMIP 2 dropped. They are translated before a class would read them (`kmip1.key_formats`).
DROPPED: Mapping[str, Mapping[str, int]] = {
    "KeyFormatType": {
        "Transparent ECDSA Private Key": 0x0E,
        "Transparent ECDSA Public Key": 0x0F,
        "Transparent ECDH Private Key": 0x10,
        "Transparent ECDH Public Key": 0x11,
        "Transparent ECMQV Private Key": 0x12,
        "Transparent ECMQV Public Key": 0x13,
    },
}

#: Further spellings in loose form that `loosen` does not derive from any other.
ALIASES: Mapping[str, Mapping[str, int]] = {
    "CryptographicAlgorithm": {"threedes": 2, "tripledes": 2, "page166of230mceliece": 0x34},
    "ObjectType": {"opaquedata": 8},
}

#: Names that Cosmian's clients expect where that is not the profile's name without its underscores.
COSMIAN_NAMES: Mapping[str, Mapping[int, str]] = {
    "CryptographicAlgorithm": {2: "THREE_DES"},
    "PaddingMethod": {8: "PKCS1v15"},
    "State": {6: "Destroyed_Compromised"},
}

#: Integers whose bits have names; the JSON profile joins the names with "|".
MASKS = frozenset({"CryptographicUsageMask", "ProtectionStorageMask", "StorageStatusMask"})

#: Tags whose values belong to an enumeration of another name.
SHARED_ENUMERATIONS = {
    "AttributeReference": "Tag",
    "ExtensionType": "ItemType",
    "LinkedObjectIdentifier": "UniqueIdentifier",
    "MaskGeneratorHashingAlgorithm": "HashingAlgorithm",
    "PrivateKeyUniqueIdentifier": "UniqueIdentifier",
    "PublicKeyUniqueIdentifier": "UniqueIdentifier",
    "RevocationReason": "RevocationReasonCode",
}

#: Tags that the clients use and KMIP does not define: they have a name but no number.
COSMIAN_TAGS = ("ByteString", "Object", "Remove")

#: Other spellings of tags: docs/dialects.md, "JSON TTLV". `VendorAttributes` is KMIP's Attribute.
TAG_ALIASES: Mapping[str, str] = {
    "IvCounterNonce": "IVCounterNonce",
    "IvLength": "IVLength",
    "MacOrSignature": "MACSignature",
    "MacOrSignatureKeyInformation": "MACSignatureKeyInformation",
    "MacSignature": "MACSignature",
    "MacSignatureKeyInformation": "MACSignatureKeyInformation",
    "RandomIv": "RandomIV",
    "UniqueBatchItemId": "UniqueBatchItemID",
    "VendorAttributes": "Attribute",
}

#: Characters. The longest name has 47; a longer spelling than this is not a name, and loosening it takes time.
MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """One enumeration or mask of the specification.

    oasis, cosmian: number → the name to write.
    loose: loose spelling → number.
    exact: the spellings that clients usually send, which are found without `loosen`.
    """

    name: str
    oasis: Mapping[int, str]
    cosmian: Mapping[int, str]
    loose: Mapping[str, int]
    exact: Mapping[str, int]

    def number(self, spelling: str) -> int | None:
        """The number of a name in any spelling; None where there is no such name."""
        number = self.exact.get(spelling)
        if number is None and len(spelling) <= MAX_NAME_LENGTH:
            number = self.loose.get(loosen(spelling))
        return number


def loosen(name: str) -> str:
    """Letters and digits only, in lower case: SHA-256, SHA_256 and SHA256 become the same."""
    return "".join(filter(str.isalnum, name)).lower()


_SIGN_BEFORE_WORD = re.compile(r"[^\w\s](?=[A-Za-z][a-z])")
_SIGN = re.compile(r"[^\w\s]")
_DIGITS = re.compile(r"\d*")


@cache  # of the specification's names alone, most of which the tables need more than once
def normalise(name: str) -> str:
    """The name as the OASIS JSON profile writes it: "IV/Counter/Nonce" → "IVCounterNonce"."""
    name = name.replace("(", " ").replace(")", " ")
    words = _SIGN.sub("_", _SIGN_BEFORE_WORD.sub(" ", name)).split()
    leading = _DIGITS.match(words[0])
    digits = leading.group() if leading else ""
    words[0] = words[0][len(digits) :] + digits  # 3DES → DES3
    return "".join(word[0].upper() + word[1:] for word in words)


def _read_specification() -> dict[str, dict[str, int]]:
    """{"CryptographicAlgorithm": {"3DES": 2, …}, …}"""
    text = resources.files(__package__).joinpath("enumerations.json").read_text("utf-8")
    enumerations: dict[str, dict[str, int]] = {}
    for heading, rows in json.loads(text).items():
        title = heading.partition(" ")[2].removesuffix(" Enumeration")
        names = {name: int(digits, 16) for name, digits in rows.items() if name != "(Reserved)"}
        if names or title == "Opaque Data Type":
            enumerations[normalise(title)] = names
    for table in (ADDITIONS, DROPPED):
        for name, added in table.items():
            enumerations.setdefault(name, {}).update(added)
    return enumerations


def _make_enumeration(name: str, numbers: Mapping[str, int]) -> Enumeration:
    oasis = {number: normalise(spelling) for spelling, number in numbers.items()}
    cosmian = {number: spelling.replace("_", "") for number, spelling in oasis.items()}
    cosmian |= COSMIAN_NAMES.get(name, {})
    loose = {**dict(_loose_pairs(numbers)), **ALIASES.get(name, {})}
    exact = {spelling: number for names in (cosmian, oasis) for number, spelling in names.items()}
    return Enumeration(name, oasis, cosmian, loose, exact)


def _loose_pairs(numbers: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    for spelling, number in numbers.items():
        yield loosen(spelling), number
        yield loosen(normalise(spelling)), number


_SPECIFICATION = _read_specification()

#: Tag name → the enumeration (or mask) to which its values belong.
ENUMERATIONS: Mapping[str, Enumeration] = MappingProxyType(
    {name: _make_enumeration(name, numbers) for name, numbers in _SPECIFICATION.items()}
    | {
        tag: _make_enumeration(name, _SPECIFICATION[name])
        for tag, name in SHARED_ENUMERATIONS.items()
    }
)

#: Tag name as the JSON profile writes it → number, and the reverse.
TAG_NUMBERS: Mapping[str, int] = MappingProxyType(
    {normalise(name): number for name, number in _SPECIFICATION["Tag"].items()}
)
TAG_NAMES: Mapping[int, str] = MappingProxyType({n: name for name, n in TAG_NUMBERS.items()})

#: Operation number → the tag of its bare request; that of the response has "Response" added.
OPERATION_TAGS: Mapping[int, str] = ENUMERATIONS["Operation"].oasis

#: Every accepted spelling of a tag except the hexadecimal one → its canonical name.
TAG_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in (*TAG_NUMBERS, *COSMIAN_TAGS)},
        **{name: name for name in OPERATION_TAGS.values()},
        **{name: name for name in map("{}Response".format, OPERATION_TAGS.values())},
        **TAG_ALIASES,
    }
)

_HEX_TAG = re.compile(r"0x[0-9A-Fa-f]{6}", re.ASCII)

#: The tags that vendors define themselves (§11.56, "Extensions"). Such a tag has no name but its number, as the
#: JSON profile writes it: "0x540001".
_VENDOR_TAGS = range(0x540000, 0x550000)


def find_tag(spelling: str) -> str | None:
    """The canonical name of a tag from its name or "0x420094"; None where there is no such tag."""
    name = TAG_SPELLINGS.get(spelling)
    if name is None and _HEX_TAG.fullmatch(spelling):
        name = name_tag(int(spelling, 16))
    return name


def name_tag(number: int) -> str | None:
    """The canonical name of the tag with this number; None where there is no such tag."""
    name = TAG_NAMES.get(number)
    return f"0x{number:06X}" if name is None and number in _VENDOR_TAGS else name


def is_vendor_tag(tag: str) -> bool:
    """tag: a canonical name."""
    return tag[:4] == "0x54"


def format_name(member: IntEnum | IntFlag) -> str:
    """A name as the OASIS JSON profile writes it, close to the specification's: ``ChaCha20``, ``MACGenerate``."""
    names = ENUMERATIONS[type(member).__name__].oasis
    return names.get(member) or "|".join(names[bit] for bit in names if bit & member)
