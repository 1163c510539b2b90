"""The server's routes, and the applications that it serves."""

from __future__ import annotations

import re

from tornado.routing import URLSpec
from tornado.web import Application

from .access_log import log_handled_request
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
from .server_context import METADATA_PATH, ServerContext
from .ui.handlers import PAGE_ROUTES

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
    specs = [make_spec(path, handler, context, path) for path, handler in routes]
    if public_path := context.public_url.path:
        # A proxy takes the path away, but for the metadata, which stand beside it: RFC 9728 §3.1.
        path = METADATA_PATH + re.escape(public_path)
        specs.append(make_spec(path, MetadataHandler, context, METADATA_PATH))
    return _make_application(context, specs)


def make_metrics_app(context: ServerContext) -> Application:
    """An application with /metrics alone."""
    path, handler = METRICS_ROUTE
    return _make_application(context, [make_spec(path, handler, context, path)])


def _make_application(context: ServerContext, specs: list[URLSpec]) -> Application:
    return Application(
        specs,
        default_handler_class=NotFoundHandler,
        default_handler_args={"context": context, "route": "other"},
        log_function=log_handled_request,
        serve_traceback=False,
        bearer_auth=context.auth,
    )


def make_spec(
    path: str, handler: type[ServiceHandler], context: ServerContext, route: str
) -> URLSpec:
    """Tornado's route for a path. route: how log and metrics name it."""
    return URLSpec(path, handler, {"context": context, "route": route})
