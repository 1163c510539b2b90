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
    names = [option.name for option in OPTIONS if option.is_flag]
    return find_closest(name.lower().replace("_", "-"), names)
