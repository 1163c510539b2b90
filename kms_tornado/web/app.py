"""The server put together: routes, store, keys, token layer; started in order, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from ..crypto.envelope import MasterKey
from ..crypto.master_key import load_master_key
from ..errors import ConfigurationError
from ..operations.service import Service
from ..settings import Settings
from ..store.base import ObjectStore
from ..store.data_dir import make_data_dir
from ..store.sql import open_store
from . import handlers
from .bearer_auth import BearerAuth, InsecureNoAuth, RequestAuth
from .dev_issuer import USERS, DevIssuer
from .service_handler import METADATA_PATH, NotFoundHandler, log_request

log = logging.getLogger("kms_tornado.server")

T = TypeVar("T")

_WORKERS = 4  # threads for what would block the loop; more only compete for the cores
_IDLE_S = 120.0  # longer than the 90 s for which clients' pools keep a connection
_BODY_S = 60.0  # a body that trickles in slower than this is somebody holding the connection
_CLOSING_S = 0.5  # for the last connections to see that they are closed
_GRACE_S = 0.05
KEY_FILE = "master.key"

ROUTES = [
    (r"/kmip_2_1", handlers.KMIPHandler),
    (r"/kmip/2_1", handlers.KMIPHandler),
    (r"/version", handlers.VersionHandler),
    (r"/health", handlers.HealthHandler),
    (r"/ready", handlers.ReadyHandler),
    (METADATA_PATH, handlers.MetadataHandler),
]


def make_app(
    *,
    auth: RequestAuth,
    service: Service,
    store: ObjectStore,
    offload: Callable[[Callable[[], Any]], Awaitable[Any]],
    max_body_size: int,
    stopping: asyncio.Event,
) -> Application:
    """The application with all routes; what its handlers need stands in its settings."""
    return Application(
        ROUTES,
        default_handler_class=NotFoundHandler,
        log_function=log_request,
        serve_traceback=False,
        bearer_auth=auth,
        service=service,
        store=store,
        offload=offload,
        max_body_size=max_body_size,
        stopping=stopping,
        in_flight=set(),
    )


class Server:
    """The whole server of one process. ``async with Server(settings)`` listens; `url` says where."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.dev_issuer: DevIssuer | None = None
        self.stopping = asyncio.Event()
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
        self._ssl = _ssl_context(settings)
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="kms-offload")
        self._stack.callback(pool.shutdown)

        async def offload(function: Callable[[], T]) -> T:
            return await asyncio.get_running_loop().run_in_executor(pool, function)

        data_dir = self._data_dir()
        store = await self._open_store(data_dir)
        master_key = await _master_key(settings, store, data_dir)
        self._auth = await self._open_auth()
        service = Service(store, master_key, offload, privileged_users=settings.privileged_users)
        app = make_app(
            auth=self._auth,
            service=service,
            store=store,
            offload=offload,
            max_body_size=settings.max_body_size,
            stopping=self.stopping,
        )
        await self._stack.enter_async_context(self._listening(app))

    def reload(self) -> None:
        """What SIGHUP does: keys are fetched again (within the cooldown), TLS files read again."""
        if isinstance(self._auth, BearerAuth):
            self._auth.refresh_soon()
        if self._ssl is not None:
            try:
                _ssl_context(self.settings)  # a trial: a broken pair must leave the old one whole
                _load_pair(self._ssl, self.settings)
            except ConfigurationError as exc:
                log.error("the old TLS files stay in use: %s", exc)
            else:
                log.info("the TLS files were read again")

    def _data_dir(self) -> Path:
        directory = self.settings.data_dir
        if directory is None:  # --dev
            directory = Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kms-tornado-dev-"))
            )
        make_data_dir(directory)
        return directory

    async def _open_store(self, data_dir: Path) -> ObjectStore:
        with _naming("--database-url"):
            store = open_store(self.settings.database_url, data_dir)
            await store.start()
        self._stack.push_async_callback(store.stop)
        return store

    async def _open_auth(self) -> RequestAuth:
        settings = self.settings
        if settings.insecure_no_auth:
            log.warning(
                "--insecure-no-auth: NO TOKEN IS CHECKED, every request is %r",
                settings.default_username,
            )
            return InsecureNoAuth(settings.default_username)
        trust = settings.trust
        if trust is None:
            self.dev_issuer = DevIssuer(settings.hostname)
            self.dev_issuer.start()
            self._stack.push_async_callback(self.dev_issuer.stop)
            trust = settings.trust_in(self.dev_issuer.trusted())
        with _naming("--jwks-ca-file", "CA file"):
            auth = BearerAuth(trust)
        return await self._stack.enter_async_context(auth)

    @contextlib.asynccontextmanager
    async def _listening(self, app: Application) -> AsyncIterator[None]:
        settings = self.settings
        server = HTTPServer(
            app,
            ssl_options=self._ssl,
            max_body_size=settings.max_body_size,
            max_buffer_size=max(settings.max_body_size, 1024 * 1024) + 64 * 1024,
            max_header_size=64 * 1024,
            idle_connection_timeout=_IDLE_S,
            body_timeout=_BODY_S,
        )
        sockets = _bind(settings)
        server.add_sockets(sockets)
        host = f"[{settings.hostname}]" if ":" in settings.hostname else settings.hostname
        scheme = "https" if self._ssl else "http"
        self.url = f"{scheme}://{host}:{sockets[0].getsockname()[1]}"
        log.info("listening on %s", self.url)
        try:
            yield
        finally:
            self.stopping.set()
            server.stop()
            await _finished(app.settings["in_flight"], settings.shutdown_timeout_s)
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


@contextlib.contextmanager
def _naming(option: str, start: str = "") -> Iterator[None]:
    """Put the option in front of a fault that begins with `start` and does not name it."""
    try:
        yield
    except ConfigurationError as exc:
        text = str(exc)
        if text.startswith(option) or not text.startswith(start):
            raise
        raise ConfigurationError(f"{option}: {text}") from exc


async def _master_key(settings: Settings, store: ObjectStore, data_dir: Path) -> MasterKey:
    """The master key that this database belongs to. Raises ConfigurationError before serving."""
    option = "KMS_MASTER_KEY" if settings.master_key else "--master-key-file"
    known = await store.master_key_check()
    with _naming(option):
        master_key = load_master_key(
            value=settings.master_key.value if settings.master_key else None,
            file=settings.master_key_file,
            default_file=data_dir / KEY_FILE,
            may_make=known is None and not await store.holds_objects(),
        )
    if known is None:
        known = await store.set_master_key_check(master_key.check_value())
    if not master_key.matches(known):
        raise ConfigurationError(
            f"{option}: the master key is not the one that this database was made with"
        )
    return master_key


async def _finished(in_flight: set[Any], timeout_s: float) -> None:
    """Wait until no request is in flight, timeout_s at most."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    await asyncio.sleep(min(_GRACE_S, timeout_s))  # for what has been sent, but not been read yet
    while in_flight:
        if asyncio.get_running_loop().time() >= deadline:
            log.warning("%d requests were still in flight at the end of the wait", len(in_flight))
            return
        await asyncio.sleep(0.02)


def _bind(settings: Settings) -> list[socket.socket]:
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


def _ssl_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, settings)
    return context


def _load_pair(context: ssl.SSLContext, settings: Settings) -> None:
    cert, key = settings.tls_cert_file, settings.tls_key_file
    assert cert is not None
    assert key is not None
    try:
        # An empty password rather than a prompt on the terminal for an encrypted key.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as exc:  # ValueError: a password that is too long
        raise ConfigurationError(_pair_fault(cert, key, exc)) from None


def _pair_fault(cert: Path, key: Path, error: Exception) -> str:
    """In words; OpenSSL's are "[SSL] PEM lib (_ssl.c:3900)" whatever it is."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"--tls-key-file: {key}: is not the key of the certificate in {cert}"
    try:
        cert_text, key_text = cert.read_bytes(), key.read_bytes()
    except OSError as exc:
        option = "--tls-key-file" if exc.filename == str(key) else "--tls-cert-file"
        return f"{option}: {exc.filename}: {exc.strerror}"
    if b"-----BEGIN CERTIFICATE-----" not in cert_text:
        return f"--tls-cert-file: {cert}: holds no PEM certificate"
    if b"ENCRYPTED" in key_text:
        return f"--tls-key-file: {key}: is encrypted; it is needed without a passphrase"
    if b"PRIVATE KEY-----" not in key_text:
        return f"--tls-key-file: {key}: holds no PEM private key"
    return f"--tls-cert-file: {cert}, or the key {key}: cannot be used: {error}"
