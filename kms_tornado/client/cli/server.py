"""`kmsctl server-version`."""

from __future__ import annotations

import click

from .output import show_value
from .session import Session


@click.command("server-version")
@click.pass_obj
def server_version(session: Session) -> None:
    """Print the version of the server. It needs no token.

    \b
    kmsctl server-version
    """
    show_value(session.client.server_version(), name="version")
