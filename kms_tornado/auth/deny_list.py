"""DenyList: which tokens are refused though they are good, as the lines of a file say.

    jti=…          a token, by its identifier
    sid=…          all tokens of a session at the issuer
    sub=…          all tokens of a subject, of whichever issuer
    iss=… sub=…    all tokens of an issuer's subject; so for jti and sid

Pure. Blank lines and those that begin with # count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import TokenDenied

#: The largest size of the file; such a list has some 100,000 lines.
MAX_DENY_FILE_BYTES = 4 * 1024 * 1024

_CLAIMS = ("jti", "sub", "sid")
_LINE = re.compile(r"(?:iss=(\S.*?)[ \t]+)?(jti|sub|sid)=(\S.*)")
#: Text after a value that would become part of the value, so that the line would deny nobody.
_BEHIND = re.compile(r"[ \t](#)|[ \t,;](iss=|jti=|sub=|sid=)")
#: Other programs end lines with some of them; here they would make one value of several lines.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED = re.compile(r"(['\"]).*\1")
_EXPLAINED = {
    "iss=": "it belongs in front",
    "#": "a comment has a line of its own",
    **dict.fromkeys(("jti=", "sub=", "sid="), "each has a line of its own"),
}


@dataclass(frozen=True, slots=True)
class DenyList:
    """Which tokens are refused.

    entries: (issuer, or None for any issuer; claim; value of the claim) of the tokens that are refused.
    faults: what is wrong with the lines that could not be read; the texts never show what is in those lines.
    """

    entries: frozenset[tuple[str | None, str, str]] = frozenset()
    faults: tuple[str, ...] = ()

    def find(self, claims: Mapping[str, Any], issuer: str) -> str | None:
        """The claim by which a token of this issuer is on the list; None where the token is not on it."""
        for name in _CLAIMS:
            value = claims.get(name)
            if type(value) is int:  # RFC 7519 has no numbers here, but issuers do
                value = str(value)
            if not isinstance(value, str):
                continue
            for of_issuer in (None, issuer, claims.get("iss")):
                if (of_issuer, name, value) in self.entries:
                    return name
        return None


NOBODY = DenyList()


def check_not_denied(claims: Mapping[str, Any], *, issuer: str, denied: DenyList) -> None:
    """Refuse a token that is on the deny list. Raises TokenDenied."""
    if denied.entries and (name := denied.find(claims, issuer)) is not None:
        raise TokenDenied(f"its {name} is on the deny list")


def parse_deny_list(content: bytes) -> DenyList:
    """Read all lines that can be read."""
    entries: set[tuple[str | None, str, str]] = set()
    faults: list[str] = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            faults.append(f"line {number} is not UTF-8")
            continue
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        fault = (
            "is none of jti=…, sub=…, sid=… and iss=… sub=…"
            if match is None
            else _find_fault(match)
        )
        if match is None or fault is not None:
            faults.append(f"line {number} {fault}")
        else:
            entries.add((match[1], match[2], match[3]))
    return DenyList(frozenset(entries), tuple(faults))


def _find_fault(line: re.Match[str]) -> str | None:
    """Why the line, which has the right form, would deny nobody; None where it is good."""
    issuer, _, value = line.groups()
    if behind := _BEHIND.search(value):
        name = behind[1] or behind[2]
        return f"has {name} behind its value: {_EXPLAINED[name]}"
    if _QUOTED.fullmatch(value):
        return "has quotes around its value: write it without them"
    if _CONTROL.search(line[0]):
        return "has a control character: each line ends with a line feed"
    if issuer is not None and "{tenantid}" in issuer:
        return "has {tenantid} in its issuer: write it as its tokens do"
    return None
