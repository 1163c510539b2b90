"""TOMLValues: the values of a configuration file by table and key, checked for their types."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError
from ...wording import cut, find_closest, name_toml_type, quote, suggest
from .keys import KEYS, OF_OTHER_PROGRAMS, Key, is_of_type

#: Parts of a key, such as the two of ``http_config.server_url``.
MOST_PARTS = 100


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The document in the text. Raises ConfigurationError, whose text quotes nothing from the file."""
    try:
        if any(_has_endless_key(line) for line in text.splitlines()):
            raise RecursionError
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        # Only the place is taken from the error's text, which may quote what stands there, possibly half a secret.
        place = str(exc).rpartition("(at ")[2].rstrip(")").replace("end of document", "its end")
        raise ConfigurationError(f"{source} is not TOML at {place}: is a quote missing?") from None
    except (ValueError, RecursionError):  # ValueError: digits that int() refuses
        raise ConfigurationError(
            f"{source} is not TOML: nested too deeply, or a number too long"
        ) from None


def _has_endless_key(line: str) -> bool:
    """Whether a key has more parts than anybody would write. tomllib's time grows with the square of their number."""
    key = line.partition("=")[0].strip()
    return key.count(".") > MOST_PARTS and not key.startswith("#")


class TOMLValues:
    """The values of the known keys, by table and name. It collects what the user should be warned about."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._values: dict[tuple[str, str], Any] = {}
        self._unknown: list[str] = []
        self._renamed: list[str] = []
        self._notes: list[str] = []

    def get(self, table: str, name: str) -> Any:
        """The value; None where it is absent or empty."""
        value = self._values.get((table, name))
        return None if value == "" else value

    def path(self, table: str, name: str) -> Path | None:
        """A path; ~ stands for the home directory."""
        value = self.get(table, name)
        if value is None:
            return None
        try:
            return Path(value).expanduser()
        except RuntimeError:
            raise self.error(
                table, name, "begins with ~, and the home directory is unknown"
            ) from None

    def error(self, table: str, name: str, text: str) -> ConfigurationError:
        return ConfigurationError(f"{self.source}: {_format_path(table, name)} {text}")

    def note(self, text: str) -> None:
        self._notes.append(f"{self.source}: {text}")

    def read_table(self, table: str, document: Mapping[str, Any]) -> None:
        """Keep the values of one table. Raises ConfigurationError for a wrong type."""
        members: Any = document
        for part in table.split(".") if table else ():
            members = members.get(part, {})
            if not isinstance(members, dict):
                raise self.error("", table, f"must be a table, not {name_toml_type(members)}")
        keys = KEYS[table]
        old_names = {key.old_name: name for name, key in keys.items() if key.old_name}
        for name, value in members.items():
            if name in old_names:
                self._renamed.append(name)
                if old_names[name] not in members:
                    self._keep(table, old_names[name], keys[old_names[name]], name, value)
            elif name in keys:
                self._keep(table, name, keys[name], name, value)
            elif (
                _format_path(table, name) not in KEYS
                and _format_path(table, name) not in OF_OTHER_PROGRAMS
            ):
                self._unknown.append(_describe_unknown(table, name))

    def _keep(self, table: str, name: str, key: Key, written: str, value: object) -> None:
        if not is_of_type(value, key.type):
            type_name = "another list" if isinstance(value, list) else name_toml_type(value)
            article = "an" if key.type == "integer" else "a"
            raise self.error(table, written, f"must be {article} {key.type}, not {type_name}")
        self._values[table, name] = value

    def describe_warnings(self) -> tuple[str, ...]:
        """One line for all unknown keys, and one for all old names."""
        lines = list(self._notes)
        if self._unknown:
            lines.append(
                f"{self.source}: keys that kmsctl does not know: {_join_names(self._unknown)}"
            )
        if self._renamed:
            lines.append(
                f"{self.source}: ssl_client_… is now called tls_client_…: {_join_names(self._renamed)}"
            )
        return tuple(lines)


def _format_path(table: str, name: str) -> str:
    return f"{table}.{name}" if table else name


def _describe_unknown(table: str, name: str) -> str:
    closest = suggest(find_closest(name, KEYS[table])).removeprefix("; ")
    shown = cut(_format_path(table, name), 60)
    shown = shown if shown.isprintable() else quote(shown)
    return f"{shown} ({closest})" if closest else shown


def _join_names(names: list[str]) -> str:
    """At most ten of the names: a file that is no configuration may have thousands."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
