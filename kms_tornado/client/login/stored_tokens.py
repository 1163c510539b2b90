"""StoredTokenSource: provides the token of a sign-in for each request, and renews it automatically.

An issuer may make every refresh token valid for one use only, and end the whole session if one comes twice. So only one
process at a time refreshes, under the lock of the store, and first checks whether another one has just done so. Authlib
is loaded only when a refresh is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..connection import ConnectionSettings, DPoPToken
from ..errors import ClientError
from .id_tokens import read_claims
from .login_errors import SessionEnded
from .login_settings import LoginSettings, TokenChoice
from .tokens import Tokens, TokenStore

#: Renewed when less is left, so that no token expires on its way to the server.
MARGIN_S = 60.0

#: A share of the lifetime, if that is short: a token of one minute is used for three quarters of it.
MARGIN_SHARE = 0.25


#: A token that was renewed so lately is not renewed again for the same expiry.
ONE_EXPIRY_S = 1.0

#: Seconds between two tries while the old token still works: an issuer that hangs must not slow down every request.
PAUSE_S = 10.0


class StoredTokenSource:
    """A TokenSource over a TokenStore. Threads may share it.

    tokens: what the store contains.
    refresh: exchanges old tokens for new ones; raises ClientError where there are none.
    """

    def __init__(
        self,
        store: TokenStore,
        tokens: Tokens,
        refresh: Callable[[Tokens], Tokens],
        *,
        choice: TokenChoice | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._choice = choice
        self._now = now
        self._tokens = tokens
        # Kept, as to read a key takes longer than to sign with it.
        self._bound: DPoPToken | None = None
        self._lock = threading.Lock()
        self._renewed_at = self._failed_at = float("-inf")

    def token(self) -> str | DPoPToken:
        """The token for the server, with its key if it is bound to one.

        Raises SessionEnded, ConnectionFailed and others where the token has expired and there is no other.
        """
        with self._lock:
            if self._is_due(self._tokens):
                self._renew_due(self._tokens)
            return self._join_key(choose_token(self._tokens, self._choice))

    def renew(self) -> bool:
        """Renew the token after the server said that it has expired.

        The server's word counts more than the clock here.
        """
        with self._lock:
            if self._tokens.refresh_token is None:
                return False
            # Threads hear of one expiry together: the first renews for all.
            if time.monotonic() - self._renewed_at > ONE_EXPIRY_S:
                self._replace(self._tokens)
            return True

    def _join_key(self, token: str) -> str | DPoPToken:
        """An access token with the key to which it is bound, if it is. An ID token is never bound."""
        tokens = self._tokens
        if not tokens.is_bound or token != tokens.access_token:
            return token
        if self._bound is None or self._bound.value != token:
            from .token_proofs import load_proof_key

            self._bound = DPoPToken(token, load_proof_key(tokens))
        return self._bound

    def _renew_due(self, tokens: Tokens) -> None:
        """Renew tokens that are about to expire. If that fails, the old one serves for its remaining seconds."""
        ends_at = self._lifetime(tokens)[1]
        is_over = ends_at is None or self._now() >= ends_at
        if not is_over and time.monotonic() - self._failed_at < PAUSE_S:
            return
        try:
            self._replace(tokens)
        except ClientError:
            self._failed_at = time.monotonic()
            if is_over:
                raise

    def _replace(self, spent: Tokens) -> None:
        with self._store.locked():
            stored = self._store.load()
            if stored is None:
                raise SessionEnded(
                    "the session has ended, as somebody signed out: run kmsctl login"
                )
            if stored == spent or self._is_due(stored):
                self._store.save(renewed := self._refresh(stored))
                stored = renewed
            # else another process was faster
        if choose_token(stored, self._choice) == choose_token(spent, self._choice):
            raise SessionEnded("the issuer renews no id token: run kmsctl login")
        self._tokens = stored
        self._renewed_at = time.monotonic()

    def _is_due(self, tokens: Tokens) -> bool:
        if tokens.refresh_token is None:
            return False  # nothing to be done about it: the server decides
        lifetime_s, ends_at = self._lifetime(tokens)
        if ends_at is None:
            return False
        return ends_at - self._now() < min(MARGIN_S, MARGIN_SHARE * lifetime_s)

    def _lifetime(self, tokens: Tokens) -> tuple[float, float | None]:
        """The total lifetime of the server's token, and when it ends; None: not known."""
        token = choose_token(tokens, self._choice)
        claims = read_claims(token)
        ends_at, issued_at = claims.get("exp"), claims.get("iat")
        if not isinstance(ends_at, int | float):
            ends_at = tokens.expires_at if token == tokens.access_token else None
        lifetime_s = float("inf")
        if isinstance(issued_at, int | float) and ends_at is not None:
            lifetime_s = ends_at - issued_at
        return lifetime_s, ends_at


def choose_token(tokens: Tokens, choice: TokenChoice | None) -> str:
    """The token that the server gets: unless configured, the access token if it is a JWT.

    An opaque access token is for the issuer's own resources; then the ID token says who the user is.
    """
    is_jwt = tokens.access_token.count(".") == 2
    if tokens.id_token is not None and (choice == "id" or (choice is None and not is_jwt)):
        return tokens.id_token
    return tokens.access_token


def stored_token_source(
    store: TokenStore, tokens: Tokens, connection: ConnectionSettings, settings: LoginSettings
) -> StoredTokenSource:
    """The source for a session at the configured issuer."""

    def refresh_at_issuer(spent: Tokens) -> Tokens:
        from .issuer import open_issuer
        from .login import refresh

        with open_issuer(connection, settings) as issuer:
            return refresh(issuer, spent)

    return StoredTokenSource(store, tokens, refresh_at_issuer, choice=settings.token)
