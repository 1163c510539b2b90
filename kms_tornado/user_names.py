"""The rule for user names, which tokens, grants and options share.

Names are compared octet by octet. So a name must not have a twin that people, or other programs, take for the same:
whoever can choose their name at the issuer would be mistaken for somebody else. A name is in Unicode's normal form C,
and has no invisible characters.
"""

from __future__ import annotations

import unicodedata

#: The user who stands for every authenticated user, in grants alone: nobody has that name.
EVERYONE = "*"
#: Before the name of a group, in grants alone.
GROUP_PREFIX = "group:"
#: Before the name of a user that a client certificate names, in a name space of its own.
CERTIFICATE_PREFIX = "cert:"
#: What no user's name begins with, in any letter case: a user whose name a grant could take for a group
#: would have the rights of its members.
RESERVED_PREFIXES = (GROUP_PREFIX, CERTIFICATE_PREFIX)
#: The longest name, in characters. RFC 7519 sets no limit on `sub`; OpenID Connect Core §2 says 255.
MAX_NAME_LENGTH = 255
#: The longest name with its issuer in front, as with `--jwt-user-namespace issuer`, in characters.
MAX_USER_LENGTH = 2048

#: Control, format and separator characters, and halves of a surrogate pair, which no UTF-8 can hold.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
#: Unicode's Default_Ignorable_Code_Point outside those categories: fillers and selectors, which show
#: nothing by themselves. RFC 8264 §9.13 refuses them in names, too.
_IGNORABLE = frozenset(
    code
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2065, 0x2065),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0xE0000, 0xE0FFF),
        (0x2800, 0x2800),  # not among them, but blank: Braille's pattern without dots
        (0x1D159, 0x1D159),  # and the note head that shows nothing
    )
    for code in range(first, last + 1)
)


def find_name_fault(name: str) -> str | None:
    """Why the text cannot be a user's name, as the end of a sentence; None where it can.

    name: without an issuer in front.
    """
    if len(name) > MAX_NAME_LENGTH:
        return f"has more than {MAX_NAME_LENGTH} characters"
    if name == EVERYONE:
        return "stands for every user, and is nobody's name"
    if name.casefold().startswith(RESERVED_PREFIXES):
        return "begins with group: or cert:, which stand before names of groups and of certificates"
    return _find_spelling_fault(name)


def find_user_fault(user: str) -> str | None:
    """As `find_name_fault`, for a name that may have a prefix which vouches for it: ``https://…#name``, ``cert:name``.

    An issuer has no fragment, so the first ``#`` ends it, and no name can reach into another namespace.
    """
    if len(user) > MAX_USER_LENGTH:
        return f"has more than {MAX_USER_LENGTH} characters"
    if user.startswith(CERTIFICATE_PREFIX):
        return find_name_fault(user.removeprefix(CERTIFICATE_PREFIX))
    if has_issuer(user):
        issuer, _, name = user.partition("#")
        return _find_spelling_fault(issuer) or find_name_fault(name)
    return find_name_fault(user)


def has_issuer(user: str) -> bool:
    """Whether the text has the form ``<issuer>#<name>``, the name of a user in a token of that issuer."""
    issuer, separator, _ = user.partition("#")
    return bool(separator) and "://" in issuer


def find_grantee_fault(grantee: str) -> str | None:
    """As `find_user_fault`, for what a grant may also name: EVERYONE, or a group."""
    if grantee == EVERYONE:
        return None
    return find_user_fault(grantee.removeprefix(GROUP_PREFIX))


def _find_spelling_fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if name != name.strip():
        return "begins or ends with a space"
    if name.isascii() and name.isprintable():  # nearly every name
        return None
    if any(map(_is_hidden, name)):
        return "has characters that show nothing: control, format or separator characters"
    if not unicodedata.is_normalized("NFC", name):
        return "is not in Unicode's normal form NFC"
    return None


def _is_hidden(character: str) -> bool:
    """Whether the character is invisible. The common space is not, between other characters."""
    if character == " ":
        return False
    return unicodedata.category(character) in _REFUSED_CATEGORIES or ord(character) in _IGNORABLE
