"""The server's routes: an application of their own, or mounted in another one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from tornado.routing import URLSpec
from tornado.web import Application

from ..auth.request_auth import RequestAuth
from ..crypto.policy import CryptoPolicy
from ..service.kms import KMS, Storage
from . import access_handlers as a
from . import handlers as h
from .access_log import log_handled_request
from .bearer.tornado_internals import SERVER, TOKEN_LAYER, check_tornado
from .kmip_exchange import ROUTES as KMIP_ROUTES
from .service_handler import (
    METADATA_PATH,
    NotFoundHandler,
    ServerContext,
    ServiceHandler,
)

ROUTES: list[tuple[str, type[ServiceHandler]]] = [
    *((route, h.KMIPHandler) for route in KMIP_ROUTES),
    ("/access/grant", a.GrantHandler),
    ("/access/revoke", a.WithdrawHandler),
    ("/access/list/(.+)", a.GrantsHandler),
    ("/access/owned", a.OwnedHandler),
    ("/access/obtained", a.ObtainedHandler),
    ("/version", h.VersionHandler),
    ("/health", h.HealthHandler),
    ("/ready", h.ReadyHandler),
    (METADATA_PATH, h.MetadataHandler),
]
METRICS_ROUTE: tuple[str, type[ServiceHandler]] = ("/metrics", h.MetricsHandler)


def make_app(context: ServerContext) -> Application:
    """An application with all routes. It has /metrics only where the context has metrics."""
    routes = ROUTES if context.metrics is None else [*ROUTES, METRICS_ROUTE]
    return Application(
        [_make_spec(path, handler, context, path) for path, handler in routes],
        default_handler_class=NotFoundHandler,
        default_handler_args={"context": context, "route": "other"},
        log_function=log_handled_request,
        serve_traceback=False,
        bearer_auth=context.auth,
    )


class MountedKMS(list[Any]):
    """Routes for another application, and the KMS behind them, open within ``async with``."""

    def __init__(self, prefix: str, kms: KMS, context: ServerContext) -> None:
        # RFC 9728 §3.1: the well-known part stands between host and path.
        super().__init__(
            _make_spec(
                path + prefix if path == METADATA_PATH else prefix + path, handler, context, path
            )
            for path, handler in ROUTES
        )
        self._kms = kms

    async def __aenter__(self) -> Self:
        await self._kms.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._kms.__aexit__(*exc)


def handlers(
    prefix: str = "",
    *,
    data_dir: str | Path = "kms-data",
    database_url: str = "sqlite:///kms.db",
    master_key_file: str | Path | None = None,
    privileged_users: Iterable[str] = (),
    crypto_policy: str = "conservative",
    max_body_size: int = 16 * 1024 * 1024,
    auth: RequestAuth | None = None,
) -> MountedKMS:
    """The whole KMS as routes below a path of an existing application.

    ``kms = handlers(prefix="/kms", data_dir=…)``, ``Application([*kms, …], bearer_auth=auth)`` and
    ``async with auth, kms:``. The arguments mean what the options of the same names do.
    auth: what checks the tokens, where it is not the application's ``bearer_auth``.
    Raises ValueError for a prefix that does not start with a slash or that ends with one.
    """
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise ValueError("a prefix starts with a slash and does not end with one")
    check_tornado(TOKEN_LAYER + SERVER)
    storage = Storage(
        data_dir=Path(data_dir),
        database_url=database_url,
        master_key_file=None if master_key_file is None else Path(master_key_file),
    )
    kms = KMS(
        storage,
        privileged_users=frozenset(privileged_users),
        crypto_policy=CryptoPolicy(crypto_policy),
    )
    context = ServerContext(kms=kms, auth=auth, max_body_size=max_body_size, prefix=prefix)
    return MountedKMS(prefix, kms, context)


def _make_spec(
    path: str, handler: type[ServiceHandler], context: ServerContext, route: str
) -> URLSpec:
    return URLSpec(path, handler, {"context": context, "route": route})
