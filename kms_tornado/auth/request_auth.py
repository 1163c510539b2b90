"""RequestAuth: the interface through which every transport has a request authenticated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .credentials import Credentials
from .issuers.key_status import KeyStatus
from .principal import Principal


@dataclass(frozen=True, slots=True)
class AuthStatistics:
    """Counts since the process started.

    outcomes: {"ok", or the reason of a refusal: number of checks}.
    remembered_hits, remembered_misses: look-ups among the tokens that were verified before.
    remembered: how many such tokens are remembered now.
    key_fetches: {issuer: {"ok" or "failed": number of refreshes of its key set}}.
    """

    outcomes: Mapping[str, int]
    remembered_hits: int
    remembered_misses: int
    remembered: int
    key_fetches: Mapping[str, Mapping[str, int]]


class RequestAuth(Protocol):
    """One method of authentication, started and stopped with the server.

    A request asks `recall` or `check_now` first; neither waits. Only where check_now returns None
    does the request wait for `check_waiting`.
    """

    @property
    def realm(self) -> str:
        """The realm of the challenge (RFC 6750 §3)."""

    @property
    def issuers(self) -> Sequence[str]:
        """The URIs of the issuers to which a client can be sent for a token, for RFC 9728; empty without any."""

    @property
    def scopes(self) -> Sequence[str]:
        """The scopes that every token must have, for challenges and RFC 9728; empty where none is needed."""

    @property
    def proof_algorithms(self) -> Sequence[str]:
        """The algorithms by which DPoP proofs may be signed; empty where only bearer tokens are accepted."""

    @property
    def needs_binding(self) -> bool:
        """Whether tokens must be bound to a certificate or a key."""

    @property
    def public_url(self) -> str | None:
        """The URL by which clients reach the application, without a slash at its end; None without one."""

    @property
    def has_groups(self) -> bool:
        """Whether principals may have groups, so that it makes sense to grant a group something."""

    def recall(self, credentials: Credentials) -> Principal | None:
        """The principal of credentials that were verified before and are still good.

        None is not a refusal: the caller then asks check_now, and until then nothing is counted.
        """

    def check_now(self, credentials: Credentials) -> Principal | None:
        """Decide without waiting; None where that takes a refresh of an issuer's keys, or the memory of used proofs.

        Raises AuthenticationError.
        """

    async def check_waiting(self, credentials: Credentials) -> Principal:
        """Decide what check_now could not. Raises AuthenticationError, Unavailable, TooManyRequests."""

    async def start(self) -> None:
        """Begin what runs in the background; returns at once. Needs a running event loop."""

    async def stop(self) -> None:
        """End what runs in the background, and wait until it has ended."""

    def check_files(self) -> None:
        """Raise ConfigurationError where one of the files that are read repeatedly cannot be used now."""

    def refresh_soon(self) -> None:
        """Fetch the issuers' keys again, now or the moment their cooldown ends; called on SIGHUP."""

    def status(self) -> Sequence[KeyStatus]:
        """The state of each issuer's keys, in the order of the settings."""

    def statistics(self) -> AuthStatistics | None:
        """What metrics show; None where no credentials are checked."""

    def observe_verifications(self, observe: Callable[[float], None]) -> None:
        """Have `observe` called with the seconds that each verification of a credential takes, unless it was
        remembered.
        """
