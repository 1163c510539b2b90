"""The extra `client`: the packages that kmsctl needs, and what to say where one of them is missing.

Imports nothing but the standard library: click may be the one that is missing.
"""

from __future__ import annotations

from typing import Final

#: The distributions of the extra `client`, by the names under which they are imported.
EXTRA: Final = frozenset({"click", "rich", "authlib", "joserfc", "requests", "keyring", "tomlkit"})


def describe_missing_package(package: str) -> str:
    """What to do if a package of the extra is missing."""
    return f"the package {package} is not installed: pip install 'kms-tornado[client]'"
