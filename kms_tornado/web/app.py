"""The server's routes, as an application of their own or mounted in another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self, Unpack

from tornado.routing import URLSpec
from tornado.web import Application

from ..argument_types import check_type, make_texts
from ..auth.request_auth import RequestAuth
from ..errors import ConfigurationError, WrongArgumentType
from ..networks import parse_networks
from ..public_urls import parse_prefix, parse_public_url
from ..redaction import mask_logs
from ..service.kms import KMS
from ..service.load.admission import CONCURRENCY, Admission, AdmissionBounds
from ..settings.faults import find_load_faults, refuse_faults
from ..settings.service import ServiceArguments, make_service_settings
from .access_log import log_handled_request
from .bearer.arguments import check_argument_names
from .bearer.tornado_internals import SERVER, TOKEN_LAYER, check_tornado
from .handlers.access import (
    GrantHandler,
    GrantsHandler,
    ObtainedHandler,
    OwnedHandler,
    WithdrawHandler,
)
from .handlers.audit import AuditHandler, AuditStatisticsHandler
from .handlers.objects import ObjectsHandler, ObjectSummaryHandler
from .handlers.server import (
    HealthHandler,
    KMIPHandler,
    MetadataHandler,
    MetricsHandler,
    OpenAPIHandler,
    ReadyHandler,
    VersionHandler,
    WhoAmIHandler,
)
from .handlers.service_handler import NotFoundHandler, ServiceHandler
from .kmip_exchange import ROUTES as KMIP_ROUTES
from .public_url import PublicURL
from .server_context import METADATA_PATH, ServerContext
from .trusted_proxies import TrustedProxies
from .ui.handlers import PAGE_ROUTES
from .ui.page import Page

ROUTES: list[tuple[str, type[ServiceHandler]]] = [
    *((route, KMIPHandler) for route in KMIP_ROUTES),
    ("/access/grant", GrantHandler),
    ("/access/revoke", WithdrawHandler),
    ("/access/list/(.+)", GrantsHandler),
    ("/access/owned", OwnedHandler),
    ("/access/obtained", ObtainedHandler),
    ("/objects", ObjectsHandler),
    ("/objects/summary", ObjectSummaryHandler),
    ("/audit", AuditHandler),
    ("/audit/statistics", AuditStatisticsHandler),
    ("/whoami", WhoAmIHandler),
    ("/version", VersionHandler),
    ("/health", HealthHandler),
    ("/ready", ReadyHandler),
    (METADATA_PATH, MetadataHandler),
    ("/openapi.json", OpenAPIHandler),
]
METRICS_ROUTE: tuple[str, type[ServiceHandler]] = ("/metrics", MetricsHandler)


def make_app(context: ServerContext) -> Application:
    """An application with all routes. /metrics is among them only if the metrics have no port of their own."""
    has_metrics = context.metrics is not None and not context.metrics_are_apart
    routes = [*ROUTES, METRICS_ROUTE] if has_metrics else ROUTES
    context.routes = tuple(path for path, _ in routes)
    if context.page is not None:  # files for people, and no part of what programs are told of
        routes = [*routes, *PAGE_ROUTES]
    specs = [_make_spec(path, handler, context, path) for path, handler in routes]
    if public_path := context.public_url.path:
        # A proxy takes the path away, but for the metadata, which stand beside it: RFC 9728 §3.1.
        path = METADATA_PATH + re.escape(public_path)
        specs.append(_make_spec(path, MetadataHandler, context, METADATA_PATH))
    return _make_application(context, specs)


def make_metrics_app(context: ServerContext) -> Application:
    """An application with /metrics alone."""
    path, handler = METRICS_ROUTE
    return _make_application(context, [_make_spec(path, handler, context, path)])


def _make_application(context: ServerContext, specs: list[URLSpec]) -> Application:
    return Application(
        specs,
        default_handler_class=NotFoundHandler,
        default_handler_args={"context": context, "route": "other"},
        log_function=log_handled_request,
        serve_traceback=False,
        bearer_auth=context.auth,
    )


class MountedKMS(list[Any]):
    """Routes for another application, and the KMS behind them, open within ``async with``."""

    def __init__(self, prefix: str, kms: KMS, context: ServerContext) -> None:
        below = re.escape(prefix)  # Tornado's routes are patterns, and this is a path
        # RFC 9728 §3.1: the well-known part stands between host and path.
        super().__init__(
            _make_spec(
                path + below if path == METADATA_PATH else below + path, handler, context, path
            )
            for path, handler in (ROUTES if context.page is None else [*ROUTES, *PAGE_ROUTES])
        )
        if public_path := context.public_url.path:
            path = METADATA_PATH + re.escape(public_path) + below
            self.append(_make_spec(path, MetadataHandler, context, METADATA_PATH))
        self._kms = kms

    async def __aenter__(self) -> Self:
        await self._kms.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._kms.__aexit__(*exc)


def handlers(
    prefix: str = "",
    *,
    max_body_size: int = 16 * 1024 * 1024,
    user_rate: int = 0,
    user_concurrency: int = CONCURRENCY,
    auth: RequestAuth | None = None,
    public_url: str | None = None,
    trusted_proxies: str | Iterable[str] = (),
    ui: bool = False,
    **service: Unpack[ServiceArguments],
) -> MountedKMS:
    """The whole KMS as routes below a path of an existing application.

    ``kms = handlers(prefix="/kms", data_dir=…)``, ``Application([*kms, …], bearer_auth=auth)``, ``async with auth,
    kms:``.
    The arguments mean the same as the options of these names.

    prefix: as it stands in the URL, with a slash at its beginning and none at its end.
    max_body_size: in bytes. user_rate, user_concurrency: of one process; 0 means unlimited.
    auth: the token checker, if it is not the application's ``bearer_auth``.
    public_url: the URL by which clients reach the application, without the prefix. None means the Host of the request,
    if it is the address to which the connection was made.
    trusted_proxies: networks whose ``X-Forwarded-For``, ``X-Forwarded-Proto`` and ``X-Request-ID`` are believed. With
    ``HTTPServer(xheaders=True)`` everybody's are believed. On a Unix socket every peer is ``0.0.0.0``.
    ui: whether the page for people is at ``<prefix>/ui/``, where they paste a token.
    service: the fields of `settings.service.ServiceArguments`, by name.
    Raises ValueError for a prefix that is not such a path, TypeError for an argument that does not exist, and
    ConfigurationError for invalid settings.
    """
    _check_types(prefix, auth, public_url, ui)
    prefix = parse_prefix(prefix)
    check_argument_names(handlers, service, ServiceArguments.__annotations__)
    refuse_faults(find_load_faults(max_body_size, user_rate, user_concurrency))
    check_tornado(TOKEN_LAYER + SERVER)
    mask_logs()
    kms = KMS(make_service_settings(**service))
    context = ServerContext(
        kms=kms,
        auth=auth,
        max_body_size=max_body_size,
        admission=Admission(AdmissionBounds(user_rate, user_concurrency)),
        loop_turns=kms.loop_turns,
        prefix=prefix,
        routes=tuple(path for path, _ in ROUTES),
        public_url=PublicURL(_parse_public_url(public_url)),
        page=Page() if ui else None,
        trusted_proxies=_parse_proxies(trusted_proxies),
    )
    return MountedKMS(prefix, kms, context)


def _check_types(prefix: object, auth: object, public_url: object, ui: object) -> None:
    check_type(prefix, str, "prefix")
    check_type(public_url, str | None, "public_url")
    check_type(ui, bool, "ui")
    if auth is not None and (isinstance(auth, type) or not hasattr(auth, "check_now")):
        raise WrongArgumentType(f"a BearerAuth is needed, not {type(auth).__name__}", "auth")


def _parse_proxies(networks: str | Iterable[str]) -> TrustedProxies:
    field = "trusted_proxies"
    return TrustedProxies(parse_networks(make_texts(networks, field), field))


def _parse_public_url(text: str | None) -> str:
    try:
        return "" if text is None else parse_public_url(text)
    except ConfigurationError as exc:
        raise ConfigurationError(exc.text, "public_url") from None


def _make_spec(
    path: str, handler: type[ServiceHandler], context: ServerContext, route: str
) -> URLSpec:
    return URLSpec(path, handler, {"context": context, "route": route})
