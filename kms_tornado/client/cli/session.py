"""What one run of the command line knows: its global options, the configuration, and the client."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ..blocking import KMSClient
    from ..configuration.configuration import Configuration
    from ..connection import ConnectionSettings, TokenSource
    from ..login.login_settings import LoginSettings
    from ..login.tokens import Tokens, TokenStore


@dataclass(slots=True)
class GlobalOptions:
    """The options that every command accepts. None leaves the value to the configuration."""

    configuration_file: Path | None = None
    server_url: str | None = None
    accepts_invalid_certs: bool = False
    is_json: bool = False
    shows_kmip: bool = False
    is_confirmed: bool = False
    is_quiet: bool = False


class Session:
    """What commands get from `click.pass_obj`. The client is created when it is first needed."""

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
        """Whether a person reads stdout, and gets tables and colours instead of bare values."""
        return sys.stdout.isatty() and not self.is_json

    @property
    def is_talkative(self) -> bool:
        """Whether a person reads stderr and wants to see progress and courtesies."""
        return sys.stderr.isatty() and not self.options.is_quiet

    @cached_property
    def configuration(self) -> Configuration:
        """The file, the environment and the global options. Raises ConfigurationError."""
        from ..configuration.file import load_configuration

        return load_configuration(
            self.environ,
            conf_file=self.options.configuration_file,
            server_url=self.options.server_url,
        )

    @cached_property
    def connection_settings(self) -> ConnectionSettings:
        """How to reach the configured server. Raises ConfigurationError where there is none."""
        settings = self.configuration.connection_settings
        if self.options.accepts_invalid_certs:
            return replace(settings, accept_invalid_certs=True)
        return settings

    @cached_property
    def token_store(self) -> TokenStore | None:
        """Where a login keeps its tokens; None where no login is configured."""
        account = self.configuration.token_account
        if account is None:
            return None
        from ..login.token_store import open_token_store

        return open_token_store(account)

    @property
    def required_token_store(self) -> TokenStore:
        """Where to keep the tokens. Raises InvalidSettings where no login is configured."""
        _ = self.login_settings
        assert self.token_store is not None  # whoever may log in has an account
        return self.token_store

    @cached_property
    def login_settings(self) -> LoginSettings:
        """How to sign in. Raises InvalidSettings where that is not configured."""
        from ..login.login_settings import make_login_settings

        return make_login_settings(self.configuration.oauth2, self.environ)

    @cached_property
    def client(self) -> KMSClient:
        """The client of the configured server."""
        from ..blocking import KMSClient
        from .terminal_text import show_exchange

        shows_kmip = self.options.shows_kmip or self.configuration.print_json
        return KMSClient(
            token=self._token(),
            settings=self.connection_settings,
            observe=show_exchange if shows_kmip else None,
        )

    @property
    def token_place(self) -> str | None:
        """Where the token comes from, in words for people; None where there is none."""
        if self._tokens is not None and self.token_store is not None:
            return self.token_store.place
        return self.configuration.access_token_source

    @property
    def token_variable(self) -> str | None:
        """The environment variable from which the token was taken; None where it comes from elsewhere."""
        if "configuration" in self.__dict__ and self.configuration.is_token_of_environment:
            return self.configuration.access_token_source
        return None

    @property
    def is_token_renewed(self) -> bool:
        """Whether a new token is fetched automatically when this one expires."""
        return self._tokens is not None and self._tokens.refresh_token is not None

    @property
    def is_token_bound(self) -> bool:
        """Whether the token works only with proofs by the key that is stored with it (DPoP)."""
        tokens = self._tokens
        if tokens is None or not tokens.is_bound:
            return False
        from ..login.stored_tokens import choose_token

        return choose_token(tokens, self.login_settings.token) == tokens.access_token

    @cached_property
    def _tokens(self) -> Tokens | None:
        """The tokens of a login, unless the environment has a token, which takes precedence."""
        if self.configuration.is_token_of_environment or self.token_store is None:
            return None
        return self.token_store.load()

    def _token(self) -> str | TokenSource | None:
        """The token: from the environment, else from a login, else from the file, where `ckms login` writes it."""
        if self._tokens is None or self.token_store is None:
            return self.configuration.access_token
        from ..login.stored_tokens import stored_token_source

        return stored_token_source(
            self.token_store, self._tokens, self.connection_settings, self.login_settings
        )
