"""requires: the guard of one HTTP method, which only tokens with certain claims may call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec, TypeVar, cast

from ...auth.principal import Principal
from ...auth.rules.claims import has_claim
from ...auth.tokens.token_policy import ClaimValue, RequiredClaim, is_claim_value
from ...errors import AuthenticationError, InsufficientScope, MissingToken
from .fast_request import FastRequest
from .mixin import BearerAuthMixin
from .refusals import refuse
from .web_sockets import RefusedCall

Handler = TypeVar("Handler", bound=BearerAuthMixin | FastRequest)
P = ParamSpec("P")
R = TypeVar("R")


def requires(
    **claims: str | int | float | bool,
) -> Callable[[Callable[Concatenate[Handler, P], R]], Callable[Concatenate[Handler, P], R]]:
    """Guard one HTTP method: the token must carry the claims, or the answer is 403 insufficient_scope.

    ``@requires(scope="orders:write")``. Each claim must equal the value, or be a list that contains it. A ``scope``
    with spaces requires all of its scopes; they may also stand in ``scp``, where some issuers put them. The challenge
    names the scopes. Without a token, in a public or an optional method, the answer is 401. A WebSocket whose `open` or
    `on_message` is guarded is closed with the code 4403, or 4401 without a token.

    Raises TypeError where nothing would be guarded, or where no token could pass.
    """
    required = _list_required(claims)
    scope = " ".join(str(claim.value) for claim in required if claim.name == "scope")

    def decorate(
        method: Callable[Concatenate[Handler, P], R],
    ) -> Callable[Concatenate[Handler, P], R]:
        @functools.wraps(method)
        def guarded(self: Handler, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if isinstance(self, FastRequest):
                if (refusal := _find_refusal(self.principal, required)) is not None:
                    refusal.scope = scope
                    raise refusal
                return method(self, *args, **kwargs)
            if not isinstance(self, BearerAuthMixin):
                raise TypeError(
                    f"@requires needs a handler with BearerAuthMixin, not {type(self).__name__}"
                )
            refusal = _find_refusal(self._principal, required)
            if refusal is not None:
                refusal.scope = scope
                refuse(self, refusal)
                raise RefusedCall  # what called this method by super() must not go on either
            return method(self, *args, **kwargs)

        # The challenge for want of a token names it, too.
        guarded._required_scope = scope  # type: ignore[attr-defined]
        return guarded

    return decorate


def _list_required(claims: Mapping[str, object]) -> list[RequiredClaim]:
    """The required claims, with each scope as a claim of its own.

    Raises TypeError where there is none, and for a value that no claim can equal.
    """
    pairs = [
        (name, part)
        for name, value in claims.items()
        for part in (value.split() if name == "scope" and isinstance(value, str) else [value])
    ]
    if not pairs or not all(
        isinstance(value, str) or (name != "scope" and is_claim_value(value))
        for name, value in pairs
    ):
        raise TypeError(
            'requires() takes claims, each a text, a number, True or False: @requires(scope="orders:write")'
        )
    return [RequiredClaim(name, cast("ClaimValue", value)) for name, value in pairs]


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
