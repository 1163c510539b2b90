"""Changes to the text of a configuration file. Its comments and its other keys do not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ...errors import ConfigurationError
from .keys import OLD_ROOT

#: Values by table and key; None takes a key away.
Changes = Mapping[str, Mapping[str, Any]]

_HEADING = "Configuration of kmsctl, written by kmsctl configure."


def edit_configuration(text: str, changes: Changes, source: str) -> str:
    """The text with the changed values. An empty text becomes a new file.

    text: one that `parse_configuration` accepts. source: the file's name, for messages.
    Raises ConfigurationError where the change is not possible.
    """
    try:
        document = tomlkit.parse(text)
        if not text.strip():
            document.add(tomlkit.comment(_HEADING))
        for table, values in changes.items():
            _edit_table(document, table, values)
        return tomlkit.dumps(document)
    except (TOMLKitError, RecursionError, TypeError) as exc:  # their text quotes what stands there
        raise ConfigurationError(
            f"{source} cannot be changed: mend it, or name another file by --conf"
        ) from exc


def _edit_table(document: tomlkit.TOMLDocument, name: str, values: Mapping[str, Any]) -> None:
    parent: Any = document
    if "http_config" not in document and OLD_ROOT in document:
        parent = document[OLD_ROOT]
    settings = {key: value for key, value in values.items() if value is not None}
    for part in name.split("."):
        if part not in parent:
            if not settings:
                return
            parent[part] = tomlkit.table()
        parent = parent[part]
    for key, value in values.items():
        if value is not None:
            parent[key] = list(value) if isinstance(value, tuple) else value
        elif key in parent:
            del parent[key]
