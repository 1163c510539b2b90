"""What the Dockerfile and compose.yaml say."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..server import ROOT

PASSWORDS = {"POSTGRES_PASSWORD": "p1", "KEYCLOAK_PASSWORD": "p2", "ALICE_PASSWORD": "p3"}


def instructions() -> list[tuple[str, str]]:
    """[(its name, the rest)] of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


BUILD, FINAL = stages()
IMAGE = dict(FINAL)


def image_variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in IMAGE["ENV"].split())


def compose() -> dict[str, Any]:
    """As the engine reads it, with the passwords in place; none may be left out."""
    text = (ROOT / "compose.yaml").read_text()
    names = set(re.findall(r"\$\{(\w+):\?is not set\}", text))
    assert names == set(PASSWORDS)
    filled = re.sub(r"\$\{(\w+):\?is not set\}", lambda name: PASSWORDS[name[1]], text)
    assert "$" not in filled
    return dict(yaml.safe_load(filled))


KMS = compose()["services"]["kms"]
