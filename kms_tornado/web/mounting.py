"""The whole KMS as routes below a path of another application."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self, Unpack

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
from .app import ROUTES, make_spec
from .bearer.arguments import check_argument_names
from .bearer.tornado_internals import SERVER, TOKEN_LAYER, check_tornado
from .handlers.server import MetadataHandler
from .public_url import PublicURL
from .server_context import METADATA_PATH, ServerContext
from .trusted_proxies import TrustedProxies
from .ui.handlers import PAGE_ROUTES
from .ui.page import Page


class MountedKMS(list[Any]):
    """Routes for another application, and the KMS behind them, open within ``async with``."""

    def __init__(self, prefix: str, kms: KMS, context: ServerContext) -> None:
        below = re.escape(prefix)  # Tornado's routes are patterns, and this is a path
        # RFC 9728 §3.1: the well-known part stands between host and path.
        super().__init__(
            make_spec(
                path + below if path == METADATA_PATH else below + path, handler, context, path
            )
            for path, handler in (ROUTES if context.page is None else [*ROUTES, *PAGE_ROUTES])
        )
        if public_path := context.public_url.path:
            path = METADATA_PATH + re.escape(public_path) + below
            self.append(make_spec(path, MetadataHandler, context, METADATA_PATH))
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
