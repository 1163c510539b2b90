"""What one run of the command line knows: its global options, the configuration, the client."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ..blocking import KMSClient


@dataclass(slots=True)
class GlobalOptions:
    """The options that every command takes; None where the configuration decides."""

    configuration_file: Path | None = None
    server_url: str | None = None
    accepts_invalid_certs: bool = False
    is_json: bool = False
    shows_kmip: bool = False
    is_confirmed: bool = False
    is_quiet: bool = False


class Session:
    """Handed to commands by `click.pass_obj`. The client is made when it is first asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.options = GlobalOptions()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if "client" in self.__dict__:
            self.client.close()

    @property
    def is_json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.options.is_json

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads stdout: tables and colours, else bare values."""
        return sys.stdout.isatty() and not self.is_json

    @property
    def is_talkative(self) -> bool:
        """Whether a person reads stderr and wants to: progress and pleasantries."""
        return sys.stderr.isatty() and not self.options.is_quiet

    @cached_property
    def client(self) -> KMSClient:
        """The client of the configured server."""
        from ..blocking import KMSClient

        server_url, token = self._connection()
        return KMSClient(
            server_url, token, observe=_show_exchange if self.options.shows_kmip else None
        )

    def _connection(self) -> tuple[str | None, str | None]:
        """The server's URL and the token."""
        return (
            self.options.server_url or self.environ.get("KMS_URL"),
            self.environ.get("KMS_TOKEN"),
        )


def _show_exchange(direction: str, body: bytes) -> None:
    """Print a request's or an answer's body on stderr; the token stands in a header, never in a body."""
    from .output import show_exchange

    show_exchange(direction, body)
