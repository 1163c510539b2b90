"""Server: the whole server of one process; started in order, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from ...auth.minting import ALGORITHM
from ...auth.no_auth import InsecureNoAuth
from ...auth.request_auth import RequestAuth
from ...crypto.policy import CryptoPolicy
from ...errors import ConfigurationError
from ...service.kms import KMS, Storage, naming
from ...settings import Settings
from ..app import make_app
from ..bearer.auth import BearerAuth
from ..bearer.tornado_internals import SERVER, TOKEN_LAYER, check_tornado
from ..fast_lane import FastLane
from ..metrics import Metrics
from ..service_handler import ServerContext
from ..worker_metrics import WorkerMetrics
from . import tls
from .dev_issuer import USERS, DevIssuer
from .workers import Worker

log = logging.getLogger("kms_tornado.server")

_IDLE_S = 120.0  # longer than the 90 s for which clients' pools keep a connection
_BODY_S = 60.0  # a body that trickles in slower than this is somebody holding the connection
_CLOSING_S = 0.5  # for the last connections to see that they are closed
_GRACE_S = 0.05


class Server:
    """The whole server of one process. ``async with Server(settings)`` listens; `url` says where.

    sockets: those to listen on where they are open already, which workers share.
    worker: which of them this is; None where there is no other.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sequence[socket.socket] | None = None,
        worker: Worker | None = None,
    ) -> None:
        self.settings = settings
        self._sockets = sockets
        self._worker = worker
        self.url = ""
        self.dev_issuer: DevIssuer | None = None
        self._stack = contextlib.AsyncExitStack()
        self._auth: RequestAuth | None = None
        self._ssl: ssl.SSLContext | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Server:
        """Raises ConfigurationError, or OSError where the port cannot be had."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self.settings
        check_tornado(TOKEN_LAYER + SERVER)
        self._ssl = tls.server_context(settings)
        kms = await self._stack.enter_async_context(
            KMS(
                self._storage(),
                privileged_users=settings.privileged_users,
                crypto_policy=CryptoPolicy(settings.crypto_policy),
                kmip_interop=settings.kmip_interop,
            )
        )
        self._auth = await self._start_auth()
        context = ServerContext(
            kms=kms,
            auth=self._auth,
            max_body_size=settings.max_body_size,
            metrics=Metrics(self._auth, kms.executor) if settings.metrics else None,
        )
        if context.metrics is not None and self._worker is not None:
            context.worker_metrics = await self._stack.enter_async_context(
                WorkerMetrics(self._worker.directory, self._worker.number, context.metrics.text)
            )
        await self._stack.enter_async_context(self._listening(context))

    def reload(self) -> None:
        """What SIGHUP does: keys are fetched again (within the cooldown), TLS files read again."""
        if self._auth is not None:
            self._auth.refresh_soon()
        if self._ssl is not None:
            try:
                tls.server_context(
                    self.settings
                )  # a trial: a broken pair must leave the old one whole
                tls.load_pair(self._ssl, self.settings)
            except ConfigurationError as exc:
                log.error("the old TLS files stay in use: %s", exc)
            else:
                log.info("the TLS files were read again")

    def _storage(self) -> Storage:
        settings = self.settings
        directory = settings.data_dir
        if directory is None:  # --dev
            directory = Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kms-tornado-dev-"))
            )
        return Storage(
            data_dir=directory,
            database_url=settings.database_url,
            master_key_file=settings.master_key_file,
            master_key=settings.master_key.value if settings.master_key else None,
        )

    async def _start_auth(self) -> RequestAuth:
        auth = self._make_auth()
        self._stack.push_async_callback(auth.stop)
        await auth.start()
        return auth

    def _make_auth(self) -> RequestAuth:
        settings = self.settings
        if settings.insecure_no_auth:
            log.warning(
                "--insecure-no-auth: NO TOKEN IS CHECKED, every request is %r",
                settings.default_username,
            )
            return InsecureNoAuth(settings.default_username)
        trust = settings.trust
        if trust is None:
            if ALGORITHM not in settings.policy.algorithms:
                raise ConfigurationError(
                    f"--jwt-algorithms: the issuer of --dev signs with {ALGORITHM}"
                )
            self.dev_issuer = DevIssuer(settings.hostname)
            self.dev_issuer.start()
            self._stack.push_async_callback(self.dev_issuer.stop)
            trust = settings.trust_in(self.dev_issuer.trusted())
        with naming("--jwks-ca-file", "CA file"):
            return BearerAuth(trust)

    @contextlib.asynccontextmanager
    async def _listening(self, context: ServerContext) -> AsyncIterator[None]:
        settings = self.settings
        assert self._auth is not None
        server = HTTPServer(
            FastLane(make_app(context), context, self._auth, body_timeout_s=_BODY_S),
            ssl_options=self._ssl,
            max_body_size=settings.max_body_size,
            max_buffer_size=max(settings.max_body_size, 1024 * 1024) + 64 * 1024,
            max_header_size=64 * 1024,
            idle_connection_timeout=_IDLE_S,
            body_timeout=_BODY_S,
        )
        sockets = bind(settings) if self._sockets is None else self._sockets
        server.add_sockets(sockets)
        self.url = url_of(settings, sockets)
        if self._sockets is None:  # else the supervisor says so, once
            log.info("listening on %s", self.url)
        try:
            yield
        finally:
            context.is_stopping = True
            server.stop()
            await _finished(context.in_flight, settings.shutdown_timeout_s)
            # A request that waits for an issuer's keys is not woken by the end of its connection, but
            # by the end of the token layer, which is stopped next. Cancelled, it would only complain.
            self._closing = asyncio.create_task(server.close_all_connections())
            await asyncio.wait({self._closing}, timeout=_CLOSING_S)


def dev_text(server: Server) -> str:
    """What --dev prints: the issuer, a token for each user, and a command to paste."""
    issuer = server.dev_issuer
    assert issuer is not None
    tokens = {user: issuer.token(user) for user in USERS}
    lines = [f"issuer: {issuer.uri}", ""]
    for user, token in tokens.items():
        lines += [f"token for {user}:", token, ""]
    insecure = " --insecure" if server.url.startswith("https:") else ""
    lines += [
        "make a key as alice:",
        f"curl -sS{insecure} {server.url}/kmip_2_1 -H 'Content-Type: application/json' "
        f"-H 'Authorization: Bearer {tokens[USERS[0]]}' "
        """-d '{"tag":"Create","type":"Structure","value":["""
        """{"tag":"ObjectType","type":"Enumeration","value":"SymmetricKey"},"""
        """{"tag":"Attributes","type":"Structure","value":["""
        """{"tag":"CryptographicAlgorithm","type":"Enumeration","value":"AES"},"""
        """{"tag":"CryptographicLength","type":"Integer","value":256}]}]}'""",
    ]
    return "\n".join(lines)


async def _finished(in_flight: set[Any], timeout_s: float) -> None:
    """Wait until no request is in flight, timeout_s at most."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    await asyncio.sleep(min(_GRACE_S, timeout_s))  # for what has been sent, but not been read yet
    while in_flight:
        if asyncio.get_running_loop().time() >= deadline:
            log.warning("%d requests were still in flight at the end of the wait", len(in_flight))
            return
        await asyncio.sleep(0.02)


def url_of(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """What the start-up line names; port 0 has become a real one."""
    host = f"[{settings.hostname}]" if ":" in settings.hostname else settings.hostname
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{host}:{sockets[0].getsockname()[1]}"


def bind(settings: Settings) -> list[socket.socket]:
    """Raises ConfigurationError for a host that is not ours, OSError for a port that is not free."""
    host, port = settings.hostname, settings.port
    try:
        return bind_sockets(port, host)
    except socket.gaierror as exc:
        raise ConfigurationError(f"--hostname: {host}: {exc.strerror}") from None
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        if exc.errno == errno.EADDRNOTAVAIL:
            raise ConfigurationError(f"--hostname: {host}: {reason}") from None
        raise OSError(exc.errno, f"cannot listen on {host}, port {port}: {reason}") from None
