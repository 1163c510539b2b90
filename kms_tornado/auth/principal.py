"""Principal: who a verified token speaks for, with claims that nobody can change afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self


def _frozen(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise TypeError("verified claims cannot be changed; copy them first: dict(claims)")


_NESTED = frozenset({dict, list})  # what JSON is read into, and never subclasses of these


class Claims(dict[str, Any]):
    """Verified claims: a dict that json.dumps takes, and that refuses changes at every level.

    A remembered token hands the same claims to every request, so a handler that edited them would
    edit the next caller's rights.
    """

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _frozen
    clear = pop = popitem = setdefault = update = _frozen

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:  # copies and pickles are plain
        return dict, (dict(self),)

    @classmethod
    def freeze(cls, members: Mapping[str, Any]) -> Self:
        claims = cls(members)
        for name, value in members.items():
            if type(value) in _NESTED:
                dict.__setitem__(claims, name, _freeze_value(value))
        return claims


class ClaimList(list[Any]):
    """A list inside Claims: equal to a plain list, and as unchangeable."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _frozen
    append = clear = extend = insert = pop = remove = reverse = sort = _frozen

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return list, (list(self),)


def _freeze_value(value: Any) -> Any:
    if type(value) is list:
        if _NESTED.isdisjoint(map(type, value)):
            return ClaimList(value)
        return ClaimList(map(_freeze_value, value))
    return Claims.freeze(value) if type(value) is dict else value


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for. Only `auth.verifier` makes one from a token.

    name: the user, as rights are granted to it; with the issuer in front where namespaces are on.
    subject, issuer: the token's ``sub`` and its issuer as configured.
    claims: all of the token's claims; they never show in a repr, so not in a log either.
    expires_at: the token's ``exp``, seconds since the Unix epoch.
    """

    name: str
    subject: str
    issuer: str
    claims: Mapping[str, Any] = field(repr=False, hash=False)
    expires_at: float
