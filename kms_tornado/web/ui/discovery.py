"""Discovery: where people sign in at an issuer, from its metadata (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...auth.issuers.issuer import RefreshPolicy, TrustedIssuer
from ...auth.issuers.key_source import Fetch
from ...errors import ConfigurationError, KeySetError

log = logging.getLogger("kms_tornado.web")

#: What may stand in a Content-Security-Policy as a host.
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where the page signs somebody in with an authorization code and PKCE (RFC 6749 §4.1, RFC 7636).

    scope, audience: what is asked for; audience is empty where none has to be named.
    """

    issuer: str
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    scope: str = "openid"
    audience: str = ""

    @property
    def token_origin(self) -> str:
        """The origin to which the page's script sends a code or a refresh token."""
        parts = urlsplit(self.token_endpoint)
        return f"{parts.scheme}://{parts.netloc}"


class Discovery:
    """Knows the endpoints of one issuer, between `start` and `stop`, and looks them up again now and then.

    known: what was found last; None before.
    fetch: fetches documents, as for keys; it is open for the same time.
    """

    def __init__(
        self,
        issuer: TrustedIssuer,
        client_id: str,
        policy: RefreshPolicy,
        fetch: Fetch,
        *,
        scope: str = "openid",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.known: SignIn | None = None
        self._client_id = client_id
        self._policy = policy
        self._fetch = fetch
        self._scope = scope
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._began = -policy.interval_s
        self._cause: str | None = None

    def start(self) -> None:
        """Begin to look; returns immediately. Needs a running event loop."""
        self._look_soon()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def find(self) -> SignIn | None:
        """What is known, after another look if one is due; None if the issuer did not answer.

        It waits no longer than the policy's timeout, and looks once in its cooldown.
        """
        since = self._clock() - self._began
        is_due = since >= self._policy.interval_s or (
            self.known is None and since >= self._policy.cooldown_s
        )
        if is_due:
            self._look_soon()
        if self._task is not None and self.known is None:
            await asyncio.wait({self._task})
        return self.known

    def _look_soon(self) -> None:
        if self._task is None or self._task.done():
            self._began = self._clock()
            self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        url = self.issuer.uri.rstrip("/") + "/.well-known/openid-configuration"
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                result = await self._fetch(url, etag=None)
            if result.status != 200:
                raise KeySetError(f"{url}: HTTP {result.status}", f"HTTP {result.status}")
            self.known = self._read(json.loads(result.body))
            cause = None
        except (KeySetError, ConfigurationError, ValueError, RecursionError, TimeoutError) as exc:
            cause = str(exc) or "no answer in time"
        if cause != self._cause:  # once for each change
            self._cause = cause
            if cause is not None:
                log.warning("nobody can sign in at the page by %s: %s", self.issuer.uri, cause)

    def _read(self, document: Any) -> SignIn:
        """The endpoints in a document. Raises ConfigurationError and ValueError."""
        if not isinstance(document, Mapping) or document.get("issuer") != self.issuer.uri:
            raise ValueError("its discovery document names another issuer")
        audiences = self.issuer.audiences
        return SignIn(
            issuer=self.issuer.uri,
            client_id=self._client_id,
            authorization_endpoint=self._read_endpoint(document, "authorization_endpoint"),
            token_endpoint=self._read_endpoint(document, "token_endpoint"),
            scope=self._scope,
            # An ID token is for the client, and is asked for by nothing.
            audience="" if self._client_id in audiences or not audiences else min(audiences),
        )

    def _read_endpoint(self, document: Mapping[str, Any], name: str) -> str:
        url = document.get(name)
        if not isinstance(url, str):
            raise ValueError(f"its discovery document has no {name}")
        # The same rule as for keys: nobody on the way may read or change what is sent.
        self.issuer.check_key_url(url, name)
        if not _HOST.fullmatch(urlsplit(url).netloc):
            raise ValueError(f"the {name} of its discovery document has an odd host")
        return url
