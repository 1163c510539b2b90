"""Published test vectors of the package `cryptography-vectors`, in the form of NIST's CAVS files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Of a long file, every so many-eth vector is used, so that all of them take seconds.
MOST = 150


def root() -> Path:
    """Where the files are; the test is skipped where the package is not installed."""
    found = pytest.importorskip("cryptography_vectors").__file__
    return Path(found).parent


def stanzas(path: Path) -> Iterator[dict[str, str]]:
    """KEY → value of each vector, those of its sections among them; FAIL where it must not work.

    A vector begins at its COUNT; in files that have none, after an empty line.
    """
    text = path.read_text()
    has_counts = re.search(r"^COUNT", text, re.MULTILINE | re.IGNORECASE) is not None
    section: dict[str, str] = {}
    stanza: dict[str, str] = {}
    for raw in [*text.splitlines(), "[END]"]:
        line = raw.strip()
        is_border = line.upper().startswith("COUNT") if has_counts else not line
        if stanza and (is_border or line.startswith("[")):
            yield {**section, **stanza}
            stanza = {}
        if line.startswith("["):
            name, _, value = line.strip("[]").partition("=")
            section = {**section, name.strip().upper(): value.strip()}
        elif line == "FAIL":
            stanza["FAIL"] = ""
        elif found := re.fullmatch(r"([A-Za-z0-9_]+)\s*=\s*(.*)", line):
            stanza[found[1].upper()] = found[2]


def sample(path: Path) -> list[dict[str, str]]:
    """At most about MOST vectors, spread over the file."""
    found = list(stanzas(path))
    assert found, path
    return found[:: max(1, len(found) // MOST)]
