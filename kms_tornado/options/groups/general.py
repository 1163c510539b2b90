"""Where the options stand, and a server to try it out."""

from __future__ import annotations

from pathlib import Path

from ..kinds import Switch, Text
from ..option import Option

GENERAL: tuple[Option, ...] = (
    Option(
        "config",
        Text("FILE", Path),
        "configuration file: TOML, keys as the flags without dashes, in the table [kms]",
        short="-c",
        in_file=False,
    ),
    Option(
        "dev",
        Switch(),
        "try it out on one laptop: starts a throw-away token issuer too; loopback hosts "
        "only, data in a temporary directory unless --data-dir is given",
        False,
    ),
)
