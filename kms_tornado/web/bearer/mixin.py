"""BearerAuthMixin and BearerRequestHandler: handlers that let nobody in without a good token.

What an application subclasses. Closed by default twice: authentication runs before anything of the
handler does, and every HTTP method refuses to run without a principal, whatever a subclass forgot.
"""

from __future__ import annotations

import functools
import json
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar, cast

from tornado.concurrent import future_set_result_unless_cancelled
from tornado.web import OutputTransform, RequestHandler

from ...auth.bearer import format_challenge
from ...auth.claims import has_claim
from ...auth.credentials import Credentials
from ...auth.issuer import RequiredClaim
from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from ...errors import AuthenticationError, InsufficientScope, MissingToken, Unavailable

log = logging.getLogger("kms_tornado.auth")

Method = TypeVar("Method", bound=Callable[..., Any])


def _needing_principal(method: Callable[..., Any]) -> Callable[..., Any]:
    """The last line of defence: reached without a principal, the method does not run."""

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        if self._principal is None and not self.is_public_method():
            self.refuse(MissingToken("the handler was reached without authentication"))
            return None
        result: Awaitable[None] | None = method(self, *args, **kwargs)
        return result

    # The function itself, not a flag: functools.wraps hands flags on to what wraps the guard.
    guarded._guard = guarded  # type: ignore[attr-defined]
    return guarded


class BearerAuthMixin(RequestHandler):
    """Token checks for any handler: RequestHandler, WebSocketHandler, StaticFileHandler, your own.

    The application's settings hold the BearerAuth: ``Application(routes, bearer_auth=auth)``.
    In a method, ``self.current_user`` is the `Principal`.
    """

    #: HTTP methods that need no token, such as ``("GET",)``; there, ``current_user`` is None.
    public_methods: ClassVar[tuple[str, ...]] = ()

    _principal: Principal | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.SUPPORTED_METHODS:
            method = getattr(cls, name.lower(), None)
            if method is not None and getattr(method, "_guard", None) is not method:
                setattr(cls, name.lower(), _needing_principal(method))

    @property
    def bearer_auth(self) -> RequestAuth | None:
        """What checks this handler's tokens; None refuses every request."""
        auth: RequestAuth | None = self.application.settings.get("bearer_auth")
        return auth

    # Tornado parses the body, decodes the path and refuses unknown methods before `prepare` runs;
    # a token must be checked before all of these, and whether or not a subclass's `prepare` calls
    # super(). So this stands in front of the whole of it. Should Tornado ever stop calling
    # `_execute`, the methods' own guard refuses every request.
    def _execute(
        self, transforms: list[OutputTransform], *args: bytes, **kwargs: bytes
    ) -> Coroutine[Any, Any, None]:
        self._transforms = transforms
        if self.is_public_method():
            return super()._execute(transforms, *args, **kwargs)
        try:
            auth = self.bearer_auth
            if auth is None:
                raise LookupError("the application's settings have no bearer_auth")
            credentials = Credentials(self.request.headers.get_list("Authorization"))
            principal = auth.check_now(credentials)
        except Exception as exc:
            return self._execute_refused(exc)
        if principal is None:
            return self._execute_after_refresh(auth, credentials, transforms, *args, **kwargs)
        # The way of nearly every request, without a coroutine of its own.
        self._principal = self.current_user = principal
        return super()._execute(transforms, *args, **kwargs)

    async def _execute_after_refresh(
        self,
        auth: RequestAuth,
        credentials: Credentials,
        transforms: list[OutputTransform],
        *args: bytes,
        **kwargs: bytes,
    ) -> None:
        """Only the issuer's current keys can tell: wait for them."""
        try:
            self._principal = self.current_user = await auth.check_refreshing(credentials)
        except Exception as exc:
            await self._execute_refused(exc)
        else:
            await super()._execute(transforms, *args, **kwargs)

    async def _execute_refused(self, error: Exception) -> None:
        """Answer instead of the handler."""
        if isinstance(error, AuthenticationError):
            self.refuse(error)
        elif isinstance(error, Unavailable):
            self.refuse_for_now(error)
        else:
            # Tornado catches nothing out here: the client would wait for an answer for ever.
            log.error("checking a request's token ended in a bug", exc_info=error)
            self.send_error(500)
        body_may_come = cast("Future[None] | None", self._prepared_future)
        if body_may_come is not None:  # of a streamed request; it is dropped
            future_set_result_unless_cancelled(body_may_come, None)

    def is_public_method(self) -> bool:
        return self.request.method in self.public_methods

    def refuse(self, error: AuthenticationError) -> None:
        """Answer with the error's status, challenge and fixed words (RFC 6750 §3)."""
        log.info(
            "refused %s %s from %s: %s%s",
            self.request.method, self.request.path, self.request.remote_ip,
            error, f" ({error.detail})" if error.detail else "",
        )  # fmt: skip
        auth = self.bearer_auth
        self._answer(error.status, error.code or "unauthorized", str(error))
        self.set_header(
            "WWW-Authenticate",
            format_challenge(
                auth.realm if auth else "", error, resource_metadata=self.resource_metadata_url()
            ),
        )
        self.finish()

    def refuse_for_now(self, error: Unavailable) -> None:
        """503: neither the token nor its holder is at fault (no challenge)."""
        log.warning("%s %s: %s (%s)", self.request.method, self.request.path, error, error.detail)
        self._answer(503, "temporarily_unavailable", str(error))
        self.set_header("Retry-After", str(error.retry_after_s))
        self.finish()

    def resource_metadata_url(self) -> str | None:
        """Where this application serves its RFC 9728 metadata; None where it does not."""
        return None

    def _answer(self, status: int, error: str, description: str) -> None:
        self.clear()
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps({"error": error, "error_description": description}))


class BearerRequestHandler(BearerAuthMixin):
    """A RequestHandler whose every method needs a good bearer token."""


def requires(**claims: str | int | float | bool) -> Callable[[Method], Method]:
    """Guard one method: the token must carry the claims, or 403 insufficient_scope is answered.

    ``@requires(scope="orders:write")``: every value must be equal or be contained. ``scope`` is
    several scopes where it has spaces, and is looked for in ``scp``, too, where issuers put it.
    """
    wanted = [
        RequiredClaim(name, part)
        for name, value in claims.items()
        for part in (value.split() if name == "scope" and isinstance(value, str) else [value])
    ]

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def guarded(self: BearerAuthMixin, *args: Any, **kwargs: Any) -> Any:
            principal = self._principal
            if principal is None:  # a public method: nobody's claims are known
                return self.refuse(MissingToken())
            for claim in wanted:
                if not _carries(principal, claim):
                    return self.refuse(InsufficientScope(f"{claim.name} lacks what is required"))
            return method(self, *args, **kwargs)

        return cast(Method, guarded)

    return decorate


def _carries(principal: Principal, claim: RequiredClaim) -> bool:
    if has_claim(principal.claims, claim):
        return True
    return claim.name == "scope" and has_claim(principal.claims, RequiredClaim("scp", claim.value))
