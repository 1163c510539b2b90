"""Answers as the pages show them: what differs from run to run stands there as ``<name>``.

The first time a name comes, it takes the value of the real answer; from then on it means that value,
in answers and in requests. A name with an article, ``<a date>``, takes any value, each time another.
"""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"<(\w[\w -]*)>")


class Mismatch(AssertionError):
    """An answer that is not what the page shows."""


class Values(dict[str, str]):
    """{name: value}, as far as the page has been read."""

    def fill(self, text: str) -> str:
        """The text with values in place of the names. Raises KeyError for a name without one."""
        return _NAME.sub(lambda match: self[match[1]], text)

    def match_text(self, shown: str, real: str) -> None:
        """Compare, and learn the names that are new. Raises Mismatch."""
        pattern, new, end = "", [], 0
        for name in _NAME.finditer(shown):
            pattern += re.escape(shown[end : name.start()])
            if name[1] in self:
                pattern += re.escape(self[name[1]])
            else:
                pattern += "(.+)"
                new.append(name[1])
            end = name.end()
        pattern += re.escape(shown[end:])
        match = re.fullmatch(pattern, real, re.DOTALL)
        if match is None:
            raise Mismatch(f"shown:\n{shown}\nanswered:\n{real}")
        self.update(
            (name, value)
            for name, value in zip(new, match.groups(), strict=True)
            if not name.startswith(("a ", "an "))
        )

    def match_json(self, shown: Any, real: Any) -> None:
        """The same for JSON values: objects have the same members, lists the same items in order."""
        if isinstance(shown, str) and isinstance(real, str):
            self.match_text(shown, real)
        elif isinstance(shown, list) and isinstance(real, list) and len(shown) == len(real):
            for shown_item, real_item in zip(shown, real, strict=True):
                self.match_json(shown_item, real_item)
        elif isinstance(shown, dict) and isinstance(real, dict) and list(shown) == list(real):
            for name, value in shown.items():
                self.match_json(value, real[name])
        elif type(shown) is not type(real) or shown != real:
            raise Mismatch(f"shown: {shown}\nanswered: {real}")
