"""ServerContext: what the handlers of one server share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from ..auth.request_auth import RequestAuth
from ..service.kms import KMS
from ..service.load.admission import Admission
from ..service.load.bytes_in_flight import BytesInFlight
from ..service.load.loop_turns import LoopTurns
from ..transport.in_flight import InFlight
from .public_url import PublicURL
from .readiness import Readiness
from .trusted_proxies import TrustedProxies
from .ui.page import Page

if TYPE_CHECKING:  # they load prometheus_client, which a server without metrics does not need
    from .metrics.metrics import Metrics
    from .metrics.workers import WorkerMetrics

METADATA_PATH = "/.well-known/oauth-protected-resource"


@dataclass(slots=True)
class ServerContext:
    """Values that the handlers of one server share.

    auth: None means the ``bearer_auth`` of the application's settings.
    max_body_size: in bytes.
    metrics: None without --metrics.
    worker_metrics: the metrics of all workers; None where there is one process.
    metrics_are_apart: whether they have a port of their own.
    prefix: the path below which the routes are mounted.
    routes: their patterns, without the prefix.
    is_stopping: set once, when the server begins to stop.
    readiness: checked by `/ready`.
    trusted_proxies: the proxies that are believed about where a request comes from.
    asks_certificates: whether clients are asked for a certificate in the TLS handshake.
    public_url: where clients reach the server.
    admission: each principal's requests that are under way; bytes_in_flight: their bodies and answers.
    loop_turns: the same as the KMS has; a long body waits for a turn at each piece.
    page: the page for people; None without it.
    """

    kms: KMS
    auth: RequestAuth | None
    max_body_size: int
    metrics: Metrics | None = None
    worker_metrics: WorkerMetrics | None = None
    metrics_are_apart: bool = False
    prefix: str = ""
    routes: tuple[str, ...] = ()
    is_stopping: bool = False
    in_flight: InFlight = field(default_factory=InFlight)
    readiness: Readiness = field(default_factory=Readiness)
    trusted_proxies: TrustedProxies = field(default_factory=TrustedProxies)
    asks_certificates: bool = False
    public_url: PublicURL = field(default_factory=PublicURL)
    admission: Admission = field(default_factory=Admission)
    loop_turns: LoopTurns = field(default_factory=LoopTurns)
    page: Page | None = None
    bytes_in_flight: BytesInFlight = field(init=False)

    def __post_init__(self) -> None:
        self.bytes_in_flight = BytesInFlight(self.max_body_size)

    def make_resource_url(self, request: HTTPServerRequest) -> str:
        """The URL by which clients reach this server: the resource identifier of RFC 9728 §1.2."""
        return self.public_url.find_base(request) + self.prefix

    def make_metadata_url(self, request: HTTPServerRequest) -> str:
        """The URL of the resource's metadata, with the well-known path before the resource's own (RFC 9728 §3.1)."""
        resource = urlsplit(self.make_resource_url(request))
        return f"{resource.scheme}://{resource.netloc}{METADATA_PATH}{resource.path}"

    def end_request(self, request: object, connection: Any) -> None:
        """Note that the request's answer was sent, or that nobody will read it. A second call does nothing."""
        self.in_flight.end(request, connection)
        self.admission.leave(request)
        self.bytes_in_flight.leave(request)
