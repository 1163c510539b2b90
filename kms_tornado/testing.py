"""What an application's tests need if it embeds the token check: real tokens, or none at all, and no network.

The server does not use this module, and an application should import it only in its tests.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application

from .argument_types import check_field_types, check_type
from .auth.credentials import Credentials
from .auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from .auth.issuers.key_source import FetchResult, LoadedKeys
from .auth.issuers.keyset import KeySet, parse_document
from .auth.minting import DevSigner
from .auth.no_auth import InsecureNoAuth
from .auth.principal import Claims, Principal
from .auth.request_auth import RequestAuth
from .auth.tokens.token_policy import DEV_ALGORITHM
from .errors import MissingToken
from .web.bearer.auth import BearerAuth
from .web.bearer.jwks_fetch import JWKSFetch

__all__ = ["BearerTestMixin", "TestIssuer", "fake_auth"]

log = logging.getLogger("kms_tornado.auth")


class TestIssuer:
    """An issuer of tokens within the process: real signatures (ES256), a real key set, and no network.

    uri: the ``iss`` of its tokens. audience: their ``aud``, unless a token has another one.
    """

    __test__ = False  # the name begins as pytest's test classes do

    def __init__(self, uri: str = "https://issuer.example", *, audience: str = "my-api") -> None:
        check_type(uri, str, "uri")
        check_type(audience, str, "audience")
        self.uri = uri
        self.audience = audience
        self._tenant: str | None = None  # the ``tid`` of its tokens
        self._typ = "JWT"
        self._signer = DevSigner()

    @classmethod
    def of(cls, auth: BearerAuth) -> TestIssuer:
        """An issuer in place of the first one that `auth` trusts: with its URI, and an audience, a tenant and a type
        of tokens that it accepts.
        """
        trusted = auth.settings.issuers[0].list_tenants()[0]
        issuer = cls(trusted.uri, audience=min(trusted.audiences, default="my-api"))
        issuer._tenant = min(trusted.tenants, default=None)
        types = auth.settings.policy_of(trusted).token_types
        if "jwt" not in types:
            issuer._typ = min([one for one in types if one is not None], default=issuer._typ)
        return issuer

    def key_set(self) -> bytes:
        """The key set as JSON text (RFC 7517 §5), with which its tokens are verified."""
        return json.dumps(self._signer.jwks()).encode()

    def token(
        self, sub: str | None = "alice", *, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that is good for ten minutes: a compact JWS (RFC 7515 §3.1).

        header: members beside ``alg`` and ``kid``, such as ``{"typ": "at+jwt"}``. claims: beside ``iss``, ``sub``,
        ``aud``, ``iat``, ``exp`` and ``jti``, and ``tid`` where tenants are let in, or in place of them; None leaves one out.
        """
        now = int(time.time())
        default = {"iss": self.uri, "sub": sub, "aud": self.audience, "iat": now, "exp": now + 600}
        both = {**default, "jti": secrets.token_urlsafe(12), "tid": self._tenant, **claims}
        return self._signer.mint(
            {name: value for name, value in both.items() if value is not None},
            {"typ": self._typ, **(header or {})},
        )

    def auth(self, like: BearerAuth | None = None) -> BearerAuth:
        """A real token check that trusts this issuer, and needs no `start`.

        like: the application's own one, whose rules apply to the tokens (audiences, claims, types, its deny file). Only
        its keys are replaced by this issuer's, and ES256 is accepted. If it has several issuers, the one with this URI
        is kept. Without it, this issuer's audience is the only rule. Raises ValueError where `like` trusts no such
        issuer.
        """
        check_type(like, BearerAuth | None, "like")
        if like is None:
            trusted = TrustedIssuer(self.uri, audiences=frozenset({self.audience}))
            return _AuthWithoutNetwork(TrustSettings(issuers=(trusted,)), self)
        settings = like.settings
        for issuer in settings.issuers:
            if any(one.uri == self.uri for one in issuer.list_tenants()):
                policy = replace(
                    settings.policy,
                    algorithms=settings.policy.algorithms | {DEV_ALGORITHM},
                )
                return _AuthWithoutNetwork(
                    replace(settings, issuers=(issuer,), policy=policy), self
                )
        raise ValueError(f"the application's bearer_auth trusts no issuer {self.uri}")


class _KeysInMemory(JWKSFetch):
    """Answers every address with the key set of an issuer within the process."""

    def __init__(self, policy: RefreshPolicy, issuer: TestIssuer) -> None:
        super().__init__(policy)
        self._issuer = issuer

    async def __call__(
        self, url: str, *, etag: str | None, token_file: str | None = None
    ) -> FetchResult:
        return FetchResult(status=200, body=self._issuer.key_set())


class _AuthWithoutNetwork(BearerAuth):
    def __init__(self, settings: TrustSettings, issuer: TestIssuer) -> None:
        self._issuer = issuer
        super().__init__(settings)
        keys = parse_document(issuer.key_set())
        assert isinstance(keys, KeySet)
        for (
            cache
        ) in self._caches.values():  # a token may come before anything has started a refresh
            cache.take(LoadedKeys(keys, None))

    def _make_fetch(self, policy: RefreshPolicy) -> JWKSFetch:
        return _KeysInMemory(policy, self._issuer)


class _FakeAuth(InsecureNoAuth):
    """Makes the same decision for every request."""

    def __init__(self, principal: Principal | None) -> None:
        self._decision = principal

    def recall(self, credentials: Credentials) -> Principal | None:
        return self._decision

    def check_now(self, credentials: Credentials) -> Principal:
        if self._decision is None:
            raise MissingToken("fake_auth(None) refuses every request")
        return self._decision

    async def start(self) -> None:
        """Log a warning if a server uses it."""
        _warn()


def fake_auth(principal: Principal | str | None, **claims: Any) -> RequestAuth:
    """A stand-in for `BearerAuth` that lets every request in as this user; None refuses every request.

    principal: a `Principal`, or a name, for which one with these claims is made, as ``fake_auth("alice",
    scope="orders:write")``. Raises TypeError for claims without a name, and for another principal. Called by anything but a test of pytest or
    unittest, it logs a warning.
    """
    if not _is_in_test():
        _warn()
    if isinstance(principal, str):
        principal = Principal(
            name=principal,
            subject=principal,
            issuer="https://issuer.example",
            claims=Claims.freeze({"sub": principal, **claims}),
            expires_at=math.inf,
        )
    elif claims:
        raise TypeError("fake_auth() takes claims with the name of a user only")
    check_type(principal, Principal | None, "principal")
    if principal is not None:
        check_field_types(principal)
    return _FakeAuth(principal)


def _warn() -> None:
    log.warning("NO TOKEN IS CHECKED: fake_auth is for tests, and is used outside one")


def _is_in_test() -> bool:
    """Whether pytest or unittest is among the callers: it runs a test, a fixture, or the import of a test file."""
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in {"_pytest", "unittest"}:
            return True
        frame = frame.f_back
    return False


class BearerTestMixin(AsyncHTTPTestCase):
    """Stands before AsyncHTTPTestCase: the application of `get_app` is tested unchanged, with tokens of `issuer`.

    For the test, its ``bearer_auth`` is replaced by one with the same rules, whose keys are those of `issuer`. If it
    has none, one is set that accepts tokens of `issuer`. One that is not a `BearerAuth`, such as `fake_auth`, stays.
    """

    #: Makes the tokens; in the place of the first issuer that the application trusts.
    issuer: TestIssuer

    def setUp(self) -> None:
        """Start the server, as AsyncHTTPTestCase does."""
        super().setUp()
        app: object = self._app
        if not isinstance(app, Application):
            raise TypeError("BearerTestMixin needs a tornado.web.Application from get_app()")
        configured = app.settings.get("bearer_auth")
        self.issuer = (
            TestIssuer.of(configured) if isinstance(configured, BearerAuth) else TestIssuer()
        )
        if configured is None or isinstance(configured, BearerAuth):
            app.settings["bearer_auth"] = self.issuer.auth(configured)
            self.addCleanup(app.settings.__setitem__, "bearer_auth", configured)

    def headers_as(self, user: str, **claims: Any) -> dict[str, str]:
        """The headers of a request with a good token of this user, and these claims."""
        return {"Authorization": f"Bearer {self.issuer.token(user, **claims)}"}

    def fetch_as(
        self, user: str, path: str, *, claims: Mapping[str, Any] | None = None, **arguments: Any
    ) -> HTTPResponse:
        """As `fetch`, with a good token of this user.

        claims: what the token says besides. arguments: those of `fetch`, such as ``method`` and ``body``.
        """
        headers = HTTPHeaders(arguments.pop("headers", None) or {})
        headers.update(self.headers_as(user, **(claims or {})))
        return self.fetch(path, headers=headers, **arguments)
