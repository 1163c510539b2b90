"""Server: the whole server of one process, its parts started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...auth.issuers.kept_keys import KeptKeys
from ...auth.no_auth import InsecureNoAuth
from ...auth.request_auth import RequestAuth
from ...errors import ConfigurationError
from ...service.auditing.signing_key import check_configured_audit_key
from ...service.kms import KMS
from ...service.load.admission import Admission, AdmissionBounds
from ...service.master_keys.key_ring import check_configured_keys
from ...service.ownership.configured_naming import check_user_naming, describe_naming
from ...settings.server import Settings
from ...settings.service import ServiceSettings
from ...transport.connections import Connections
from ...transport.in_flight import InFlight
from ..app import make_app
from ..bearer.auth import BearerAuth
from ..bearer.jwks_fetch import JWKSFetch
from ..bearer.tornado_internals import SERVER, TOKEN_LAYER, check_tornado
from ..fast_lane import FastLane
from ..metrics.sources import admission_figures, bytes_figures, connection_figures, tls_figures
from ..public_url import PublicURL
from ..readiness import Readiness
from ..server_context import ServerContext
from ..trusted_proxies import TrustedProxies
from ..ui.discovery import Discovery
from ..ui.page import Page
from . import tls
from .http_front import HTTPFront, limit_connections
from .kmip_port import KMIPPort
from .listening import (
    Sockets,
    kmip_address,
    metrics_url,
    open_kmip_sockets,
    open_metrics_sockets,
    open_sockets,
    server_url,
    try_ports,
)
from .loop_lag import LoopLag
from .metrics_listener import serve_metrics
from .workers import Worker

if TYPE_CHECKING:
    from ..metrics.metrics import Metrics
    from .dev.issuer import DevIssuer
    from .dev.kmip import DevKMIP

log = logging.getLogger("kms_tornado.server")


class Server:
    """The whole server of one process. ``async with Server(settings)`` listens; `url` says where.

    sockets: the listening sockets if workers share them; None opens those of the settings.
    worker: which of the workers this process is; None where there is one process.
    dev_issuer: the issuer of --dev, while it runs; else None.
    dev_kmip: what --dev tells a KMIP client.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sockets | None = None,
        worker: Worker | None = None,
    ) -> None:
        self.settings = settings
        self._sockets = sockets
        self._worker = worker
        self.url = ""
        self.dev_issuer: DevIssuer | None = None
        self.dev_kmip: DevKMIP | None = None
        self._stack = contextlib.AsyncExitStack()
        self._kms: KMS | None = None
        self._auth: RequestAuth | None = None
        self._ssl: ssl.SSLContext | None = None
        self._readiness = Readiness()
        self._public_url = PublicURL(settings.public_url, settings.hostname)
        self._front: HTTPFront | None = None
        self._kmip: KMIPPort | None = None

    async def __aenter__(self) -> Server:
        """Start all parts. Raises ConfigurationError, Unavailable, or OSError where the port is not free."""
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
        self._prepare()
        service_settings = self._service_settings()
        assert service_settings.data_dir is not None
        is_first = self._worker is None or self._worker.is_first
        kms = self._kms = await self._stack.enter_async_context(
            KMS(
                service_settings,
                may_make_database=is_first,
                is_throw_away=settings.service.data_dir is None,
            )
        )
        if (trust := settings.trust) is not None:
            await check_user_naming(kms.store, describe_naming(trust), trust.issuer_uris)
        auth = self._auth = await self._start_auth(kms)
        trusted_proxies = TrustedProxies(settings.trusted_proxies)
        connections = limit_connections(settings, trusted_proxies, is_told=is_first)
        context = self._make_context(kms, auth, trusted_proxies, connections)
        if context.metrics is not None:
            await self._start_metrics(context, context.metrics)
        listening = self._listen(context, connections, service_settings.data_dir)
        await self._stack.enter_async_context(listening)

    def _prepare(self) -> None:
        """Check everything that may be refused, before the start leaves a database and a master key behind."""
        self.check_files()
        if self._sockets is None:
            try_ports(self.settings)
        self._read_certificate()

    def check_files(self) -> None:
        """Read what the settings name: certificates, lists and keys. Nothing is made, and nobody is asked.

        Raises ConfigurationError where a start would refuse one of them.
        """
        settings = self.settings
        check_tornado(TOKEN_LAYER + SERVER)
        self._ssl = tls.make_context(settings)
        if settings.trust is not None:
            BearerAuth(settings.trust).check_files()  # CA file, deny file and proxy
        if settings.has_kmip:
            self._kmip = KMIPPort(settings)
        check_configured_keys(settings.service)
        check_configured_audit_key(settings.service.audit_key_file)

    def _make_context(
        self, kms: KMS, auth: RequestAuth, trusted_proxies: TrustedProxies, connections: Connections
    ) -> ServerContext:
        settings = self.settings
        return ServerContext(
            kms=kms,
            auth=auth,
            max_body_size=settings.max_body_size,
            admission=Admission(AdmissionBounds(settings.user_rate, settings.user_concurrency)),
            metrics=_make_metrics(auth, kms) if settings.has_metrics else None,
            metrics_are_apart=settings.metrics_listen is not None,
            trusted_proxies=trusted_proxies,
            asks_certificates=settings.clients_ca_cert_file is not None,
            in_flight=InFlight(connections),
            public_url=self._public_url,
            readiness=self._readiness,
            loop_turns=kms.loop_turns,
            page=self._make_page() if settings.has_ui else None,
        )

    def _make_page(self) -> Page:
        settings = self.settings
        if self.dev_issuer is not None:
            return Page(sign_in=self.dev_issuer.describe_sign_in("kms_tornado page"))
        page = Page(needs_token=not settings.insecure_no_auth)
        if settings.ui_client_id is not None and (trust := settings.trust) is not None:
            fetch = JWKSFetch(trust.refresh)
            fetch.open()
            self._stack.callback(fetch.close)
            page.discovery = Discovery(
                trust.issuers[0],
                settings.ui_client_id,
                trust.refresh,
                fetch,
                scope="openid email" if "email" in trust.policy.user_claims else "openid",
            )
            self._stack.push_async_callback(page.discovery.stop)
            page.discovery.start()
        return page

    async def _start_metrics(self, context: ServerContext, metrics: Metrics) -> None:
        metrics.add(lambda: admission_figures(context.admission))
        metrics.add(lambda: bytes_figures(context.bytes_in_flight))
        metrics.add(lambda: tls_figures(self._readiness.certificate_end))
        if (connections := context.in_flight.connections) is not None:
            metrics.add(lambda: connection_figures(connections))
        await self._stack.enter_async_context(LoopLag(metrics.observe_lag))
        if self._worker is not None:
            from ..metrics.workers import WorkerMetrics

            context.worker_metrics = await self._stack.enter_async_context(
                WorkerMetrics(self._worker.directory, self._worker.number, metrics.scrape)
            )
        if self.settings.metrics_listen is None:
            return
        if self._sockets is not None:
            sockets = self._sockets.metrics
        else:
            sockets = open_metrics_sockets(self.settings)
            log.info("metrics are at %s", metrics_url(self.settings, sockets))
        await self._stack.enter_async_context(serve_metrics(context, sockets))

    def reload(self) -> None:
        """On SIGHUP: read TLS files, master keys and the audit's log again, and issuers' keys once their cooldown is
        over.

        If one of the TLS files cannot be used, all of the former ones stay in use, and the log says so.
        """
        self._read_tls_files()
        if self._auth is not None:
            self._auth.refresh_soon()
        if self._kms is not None:
            self._kms.reload_master_keys_soon()
            self._kms.reopen_audit_log_soon()

    def _read_tls_files(self) -> None:
        try:
            context = tls.make_context(self.settings)
            kmip_context = None if self._kmip is None else self._kmip.read_files()
            if self._auth is not None:
                self._auth.check_files()  # every fetch reads them for itself
        except ConfigurationError as exc:
            log.error("the old TLS files stay in use, all of them: %s", exc.text)
            return
        if context is not None:
            # A new context and not new files in the old one: that would go on to trust a CA that was
            # taken out, and to resume sessions of clients whose certificates are that CA's.
            self._ssl = context
            self._read_certificate()
            if self._front is not None:
                self._front.tls = context
        if self._kmip is not None and kmip_context is not None:
            self._kmip.use(kmip_context)
        if files := tls.list_files(self.settings):
            log.info("these TLS files were read again: %s", ", ".join(files))

    def _read_certificate(self) -> None:
        """Note the names in the certificate in use, and when it expires."""
        settings = self.settings
        self._public_url.certificate_names = tls.read_certificate_names(settings)
        end = self._readiness.certificate_end = tls.read_certificate_end(settings)
        if end is not None and end <= time.time():
            log.warning(
                "the certificate in %s has ended: clients that check it do not connect",
                settings.tls_cert_file,
            )

    def _service_settings(self) -> ServiceSettings:
        """The settings of the KMS, with a temporary data directory if none is set, as with --dev."""
        settings = self.settings.service
        if settings.data_dir is not None:
            return settings
        directory = tempfile.TemporaryDirectory(prefix="kms-tornado-dev-")
        return dataclasses.replace(settings, data_dir=Path(self._stack.enter_context(directory)))

    async def _start_auth(self, kms: KMS) -> RequestAuth:
        auth = self._make_auth(kms)
        self._stack.push_async_callback(auth.stop)
        await auth.start()
        return auth

    def _make_auth(self, kms: KMS) -> RequestAuth:
        settings = self.settings
        if settings.insecure_no_auth:
            log.warning(
                "--insecure-no-auth: NO TOKEN IS CHECKED, every request is %r",
                settings.default_username,
            )
            return InsecureNoAuth(settings.default_username)
        trust, data_dir = settings.trust, settings.service.data_dir
        if trust is None or data_dir is None:
            # The keys of --dev's issuer end with it, so none are kept for the next start.
            return BearerAuth(
                settings.make_trust(self._start_dev_issuer().trusted_issuer()),
                shared_proofs=kms.shared_proofs,
            )
        return BearerAuth(
            trust,
            shared_proofs=kms.shared_proofs,
            keep=functools.partial(
                KeptKeys,
                data_dir / "issuer-keys",
                kms.kept_keys_mac,
                max_age_s=trust.refresh.max_stale_s,
            ),
        )

    def _start_dev_issuer(self) -> DevIssuer:
        from .dev.issuer import DevIssuer

        settings = self.settings
        self.dev_issuer = DevIssuer(settings.hostname)
        self.dev_issuer.start()
        self._stack.push_async_callback(self.dev_issuer.stop)
        return self.dev_issuer

    @contextlib.asynccontextmanager
    async def _listen(
        self, context: ServerContext, connections: Connections, data_dir: Path
    ) -> AsyncIterator[None]:
        settings = self.settings
        assert self._auth is not None
        front = self._front = HTTPFront(
            FastLane(make_app(context), context, self._auth),
            connections,
            tls=self._ssl,
            max_body_size=settings.max_body_size,
            send_timeout_s=settings.send_timeout_s,
        )
        sockets = open_sockets(settings) if self._sockets is None else self._sockets.http
        self.url = server_url(settings, sockets)
        if self.dev_issuer is not None:
            self.dev_issuer.let_page_in(self.url)
        front.start(sockets)
        self._listen_for_kmip(context, data_dir)
        if self._sockets is None:  # otherwise the supervisor logs this, once for all workers
            log.info("listening on %s", self.url)
        try:
            yield
        finally:
            context.is_stopping = True
            stopping = [front.stop(context.in_flight, settings.shutdown_timeout_s)]
            if self._kmip is not None:
                stopping.append(self._kmip.stop(settings.shutdown_timeout_s))
            await asyncio.gather(*stopping)

    def _listen_for_kmip(self, context: ServerContext, data_dir: Path) -> None:
        if self._kmip is None:
            return
        settings = self.settings
        if self._sockets is not None:
            sockets = self._sockets.kmip
        else:
            sockets = open_kmip_sockets(settings)
            log.info("KMIP over TLS is at %s", kmip_address(settings, sockets))
        self._kmip.start(context, sockets, data_dir / "dev-kmip")
        if self._kmip.dev is not None:
            self.dev_kmip = self._kmip.dev.describe(
                settings.kmip_hostname, sockets[0].getsockname()[1]
            )


def _make_metrics(auth: RequestAuth, kms: KMS) -> Metrics:
    from ..metrics.metrics import Metrics  # with prometheus_client, where it is used alone

    return Metrics(auth, kms)
