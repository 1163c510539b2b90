"""The table of options: the groups in the order of `--help`, and how an option is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..wording import find_closest
from .groups.general import GENERAL
from .groups.key_service import KEY_SERVICE
from .groups.kmip_over_tls import KMIP_OVER_TLS
from .groups.server import SERVER
from .groups.storage import STORAGE
from .groups.token_issuer import TOKEN_ISSUER
from .option import Option

GROUPS: tuple[tuple[str, tuple[Option, ...]], ...] = (
    ("general", GENERAL),
    ("token issuer", TOKEN_ISSUER),
    ("server", SERVER),
    ("KMIP over TLS", KMIP_OVER_TLS),
    ("storage", STORAGE),
    ("key service", KEY_SERVICE),
)

OPTIONS: tuple[Option, ...] = tuple(option for _, options in GROUPS for option in options)
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def find_options(field: str) -> Sequence[Option]:
    """The options that fill the field; the one to change comes first."""
    return [option for option in OPTIONS if option.field == field]


def find_closest_option(name: str) -> Sequence[str]:
    """The name of the flag or key that was probably meant, or none."""
    name = name.lower().replace("_", "-")
    names = [option.name for option in OPTIONS if option.is_flag]
    return find_closest(name, names) or _find_longer(name, names)


def _find_longer(name: str, names: Sequence[str]) -> Sequence[str]:
    """The one name that has all words of this one, or longer ones, and the fewest besides: hostname for host."""
    words = [word for word in name.split("-") if word]
    if not words or len(name) < 3:
        return ()
    longer = [
        known
        for known in names
        if all(any(part.startswith(word) for part in known.split("-")) for word in words)
    ]
    fewest = min((known.count("-") for known in longer), default=0)
    shortest = [known for known in longer if known.count("-") == fewest]
    return shortest if len(shortest) == 1 else ()
