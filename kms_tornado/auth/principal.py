"""Principal: who a verified credential speaks for, with claims that cannot be changed afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self, final

from .tokens.binding import Binding


def _refuse_change(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise TypeError("verified claims cannot be changed; copy them first: dict(claims)")


_NESTED = frozenset({dict, list})  # a JSON parser makes these, never subclasses


class Claims(dict[str, Any]):
    """Verified claims: a dict that json.dumps accepts and that refuses changes at every level.

    Every request with a remembered token gets the same claims, so a handler that changed them would change the rights
    of the next request. A change raises TypeError; ``dict(claims)`` is a copy.
    """

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change

    def __reduce__(
        self,
    ) -> tuple[type, tuple[dict[str, Any]]]:  # copies and pickles are plain dicts
        return dict, (dict(self),)

    @classmethod
    def freeze(cls, members: Mapping[str, Any]) -> Self:
        """The same members, unchangeable down to the deepest list."""
        claims = cls(members)
        for name, value in members.items():
            if type(value) in _NESTED:
                dict.__setitem__(claims, name, _freeze_value(value))
        return claims


class ClaimList(list[Any]):
    """A list inside Claims: equal to a plain list, and unchangeable like them."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse_change
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse_change

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return list, (list(self),)


def _freeze_value(value: Any) -> Any:
    if type(value) is list:
        if _NESTED.isdisjoint(map(type, value)):
            return ClaimList(value)
        return ClaimList(map(_freeze_value, value))
    return Claims.freeze(value) if type(value) is dict else value


class _TokenSlot:
    """Beside the fields of Principal, which dataclasses compare, copy, pickle and show."""

    __slots__ = ("_token",)


@final  # `with_token` would lose what a subclass adds
@dataclass(frozen=True, slots=True)
class Principal(_TokenSlot):
    """Who a verified token speaks for: ``current_user`` of a handler.

    Only `auth.rules.verifier` makes one from a token.

    name: the user's name, to which access rights are granted: the value of the user claim, after
    ``<issuer>#`` where `TokenPolicy.namespace_by_issuer` is set.
    subject: the token's ``sub``; empty where another claim names the user and it has none. issuer: its issuer's URI, as configured.
    claims: all claims of the token, unchangeable. They are not in the repr, so in no log either.
    expires_at: the token's ``exp``, seconds since the Unix epoch.
    key_id: the ``kid`` of the key that verified the token, for logs; empty where the token names none.
    groups: to which access rights are granted, too, each as a grant names it: ``group:<name>``, or
    ``group:<issuer>#<name>``. Empty unless `TokenPolicy.group_claim` is set.
    binding: to which certificate or key the token is bound, which came with it; None where it is bound to none, or
    `TokenPolicy.bound_tokens` is off.
    """

    name: str
    subject: str
    issuer: str
    claims: Mapping[str, Any] = field(repr=False, hash=False)
    expires_at: float
    key_id: str = field(default="", compare=False)
    groups: frozenset[str] = frozenset()
    binding: Binding | None = None

    @property
    def token(self) -> str:
        """The token of this request, for calling another service on behalf of the user; empty where none came.

        It is not a field, so it is in neither the repr nor copies, pickles and `dataclasses.asdict`.
        """
        token: str = getattr(self, "_token", "")
        return token

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes in the claims ``scope`` and ``scp``, each once, in their order. Values of other types are ignored."""
        scopes: list[str] = []
        for name in ("scope", "scp"):
            value = self.claims.get(name)
            values = value.split() if isinstance(value, str) else value
            if isinstance(values, list):
                scopes += [scope for scope in values if isinstance(scope, str)]
        return tuple(dict.fromkeys(scopes))

    def with_token(self, token: str) -> Principal:
        """The same principal, for the request that has brought this token.

        The one without it is remembered for other requests: memory then holds no tokens.
        """
        principal = Principal(  # dataclasses.replace takes three times as long
            self.name,
            self.subject,
            self.issuer,
            self.claims,
            self.expires_at,
            self.key_id,
            self.groups,
            self.binding,
        )
        object.__setattr__(principal, "_token", token)  # the class is frozen
        return principal
