"""FastRouteHandler: the handler behind a fast route, for requests and failures that take the long way."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from tornado.routing import URLSpec
from tornado.web import Finish

from ....argument_types import check_type
from ....auth.principal import Principal
from ....errors import AuthenticationError, Unavailable
from ..fast_request import FastFunction, FastRequest, make_answer
from ..mixin import BearerRequestHandler
from ..refusals import refuse


class FastRouteHandler(BearerRequestHandler):
    """Calls the functions of one path for requests that go the long way, and answers for functions that failed."""

    functions: ClassVar[Mapping[str, FastFunction]]

    async def call(self, *path_args: str | None) -> None:
        request = self.request
        assert self._principal is not None
        try:
            result = self.functions[str(request.method)](
                FastRequest(
                    self._principal,
                    str(request.method),
                    request.path,
                    tuple([arg or "" for arg in path_args]),
                    request.query,
                    request.headers,
                    request.body,
                    str(request.remote_ip),
                )
            )
            answer = make_answer(await result if inspect.isawaitable(result) else result)
        except (AuthenticationError, Unavailable) as exc:
            refuse(self, exc)
            raise Finish from None
        headers, body = answer.encode()
        self.set_status(answer.status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body or None)

    def compute_etag(self) -> None:
        """None, because the fast way has no ETag either."""

    def accept_checked(self, principal: Principal | None) -> None:
        """Stand in for a request of the fast way. principal: None where it is refused."""
        self._transforms = []
        self._principal = self._current_user = principal

    def answer_refused(self, error: BaseException) -> None:
        """Answer a request of the fast way whose token was refused, or could not be checked."""
        assert isinstance(error, Exception)
        refuse(self, error)

    def answer_failed(self, error: BaseException) -> None:
        """Answer a request of the fast way whose function raised this error; to be called in the ``except``."""
        if isinstance(error, (AuthenticationError, Unavailable)):
            refuse(self, error)
        else:
            self._handle_request_exception(error)


def make_specs(fast_routes: Mapping[tuple[str, str], FastFunction]) -> list[URLSpec]:
    """Tornado's route for each path, to a handler that has all of the path's functions. Raises TypeError."""
    functions: dict[str, dict[str, FastFunction]] = {}
    check_type(fast_routes, Mapping, "fast_routes")
    for route, function in fast_routes.items():
        check_type(route, tuple[str, str], "fast_routes")
        method, path = route
        if method not in BearerRequestHandler.SUPPORTED_METHODS:
            raise TypeError(f"{method} is no HTTP method in capitals, such as GET: {path}")
        if not callable(function) or isinstance(function, type):
            raise TypeError(f"the fast route {method} {path} is no function of a FastRequest")
        functions.setdefault(path, {})[method] = function
    return [_make_spec(path, by_method) for path, by_method in functions.items()]


def _make_spec(path: str, functions: Mapping[str, FastFunction]) -> URLSpec:
    methods = {method.lower(): _make_method(function) for method, function in functions.items()}
    handler = type("FastRouteHandler", (FastRouteHandler,), {"functions": functions, **methods})
    spec = URLSpec(path, handler)
    if spec.regex.groupindex:
        raise TypeError(f"a fast route has groups without names: {path}")
    return spec


def _make_method(function: FastFunction) -> Callable[..., Awaitable[None]]:
    async def call(self: FastRouteHandler, *path_args: str | None) -> None:
        await self.call(*path_args)

    # The scopes that `requires` demands, for the challenge if no token comes.
    call._required_scope = getattr(function, "_required_scope", "")  # type: ignore[attr-defined]
    return call
