"""Grants: the codes, device codes and refresh tokens that the issuer of --dev has handed out.

Pure: `now` is an argument, in seconds of any clock that never goes back. Everything is in memory and limited; a user
who fills it up loses the oldest part.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from .requests import OAuthError, SignInRequest, is_verifier_of

CODE_LIFETIME_S = 60.0  # RFC 6749 §4.1.2 recommends ten minutes at most; a browser needs a second
DEVICE_LIFETIME_S = 600.0  # time to find the other screen, and type
TICKET_LIFETIME_S = 600.0  # how long a sign-in page may stay open
REFRESH_LIFETIME_S = 12 * 3600.0  # a working day
POLL_INTERVAL_S = 1  # a laptop's own loopback bears what a provider would not
_SHORTEST_PAUSE_S = 0.5 * POLL_INTERVAL_S  # clients' timers are not exact

T = TypeVar("T")

_MOST = 200  # the most of each kind at once
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words, and nothing like a digit


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who signed in, and at which client. scope, nonce: "" where there is none.

    key: the thumbprint of the key to which the tokens are bound (RFC 9449); "" where they are bound to none.
    """

    user: str
    client_id: str
    scope: str
    nonce: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that waits for a user's decision. user: None until then; "" is a refusal."""

    client_id: str
    scope: str
    user_code: str
    user: str | None = None
    polled_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    request: SignInRequest
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """The refresh tokens that descend from one sign-in; only the newest, `current`, is good."""

    signed_in: SignedIn
    current: str


class Expiring(Generic[T]):
    """Values by name, each for lifetime_s, and the newest `_MOST` of them."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._values: dict[str, tuple[float, T]] = {}

    def add(self, value: T, now: float, name: str | None = None) -> str:
        """Add a value, and return its name. Without a given name, it gets one that nobody can guess."""
        name = secrets.token_urlsafe(32) if name is None else name
        while self._values and (len(self._values) >= _MOST or self._oldest() <= now):
            del self._values[next(iter(self._values))]
        self._values[name] = (now + self._lifetime_s, value)
        return name

    def get(self, name: str, now: float) -> T | None:
        """The value; None where it has expired, or never existed."""
        expires_at, value = self._values.get(name, (now, None))
        return value if now < expires_at else None

    def take(self, name: str, now: float) -> T | None:
        """The value, which is then removed."""
        value = self.get(name, now)
        self._values.pop(name, None)
        return value

    def change(self, name: str, value: T) -> None:
        """Replace an existing value, for the rest of its time."""
        self._values[name] = (self._values[name][0], value)

    def is_over(self, name: str, now: float) -> bool:
        """Whether the value still exists, but its time is over."""
        return name in self._values and self.get(name, now) is None

    def _oldest(self) -> float:
        return next(iter(self._values.values()))[0]


class Grants:
    """What was handed out, and what has become of it. All methods raise OAuthError for a refusal."""

    def __init__(self) -> None:
        self._codes: Expiring[_Code] = Expiring(CODE_LIFETIME_S)
        self._spent_codes: Expiring[str] = Expiring(REFRESH_LIFETIME_S)
        self._devices: Expiring[Device] = Expiring(DEVICE_LIFETIME_S)
        self._user_codes: Expiring[str] = Expiring(DEVICE_LIFETIME_S)
        self._families: Expiring[_Family] = Expiring(REFRESH_LIFETIME_S)

    # --- authorization code ---------------------------------------------------------------------

    def issue_code(self, request: SignInRequest, user: str, now: float) -> str:
        return self._codes.add(_Code(request=request, user=user), now)

    def redeem_code(
        self,
        code: str,
        *,
        client_id: str,
        redirect_uri: str,
        verifier: str,
        now: float,
        key: str = "",
    ) -> tuple[SignedIn, str]:
        """(who signed in, a refresh token). Any attempt uses a code up.

        If a code comes a second time, somebody else has seen it, and may have been the first to use it. So what the
        first use brought is revoked (RFC 6749 §4.1.2).
        key: the thumbprint of the key that the client has proven to hold, to which the tokens are bound; "" where it has
        proven none.
        """
        family = self._spent_codes.get(code, now)
        if family is not None:
            self._families.take(family, now)
            raise OAuthError("invalid_grant", "the code was used before: sign in again")
        held = self._codes.take(code, now)
        if held is None:
            raise OAuthError("invalid_grant", "the code is unknown or has expired")
        back = held.request.back
        if client_id != back.client_id:
            raise OAuthError("invalid_grant", "the code is for another client")
        if redirect_uri != back.redirect_uri:
            raise OAuthError("invalid_grant", "the code was asked for with another redirect_uri")
        if not is_verifier_of(verifier, held.request.code_challenge):
            raise OAuthError("invalid_grant", "code_verifier does not fit the code_challenge")
        if held.request.key not in {"", key}:
            raise OAuthError("invalid_grant", "the DPoP proof is not by the key of dpop_jkt")
        signed_in = SignedIn(
            user=held.user,
            client_id=client_id,
            scope=held.request.scope,
            nonce=held.request.nonce,
            key=key,
        )
        family, token = self._start_family(signed_in, now)
        self._spent_codes.add(family, now, name=code)
        return signed_in, token

    # --- device code ----------------------------------------------------------------------------

    def start_device(self, client_id: str, scope: str, now: float) -> tuple[str, str]:
        """(the device code, the user code as a person reads it)."""
        user_code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        device = Device(client_id=client_id, scope=scope, user_code=user_code)
        device_code = self._devices.add(device, now)
        self._user_codes.add(device_code, now, name=user_code)
        return device_code, format_user_code(user_code)

    def find_device(self, user_code: str, now: float) -> Device | None:
        """The device that still waits for a decision; None where there is none."""
        device_code = self._user_codes.get(_normalize_user_code(user_code), now)
        return None if device_code is None else self._devices.get(device_code, now)

    def decide_device(self, user_code: str, user: str, now: float) -> bool:
        """Sign the device in as the user, or refuse it for ""; False where it no longer waits."""
        device_code = self._user_codes.take(_normalize_user_code(user_code), now)
        device = None if device_code is None else self._devices.get(device_code, now)
        if device_code is None or device is None:
            return False
        self._devices.change(device_code, replace(device, user=user))
        return True

    def redeem_device(
        self, device_code: str, *, client_id: str, now: float, key: str = ""
    ) -> tuple[SignedIn, str]:
        """(who signed in, a refresh token). The errors for a device that has to wait are those of RFC 8628 §3.5.

        key: as for redeem_code.
        """
        if self._devices.is_over(device_code, now):
            raise OAuthError("expired_token", "the device code has expired: ask for another one")
        device = self._devices.get(device_code, now)
        if device is None or device.client_id != client_id:
            raise OAuthError("invalid_grant", "the device code is unknown, or was used before")
        if device.user is None:
            self._devices.change(device_code, replace(device, polled_at=now))
            if device.polled_at is not None and now - device.polled_at < _SHORTEST_PAUSE_S:
                raise OAuthError("slow_down", f"ask every {POLL_INTERVAL_S} s only")
            raise OAuthError("authorization_pending", "nobody has decided yet")
        self._devices.take(device_code, now)
        if not device.user:
            raise OAuthError("access_denied", "the sign-in was refused")
        signed_in = SignedIn(user=device.user, client_id=client_id, scope=device.scope, key=key)
        return signed_in, self._start_family(signed_in, now)[1]

    # --- refresh token --------------------------------------------------------------------------

    def refresh(
        self, token: str, *, client_id: str, scope: str, now: float, key: str = ""
    ) -> tuple[SignedIn, str]:
        """(who signed in, the token that replaces this one).

        If an old one comes again, two parties have it, and nobody knows which of them is the thief. So the whole family
        is revoked (RFC 9700 §4.14.2).
        scope: less than was granted, or "" for all of it.
        key: as for redeem_code. A bound token can be used with its own key only, and without that key nobody can revoke
        its family by using an old one (RFC 9449 §5). A token that is not bound yet is bound to the key from then on.
        """
        name, family = self._find_family(token, client_id, now)
        if family.signed_in.key not in {"", key}:
            raise OAuthError("invalid_grant", "the refresh token is bound to another DPoP key")
        if token != family.current:
            self._families.take(name, now)
            raise OAuthError("invalid_grant", "the refresh token was used before: sign in again")
        signed_in = replace(family.signed_in, key=key)
        if not set(scope.split()) <= set(signed_in.scope.split()):
            raise OAuthError("invalid_scope", "scope asks for more than was granted")
        newest = _make_refresh_token(name)
        self._families.change(name, replace(family, signed_in=signed_in, current=newest))
        # The nonce belongs to the first ID token alone (OpenID Connect Core 1.0 §12.2).
        return replace(signed_in, nonce="", scope=scope or signed_in.scope), newest

    def revoke(self, token: str, *, client_id: str, now: float) -> None:
        """End the sign-in from which the refresh token descends. An unknown one is accepted (RFC 7009 §2.2)."""
        name = token.partition(".")[0]
        family = self._families.get(name, now)
        if family is None:
            return
        if family.signed_in.client_id != client_id:
            raise OAuthError("invalid_grant", "the token is another client's")
        self._families.take(name, now)

    def _start_family(self, signed_in: SignedIn, now: float) -> tuple[str, str]:
        name = secrets.token_urlsafe(32)
        token = _make_refresh_token(name)
        self._families.add(_Family(signed_in=signed_in, current=token), now, name=name)
        return name, token

    def _find_family(self, token: str, client_id: str, now: float) -> tuple[str, _Family]:
        name = token.partition(".")[0]
        family = self._families.get(name, now)
        if family is None or family.signed_in.client_id != client_id:
            raise OAuthError("invalid_grant", "the refresh token is unknown, revoked or expired")
        return name, family


def format_user_code(user_code: str) -> str:
    """``WDJB-MJHT``: the user code in two parts, as people read it aloud."""
    return f"{user_code[:4]}-{user_code[4:]}"


def _normalize_user_code(typed: str) -> str:
    """The user code as it is kept, however it was typed (RFC 8628 §6.1)."""
    return re.sub(r"[^A-Z]", "", typed.upper())


def _make_refresh_token(family: str) -> str:
    """A refresh token that names its family. A used one is then recognised without a list of all used ones."""
    return f"{family}.{secrets.token_urlsafe(32)}"
