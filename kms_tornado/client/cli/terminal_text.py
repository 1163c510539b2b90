"""Texts that come from elsewhere, so that they steer no terminal."""

from __future__ import annotations

import json
import sys


def make_visible(text: str) -> str:
    """The text, with every character that does not print as itself escaped in Python's form."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def show_exchange(direction: str, body: bytes) -> None:
    """Print a body that was sent or received on stderr, for `--kmip-json`.

    The token is in a header, never in a body.
    """
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # a refusal in plain text, or nonsense
        text = body.decode(errors="replace")
    lines = "\n".join(make_visible(line) for line in text.splitlines())
    print(f"{direction}:\n{lines}", file=sys.stderr)
