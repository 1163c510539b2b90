"""KMIPPort: KMIP over TLS as a part of a server, from the settings to the listener."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import ssl
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...auth.certificates import CertificatePolicy
from ...errors import ConfigurationError
from ...kmip_server.callers import Callers
from ...kmip_server.context import KMIPContext
from ...kmip_server.listener import IDLE_S, KMIPListener
from ...kmip_server.tls import find_list_ends, make_context
from ...settings.server import Settings
from ...transport.connections import Connections
from ...transport.descriptors import count_free, count_open
from ...transport.in_flight import InFlight
from ..metrics.figures import Figure
from ..metrics.sources import kmip_figures
from ..server_context import ServerContext

if TYPE_CHECKING:
    from .dev.kmip import DevCertificates

log = logging.getLogger("kms_tornado.server")

#: Seconds after which the clock is read again at the latest, since it may have been set.
_LOOK_S = 60.0
#: Seconds after the end of a list when OpenSSL, whose clock is coarse, is sure to know of it.
_SURELY_ENDED_S = 0.1


class KMIPPort:
    """KMIP over TLS in a server. The configured files are read when it is created. Raises ConfigurationError.

    dev: the certificates of --dev, from `start` on, if the settings name no CA.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.dev: DevCertificates | None = None
        self._tls = None if settings.kmip.kmip_clients_ca_cert_file is None else self._make_tls()
        self._trust = self._read_trust()
        self._list_ends = find_list_ends(settings.kmip)
        self._listener: KMIPListener | None = None
        self._context: KMIPContext | None = None
        self._connections: Connections | None = None
        self._next_end: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    def start(
        self, server: ServerContext, sockets: Collection[socket.socket], directory: Path
    ) -> None:
        """Listen. Raises ConfigurationError where the directory cannot be written to.

        server: its KMS, limits and metrics serve these messages as well. directory: for the certificates of --dev.
        """
        settings, kms, auth = self._settings, server.kms, server.auth
        if self._tls is None:
            from .dev.kmip import write_certificates

            self.dev = write_certificates(directory, settings.kmip_hostname)
            self._tls = self._make_tls()
        assert auth is not None
        kmip = settings.kmip
        most_open = max(1, count_free(count_open()) // 2)  # HTTP gets the other half
        connections = self._connections = Connections(
            min(settings.max_connections, most_open),
            settings.send_timeout_s,
            lambda address: False,
            idle_s=IDLE_S,
        )
        policy = CertificatePolicy(kmip.kmip_user_from, kmip.kmip_user_namespace == "shared")
        self._context = KMIPContext(
            kms=kms,
            service=kms.service.under_policy(
                kmip.kmip_crypto_policy or settings.service.crypto_policy
            ),
            callers=Callers(auth, policy),
            max_message_size=settings.max_body_size,
            admission=server.admission,
            bytes_in_flight=server.bytes_in_flight,
            loop_turns=server.loop_turns,
            in_flight=InFlight(connections),
            observe=None if server.metrics is None else server.metrics.add_messages(),
        )
        if server.metrics is not None:
            server.metrics.add(self._figures)
        self._listener = KMIPListener(
            self._context, connections, tls=self._tls, send_timeout_s=settings.send_timeout_s
        )
        self._listener.start(sockets)
        self._watch_lists()

    def _figures(self) -> Iterator[Figure]:
        assert self._context is not None
        assert self._connections is not None
        return kmip_figures(
            self._connections,
            failed_handshakes=self._context.failed_handshakes,
            broken_frames=self._context.broken_frames,
            list_end=min(self._list_ends, default=None),
        )

    def read_files(self) -> ssl.SSLContext:
        """A context from the files as they are now. Raises ConfigurationError, and then changes nothing."""
        return self._make_tls()

    def use(self, tls: ssl.SSLContext) -> None:
        """Use the context for handshakes from now on.

        If CAs or their revocation lists have changed, open connections are ended, too: otherwise nobody would check
        their certificates again.
        """
        trust, self._trust = self._trust, self._read_trust()
        self._replace(tls, ends_connections=trust != self._trust)

    def _replace(self, tls: ssl.SSLContext, *, ends_connections: bool) -> None:
        self._tls = tls
        self._list_ends = find_list_ends(self._settings.kmip)
        if self._listener is not None:
            has_ended = self._next_end is not None and self._next_end <= time.time()
            self._listener.replace_tls(tls, ends_connections=ends_connections or has_ended)
            self._watch_lists()

    def _watch_lists(self) -> None:
        """Act when the next list expires. From then on, OpenSSL accepts no certificate that it would have covered."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        ends = (end + _SURELY_ENDED_S for end in self._list_ends)
        self._next_end = min((end for end in ends if end > time.time()), default=None)
        if self._next_end is not None:
            self._look_at_clock(self._next_end)

    def _look_at_clock(self, end: float) -> None:
        if (left := end - time.time()) > 0:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(min(left, _LOOK_S), self._look_at_clock, end)
        else:
            self._end_trust()

    def _end_trust(self) -> None:
        """End the connections and sessions that relied on a list. OpenSSL consults lists only in full handshakes."""
        log.warning("a list of revoked certificates has ended: all KMIP connections end")
        try:
            tls = self._make_tls()
        except ConfigurationError as exc:
            log.error("no KMIP client gets in until SIGHUP finds good TLS files: %s", exc.text)
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a pair: each handshake fails
        self._trust = self._read_trust()
        self._replace(tls, ends_connections=True)

    async def stop(self, timeout_s: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._listener is not None:
            await self._listener.stop(timeout_s)

    def _make_tls(self) -> ssl.SSLContext:
        settings, dev = self._settings, self.dev
        if dev is not None:
            kmip = dataclasses.replace(settings.kmip, kmip_clients_ca_cert_file=dev.authority)
            return make_context(*dev.server, kmip)
        cert, key = settings.tls_cert_file, settings.tls_key_file
        assert cert is not None
        assert key is not None
        return make_context(cert, key, settings.kmip)

    def _read_trust(self) -> list[bytes]:
        """The contents of the files that say which certificates are good."""
        kmip = self._settings.kmip
        files = (kmip.kmip_clients_ca_cert_file, kmip.kmip_clients_crl_file)
        try:
            return [file.read_bytes() for file in files if file is not None]
        except OSError:  # taken away since the context was made
            return []
