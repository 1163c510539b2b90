"""Readers of the vector files of `cryptography-vectors`, which PyPI has in the library's version."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

vectors = pytest.importorskip("cryptography_vectors")

ROOT = Path(vectors.__file__).parent


@functools.cache
def text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def octets(path: str) -> bytes:
    return (ROOT / path).read_bytes()


def nist(path: str) -> list[dict[str, str]]:
    """A .rsp file: each case with what stands above it ("[mod = 2048]", "n = …")."""
    cases: list[dict[str, str]] = []
    above: dict[str, str] = {}
    case: dict[str, str] = {}
    for line in [*text(path).splitlines(), ""]:
        line = line.strip()
        if line.startswith("["):
            above["section"] = line.strip("[]")
        elif " = " in line or line.endswith("="):
            name, _, value = line.partition("=")
            case[name.strip()] = value.strip()
        elif case:
            if "Msg" in case and "Result" in case:
                cases.append({**above, **case})
            else:
                above.update(case)
            case = {}
    return cases
