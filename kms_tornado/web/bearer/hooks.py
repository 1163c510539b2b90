"""HandlerHooks: what an application's handler may override of the token layer, and what is kept on a handler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from tornado.web import RequestHandler

from ...auth.bound.dpop import PROOF_HEADER
from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from ...errors import AuthenticationError, Unavailable
from .hook_caller import HookCaller, send_past_hooks
from .request_facts import find_request_url, find_tls_certificate


class Demand(NamedTuple):
    """What `requires` demands of all requests to a handler that need a token.

    find_refusal: gives the refusal of a principal, who is None without a token. scope: for the challenge.
    """

    find_refusal: Callable[[Principal | None], AuthenticationError | None]
    scope: str


class HandlerHooks(RequestHandler):
    """The base of `BearerAuthMixin`, by which the other parts of the token layer know a handler.

    An application overrides what has no underscore.
    """

    #: HTTP methods that need no token, such as ``("GET",)``; in them ``current_user`` is None.
    public_methods: ClassVar[tuple[str, ...]] = ()

    #: HTTP methods in which a good token is used, none is fine (``current_user`` is None), and a bad one is refused.
    optional_methods: ClassVar[tuple[str, ...]] = ()

    _principal: Principal | None = None
    _is_anonymous = False  # no token came, and none was needed
    _is_token_elsewhere = False  # it was not in the Authorization header
    _is_web_socket: ClassVar[bool] = False
    _demands: ClassVar[tuple[Demand, ...]] = ()  # those of the base classes, too

    @property
    def bearer_auth(self) -> RequestAuth | None:
        """The object that checks the credentials of this handler's requests. None refuses all of them."""
        auth: RequestAuth | None = self.application.settings.get("bearer_auth")
        return auth

    def is_public_method(self) -> bool:
        """Whether this request's method needs no token."""
        return self.request.method in self.public_methods

    def bearer_token(self) -> str | None:
        """The request's token, where it does not come in the Authorization header; None means that header.

        A handler may override it. It is called before the token is checked, and so before `prepare`. A browser may have
        sent the returned token unasked. Therefore, except for GET, HEAD and OPTIONS, a request that a page of another
        origin sends is answered 403, unless Tornado's setting ``trusted_origins`` names that origin.
        """
        return None

    def load_user(self, principal: Principal) -> Any:
        """The value of ``current_user``: the principal, or what an override returns, which may be a coroutine.

        It is called once the token is accepted, before `prepare`. None is answered 403: there is no such user. An
        `AuthenticationError` or an `HTTPError` that it raises becomes the answer; any other exception is answered
        500.
        """
        return principal

    def write_refusal(self, error: AuthenticationError | Unavailable) -> None:
        """Write the body of a refusal with `write`, `finish` or `render`. If it writes nothing, the answer is JSON.

        A handler may override it. Whatever it sets, the status, which `get_status` returns, and the challenge stay;
        other headers and cookies are sent. It is called before `prepare`, except for a refusal by `requires`.
        ``str(error)`` may be shown to the caller. If it raises an exception, that is logged, and the answer is JSON.
        """

    def request_url(self) -> str | None:
        """The URL that the client asked for, with which a DPoP proof is compared; None refuses every proof.

        A handler that knows the URL better than `BearerAuth` may override it. By default it is the ``public_url`` of
        the BearerAuth, followed by the path of the request; without a ``public_url``, the Host of the request counts,
        but only on a loopback address.
        """
        auth = self.bearer_auth
        return find_request_url(self.request, None if auth is None else auth.public_url)

    def client_certificate(self) -> bytes | None:
        """The client's certificate in DER, with which a bound token is compared (RFC 8705); None without one.

        By default it is the certificate of the TLS connection. A handler may override it behind a proxy that ends
        TLS, if only that proxy can be reached from outside: `read_client_cert` reads the header of RFC 9440.
        """
        return find_tls_certificate(self.request)

    def resource_metadata_url(self) -> str | None:
        """The URL of this application's metadata (RFC 9728 §3), for the challenge; None without any.

        By default it is the application's setting of this name, which counts for fast routes, too.
        """
        url: str | None = self.settings.get("resource_metadata_url")
        return url

    def _send_refusal(
        self, body: bytes, hooks: HookCaller, reason: str, cause: BaseException | None
    ) -> None:
        """Send a refusal, and call the hooks at the end of a request. Not for applications to override."""
        send_past_hooks(self, body, hooks)

    def _check_admission(self, user: str) -> None:
        """Raise TooManyRequests if this user has too many requests under way. Not for applications to override."""


class HandlerFacts:
    """The `HTTPRequestFacts` of a handler, which may override how they are found."""

    __slots__ = ("_handler",)

    def __init__(self, handler: HandlerHooks) -> None:
        self._handler = handler

    def find_method(self) -> str:
        return self._handler.request.method or ""

    def find_url(self) -> str | None:
        return self._handler.request_url()

    def list_proofs(self) -> Sequence[str]:
        return self._handler.request.headers.get_list(PROOF_HEADER)

    def find_certificate(self) -> bytes | None:
        return self._handler.client_certificate()

    def check_admission(self, user: str) -> None:
        self._handler._check_admission(user)
