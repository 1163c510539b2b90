"""requires: the guard of an HTTP method, or of a whole handler, which only tokens with certain claims may call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from ...auth.principal import Principal
from ...auth.rules.claims import has_claim
from ...auth.tokens.token_policy import ClaimValue, RequiredClaim, is_claim_value
from ...errors import AuthenticationError, InsufficientScope, MissingToken
from .fast_request import FastRequest
from .hooks import Demand
from .mixin import BearerAuthMixin
from .refusals import refuse
from .web_sockets import RefusedCall

Handler = TypeVar("Handler", bound=BearerAuthMixin[Any] | FastRequest)
HandlerClass = TypeVar("HandlerClass", bound=BearerAuthMixin[Any])
Handler_contra = TypeVar("Handler_contra", bound=BearerAuthMixin[Any], contravariant=True)
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _OpenMethod(Protocol[Handler_contra, R_co]):
    """A method with the arguments that WebSocketHandler.open has, of which a Concatenate does not tell ``self``."""

    def __call__(_, self: Handler_contra, *args: str, **kwargs: str) -> R_co: ...  # noqa: N805


class _Guard(Protocol):
    """What `requires` returns: the guarded method or function takes and returns what it did."""

    @overload
    def __call__(self, handler: type[HandlerClass], /) -> type[HandlerClass]: ...

    @overload
    def __call__(
        self, method: Callable[Concatenate[Handler, P], R], /
    ) -> Callable[Concatenate[Handler, P], R]: ...

    @overload
    def __call__(
        self, method: _OpenMethod[Handler_contra, R], /
    ) -> Callable[Concatenate[Handler_contra, ...], R]: ...


def requires(*required: RequiredClaim, **claims: ClaimValue | tuple[ClaimValue, ...]) -> _Guard:
    """Guard an HTTP method or a handler: the token must carry the claims, or the answer is 403 insufficient_scope.

    ``@requires(scope="orders:write")``. Each claim must equal the value, or be a list that contains it, or an object with
    that member. A ``scope`` with spaces requires all of its scopes; they may also stand in ``scp``, where some issuers put
    them. The challenge names the scopes. Of several values in a tuple, any one is enough: ``@requires(role=("clerk",
    "admin"))``. A claim whose name is no Python name, or that stands in another one, is a `RequiredClaim`:
    ``@requires(RequiredClaim("realm_access.roles", "admin"))``. Without a token, in a public or an optional method, the
    answer is 401. Of a class, all methods are guarded that are not public, those of its subclasses, too; none of its
    code runs for a request that is refused. A WebSocket whose `open` or `on_message` is guarded is closed with the code 4403, or 4401 without a token.

    Raises TypeError where nothing would be guarded, or where no token could pass.
    """
    pairs: list[tuple[str, object]] = list(claims.items())
    for claim in required:
        if not isinstance(claim, RequiredClaim):  # a method: @requires without arguments
            raise _make_error()
        pairs.append((claim.name, claim.value))
    listed = _list_required(pairs)
    # Of alternatives, none is named: no client needs all of them.
    scope = " ".join(
        str(claim.values[0]) for claim in listed if claim.name == "scope" and len(claim.values) == 1
    )

    def find_refusal(principal: Principal | None) -> AuthenticationError | None:
        refusal = _find_refusal(principal, listed)
        if refusal is not None:
            refusal.scope = scope
        return refusal

    def guard(guarded: Callable[..., Any]) -> Callable[..., Any]:
        demand = Demand(find_refusal, scope)
        if isinstance(guarded, type):
            return _guard_class(guarded, demand)
        if not callable(guarded):  # a property, say, or what another decorator left
            raise TypeError(f"@requires guards a method or a class, not a {type(guarded).__name__}")
        return _guard_method(guarded, demand)

    return cast("_Guard", guard)


def _guard_method(method: Callable[..., Any], demand: Demand) -> Callable[..., Any]:
    """A method of a handler, or the function of a fast route."""

    @functools.wraps(method)
    def guarded(self: object, /, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, FastRequest):
            if (refusal := demand.find_refusal(self.principal)) is not None:
                raise refusal
            return method(self, *args, **kwargs)
        if not isinstance(self, BearerAuthMixin):
            raise TypeError(
                f"@requires needs a handler with BearerAuthMixin, not {type(self).__name__}"
            )
        if (refusal := demand.find_refusal(self._principal)) is not None:
            refuse(self, refusal)
            raise RefusedCall  # what called this method by super() must not go on either
        return method(self, *args, **kwargs)

    # The challenge for want of a token names it, too.
    guarded._required_scope = demand.scope  # type: ignore[attr-defined]
    return guarded


def _guard_class(handler: type, demand: Demand) -> type:
    """The class itself, which keeps what its base classes demand. Raises TypeError for another one."""
    if not issubclass(handler, BearerAuthMixin):
        raise TypeError(f"@requires needs a handler with BearerAuthMixin, not {handler.__name__}")
    handler._demands = (*handler._demands, demand)
    return handler


def _list_required(pairs: Iterable[tuple[str, object]]) -> list[RequiredClaim]:
    """The required claims, with each scope as a claim of its own.

    Raises TypeError where there is none, and for a value that no claim can equal.
    """
    found: list[RequiredClaim] = []
    for name, value in pairs:
        is_split = name == "scope" and isinstance(value, str)
        for part in str(value).split() if is_split else [value]:
            values = part if isinstance(part, tuple) else (part,)
            if not values or not all(_can_be_met(name, one) for one in values):
                raise _make_error()
            found.append(RequiredClaim(name, values))
    if not found:
        raise _make_error()
    return found


def _can_be_met(name: str, value: object) -> bool:
    if name != "scope":
        return is_claim_value(value)
    return isinstance(value, str) and value.split() == [value]  # no space: RFC 6749 §3.3


def _make_error() -> TypeError:
    return TypeError(
        "requires() takes claims, each a text, a number, True or False, or a tuple of them of which any is enough: "
        '@requires(scope="orders:write")'
    )


def _find_refusal(
    principal: Principal | None, required: list[RequiredClaim]
) -> AuthenticationError | None:
    if principal is None:  # a public method: there are no claims
        return MissingToken()
    for claim in required:
        if not _has_claim_or_scp(principal, claim):
            return InsufficientScope(f"{claim.name} lacks a required value")
    return None


def _has_claim_or_scp(principal: Principal, claim: RequiredClaim) -> bool:
    if has_claim(principal.claims, claim):
        return True
    return claim.name == "scope" and has_claim(principal.claims, RequiredClaim("scp", claim.value))
