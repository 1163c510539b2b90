"""BearerAuthMixin: what an application's handlers subclass, so that only good tokens get in.

Closed by default, twice: authentication runs before any code of the handler, and every HTTP method
refuses to run without a principal, whatever a subclass forgets.
"""

from __future__ import annotations

import asyncio
import inspect
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Generic, cast

from tornado.concurrent import future_set_result_unless_cancelled
from tornado.web import HTTPError, OutputTransform, RequestHandler

from ...auth.bearer import has_bearer_scheme
from ...auth.bound.dpop import NONCE_HEADER
from ...auth.credentials import Credentials
from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from ...errors import AuthenticationError, Unavailable, UnknownUser
from .auth import BearerAuth
from .hooks import HandlerFacts, HandlerHooks
from .method_guards import check_methods, guard_methods
from .refusals import end_failed, refuse
from .web_sockets import close_at, end_refused_calls

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler
    from typing_extensions import TypeVar

    User = TypeVar("User", default=Principal)
else:  # before Python 3.13, typing's own has no default
    from typing import TypeVar

    User = TypeVar("User")

#: They change nothing, so nothing is gained by having a stranger's browser send them (RFC 9110 §9.2.1).
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class BearerAuthMixin(HandlerHooks, Generic[User]):
    """Adds the token check to RequestHandler, WebSocketHandler, StaticFileHandler or your own base.

    The settings of the application name the `BearerAuth`: ``Application(routes, bearer_auth=auth)``;
    without it every request is answered 500. In a method, ``self.current_user`` is the `Principal`.
    A request without an acceptable token is answered as RFC 6750 §3 says: 401 with a challenge, 400 for
    a malformed Authorization header; 503 while the issuer's keys are not available. None of
    the handler's code runs for it but `bearer_token`, `load_user` and `write_refusal`. The mixin may stand before or after the other base class.

    To a type checker, ``current_user`` is a `Principal`; of a handler ``BearerAuthMixin[Account]`` it is an ``Account``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard_methods(cls)
        check_methods(cls)
        bases = [base for base in cls.__bases__ if issubclass(base, BearerAuthMixin)]
        cls._demands = tuple(dict.fromkeys(one for base in bases for one in base._demands))
        # Asked of the class: a handler's own __getattr__ may need what its `prepare` sets.
        cls._is_web_socket = hasattr(cls, "get_websocket_protocol")
        if cls._is_web_socket:
            end_refused_calls(cast("type[WebSocketHandler]", cls))
        # A base class that stands before the mixin does not say who the user is: it would name somebody
        # else than the token. A subclass of the mixin may, on purpose.
        owner = next(base for base in cls.__mro__ if "current_user" in vars(base))
        if not issubclass(owner, BearerAuthMixin):
            setattr(cls, "current_user", BearerAuthMixin.current_user)  # noqa: B010

    @property
    def current_user(self) -> User:
        """The principal for whom the request's token speaks; None in a public method, and without a token.

        A handler may assign another value in its `prepare`. Tornado's `get_current_user` is not asked: it names whom a
        cookie says, perhaps, where no token was asked for.
        """
        user: Any = vars(self).get("_current_user")
        return cast("User", user)

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._current_user: Any = value

    # Tornado parses the body, decodes the path and refuses unknown methods before it calls `prepare`.
    # The token must be checked before all of these, and even if a subclass's `prepare` does not call
    # super(). So the check stands in front of Tornado's `_execute`. Should a release of Tornado stop
    # calling that, the guard of each method refuses every request.
    #
    # It returns a coroutine. Any: pyright knows Tornado's by a type that mypy does not know, and finds
    # a fault in every class that has the mixin before another base where the two differ.
    def _execute(self, transforms: list[OutputTransform], *args: bytes, **kwargs: bytes) -> Any:
        self._transforms = transforms
        try:
            if self.is_public_method():
                return super()._execute(transforms, *args, **kwargs)
            auth = self.bearer_auth
            if auth is None:
                raise LookupError("the application's settings have no bearer_auth")
            credentials = self._find_credentials()
            if not credentials.authorization and self.request.method in self.optional_methods:
                self._is_anonymous = True
                self._check_demands(None)
                return super()._execute(transforms, *args, **kwargs)
            principal = auth.check_now(credentials)
            if principal is not None:
                # Nearly every request ends up here, so there is no coroutine around this.
                self._accept(principal)
                if type(self).load_user is not BearerAuthMixin.load_user:
                    return self._execute_with_user(principal, transforms, *args, **kwargs)
                return super()._execute(transforms, *args, **kwargs)
        except Exception as exc:  # the edge of a request: what is no refusal is answered 500
            return self._execute_refusal(exc)
        return self._execute_after_waiting(auth, credentials, transforms, *args, **kwargs)

    def _find_credentials(self) -> Credentials:
        headers = self.request.headers
        token: object = self.bearer_token()
        if token is None:
            return Credentials(headers.get_list("Authorization"), headers, facts=HandlerFacts(self))
        if not isinstance(token, str):
            raise TypeError("bearer_token() must return a text or None")
        self._is_token_elsewhere = True
        return Credentials([f"Bearer {token}"], headers, facts=HandlerFacts(self))

    async def _execute_after_waiting(
        self,
        auth: RequestAuth,
        credentials: Credentials,
        transforms: list[OutputTransform],
        *args: bytes,
        **kwargs: bytes,
    ) -> None:
        """Decide once the issuer's current keys have been fetched, or a DPoP proof has been remembered."""
        try:
            principal = await auth.check_waiting(credentials)
            if credentials.next_nonce:
                RequestHandler.set_header(self, NONCE_HEADER, credentials.next_nonce)
            self._accept(principal)
        except Exception as exc:  # as in `_execute`
            await self._execute_refusal(exc)
        else:
            await self._execute_with_user(principal, transforms, *args, **kwargs)

    async def _execute_with_user(
        self,
        principal: Principal,
        transforms: list[OutputTransform],
        *args: bytes,
        **kwargs: bytes,
    ) -> None:
        try:
            if type(self).load_user is not BearerAuthMixin.load_user:
                loaded: Any = self.load_user(principal)
                user = await loaded if inspect.isawaitable(loaded) else loaded
                if user is None:
                    raise UnknownUser("load_user returned None")
                self.current_user = user
        except Exception as exc:  # the application's code
            await self._execute_refusal(exc)
        else:
            await super()._execute(transforms, *args, **kwargs)

    def _accept(self, principal: Principal) -> None:
        self._principal = self._current_user = principal
        if self._demands:
            self._check_demands(principal)
        user = type(self).current_user
        # A property of the subclass's own that can be assigned may keep the user elsewhere.
        if (
            user is not BearerAuthMixin.current_user
            and getattr(user, "fset", self._accept) is not None
        ):
            self.current_user = principal
        if self._is_web_socket:  # its module may not be loaded
            handler, auth = cast("WebSocketHandler", self), self.bearer_auth
            if isinstance(auth, BearerAuth):
                auth.end_with_token(handler, principal)
            else:
                close_at(handler, principal.expires_at)

    def _check_demands(self, principal: Principal | None) -> None:
        for demand in self._demands:
            if (refusal := demand.find_refusal(principal)) is not None:
                raise refusal

    # Tornado calls it before `prepare`, for all methods but GET, HEAD and OPTIONS. A browser sends cookies
    # by itself, whichever page makes it send a request, but never a bearer token: that came from a
    # program which knows it. So nothing is forged where the token was checked. The checks stay for
    # public methods and wherever else a request needs no token. (`check_xsrf_cookie` is not what is
    # overridden here, because the host's own override of it may stand in front of this class.)
    def _cross_origin_protection(self) -> None:
        if (
            self._principal is None
            or self._is_token_elsewhere
            or not has_bearer_scheme(self.request.headers.get("Authorization", ""))
        ):
            # Not super(): the key server's own handlers, which need no token, have none of it.
            RequestHandler._cross_origin_protection(self)
        # A cookie comes with what any page makes the browser send, and so may a proxy's header. The application
        # may have neither of Tornado's protections, as bearer tokens need none.
        if self._is_token_elsewhere and self.request.method not in _SAFE_METHODS:
            problem = RequestHandler._check_cross_origin(self, self.check_trusted_origin)
            if problem is not None:
                raise HTTPError(403, "%s", problem)

    # Tornado logs what this raises, and leaves the client waiting. It does the same for a broken answer.
    # So it would be for Tornado's own refusals before `prepare` (a malformed body, an unknown method, the
    # XSRF check), where the handler's hooks need what `prepare` sets: strangers reach public methods.
    def _handle_request_exception(self, e: BaseException) -> None:
        # Tornado asks for it when it has noted that the head is sent, and a __getattr__ of the handler may fail.
        vars(self).setdefault("_new_cookie", SimpleCookie())
        if isinstance(e, (AuthenticationError, Unavailable)) and not self._finished:
            refuse(self, e)  # as from a function of a fast route
            return
        try:
            super()._handle_request_exception(e)
        except (Exception, asyncio.CancelledError) as exc:  # the application's `write_error`, say
            end_failed(self, exc)
        if self._finished:
            return
        if self._headers_written:
            connection: Any = self.request.connection
            connection.close()
        else:  # the handler's own `finish`, or what calls it, has done nothing
            end_failed(self, e)

    async def _execute_refusal(self, error: Exception) -> None:
        """Answer in place of the handler."""
        try:
            refuse(self, error)
        finally:
            body_may_come = cast("asyncio.Future[None] | None", self._prepared_future)
            if body_may_come is not None:  # only of a handler that streams; the body is dropped
                future_set_result_unless_cancelled(body_may_come, None)

    def _refuse_call(self, error: AuthenticationError) -> None:
        """Refuse what an open web socket was to do. Not for applications to override."""
        refuse(self, error)


class BearerRequestHandler(BearerAuthMixin[User]):
    """A RequestHandler whose methods all need a good bearer token; see `BearerAuthMixin`."""
