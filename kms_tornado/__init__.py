"""kms_tornado: a key management server on Tornado, and its token layer for any application.

The public names are imported when they are asked for: an application that embeds the handler base
class loads no KMIP, no database and no command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
    from .auth.principal import Principal
    from .auth.tokens.token_policy import RequiredClaim, TokenPolicy
    from .web.bearer.auth import BearerAuth
    from .web.bearer.fast_request import FastAnswer, FastRequest
    from .web.bearer.fast_routes.application import BearerApplication
    from .web.bearer.metadata import ProtectedResourceMetadataHandler
    from .web.bearer.mixin import BearerAuthMixin, BearerRequestHandler
    from .web.bearer.required_claims import requires
    from .web.mounting import handlers

_HOMES = {
    "BearerApplication": "web.bearer.fast_routes.application",
    "BearerAuth": "web.bearer.auth",
    "BearerAuthMixin": "web.bearer.mixin",
    "BearerRequestHandler": "web.bearer.mixin",
    "FastAnswer": "web.bearer.fast_request",
    "FastRequest": "web.bearer.fast_request",
    "Principal": "auth.principal",
    "ProtectedResourceMetadataHandler": "web.bearer.metadata",
    "RefreshPolicy": "auth.issuers.issuer",
    "RequiredClaim": "auth.tokens.token_policy",
    "TokenPolicy": "auth.tokens.token_policy",
    "TrustSettings": "auth.issuers.issuer",
    "TrustedIssuer": "auth.issuers.issuer",
    "handlers": "web.mounting",
    "requires": "web.bearer.required_claims",
}

__all__ = [
    "BearerApplication",
    "BearerAuth",
    "BearerAuthMixin",
    "BearerRequestHandler",
    "FastAnswer",
    "FastRequest",
    "Principal",
    "ProtectedResourceMetadataHandler",
    "RefreshPolicy",
    "RequiredClaim",
    "TokenPolicy",
    "TrustSettings",
    "TrustedIssuer",
    "__version__",
    "handlers",
    "requires",
]


if not TYPE_CHECKING:  # to a type checker, every name would exist

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{home}"), name)
