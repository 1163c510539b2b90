"""An issuer with the endpoints of the flows, which lies when it is told to; and a browser of a few lines.

Its good answers are strict: PKCE is checked, a code and a refresh token are good for one use, and a
refresh token that comes twice ends the session.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from kms_tornado.auth.bound.proof_key import ProofKey, parse_proof_header

from ..keys import compact, jwk, private_key

Answer = tuple[int, dict[str, str], bytes]


def json_answer(document: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def error(code: str, status: int = 400, **members: str) -> Answer:
    return json_answer({"error": code, **members}, status)


class OAuthIssuer:
    """``with OAuthIssuer() as issuer:`` listens.

    metadata, claims, answer: replace members of the discovery document, of id tokens, and parameters of
    the authorization response; None takes away.
    scripted: {path: answers}, given before all others, one a request.
    proof_algorithms: those of DPoP proofs that are announced; tokens are bound to the key of a proof that comes, a refresh
    token, too, and an access token unless `binds_access_tokens` is false. nonce: that has to be in each proof.
    proofs: the claims of those that came. skew_s: how much the issuer's clock is ahead.
    requests: (path, parameters) as they come. origin: its URL, where it is not that of the port.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, origin: str | None = None) -> None:
        self.reset()
        self._origin = origin
        self._server = _Server(self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def reset(self) -> None:
        """Honest again, and nobody is signed in."""
        self.lifetime_s = 600
        self.is_opaque = False
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.answer: dict[str, str | None] = {}
        self.scripted: dict[str, list[Answer | Callable[[], Answer]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.authorizations: list[str] = []
        self.signing_key = "first"
        self.is_approved = False
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: dict[str, str | None] = {}  # {token: the key to which it is bound}
        self.revoked: list[str] = []
        self.is_over = False
        self.proof_algorithms: list[str] = []
        self.binds_access_tokens = True
        self.nonce: str | None = None
        self.proofs: list[dict[str, Any]] = []
        self.skew_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def uri(self) -> str:
        return self._origin or f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    def asked(self, path: str) -> list[dict[str, str]]:
        return [parameters for asked, parameters in self.requests if asked == path]

    def jwt(self, **claims: Any) -> str:
        now = time.time()
        claims = {
            "iss": self.uri, "sub": "alice", "aud": "kms", "iat": now, "exp": now + self.lifetime_s,
            "jti": secrets.token_hex(4), **claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES256", "kid": "k1", "typ": "JWT"}
        return compact(header, claims, "ES256", private_key("ES256", self.signing_key))

    def token_response(
        self, nonce: str | None = None, key: str | None = None, **members: Any
    ) -> dict[str, Any]:
        """key: the thumbprint of the one that the tokens are bound to."""
        refresh_token = secrets.token_urlsafe(16)
        self.refresh_tokens[refresh_token] = key
        is_bound = key is not None and self.binds_access_tokens
        confirmation = {"cnf": {"jkt": key}} if is_bound else {}
        claims = {"aud": "kmsctl", "nonce": nonce, "email": "alice@example.com", **self.claims}
        return {
            "access_token": secrets.token_urlsafe(16)
            if self.is_opaque
            else self.jwt(**confirmation),
            "token_type": "DPoP" if is_bound else "Bearer",
            "expires_in": self.lifetime_s,
            "refresh_token": refresh_token,
            "id_token": self.jwt(**claims),
            "scope": "openid email offline_access",
            **members,
        }

    # --- endpoints --------------------------------------------------------------------------------

    def respond(
        self, path: str, parameters: dict[str, str], authorization: str, proof: str = ""
    ) -> Answer:
        self.requests.append((path, parameters))
        self.authorizations.append(authorization)
        if self.scripted.get(path):
            answer = self.scripted[path].pop(0)
            return answer() if callable(answer) else answer
        endpoints = {
            "/.well-known/openid-configuration": lambda _: json_answer(self.discovery_document()),
            "/.well-known/jwks.json": lambda _: json_answer({"keys": [jwk("ES256", "k1")]}),
            "/authorize": self._authorize,
            "/token": lambda parameters: self._prove(parameters, proof),
            "/device_authorization": self._device_authorization,
            "/revoke": self._revoke,
        }
        return endpoints.get(path, lambda _: error("not_found", 404))(parameters)

    def discovery_document(self) -> dict[str, Any]:
        document = {
            "issuer": self.uri,
            "authorization_endpoint": f"{self.uri}/authorize",
            "token_endpoint": f"{self.uri}/token",
            "device_authorization_endpoint": f"{self.uri}/device_authorization",
            "revocation_endpoint": f"{self.uri}/revoke",
            "jwks_uri": f"{self.uri}/.well-known/jwks.json",
            "scopes_supported": ["openid", "email", "offline_access"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
            "dpop_signing_alg_values_supported": self.proof_algorithms or None,
            **self.metadata,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _authorize(self, parameters: dict[str, str]) -> Answer:
        code = secrets.token_urlsafe(16)
        self.codes[code] = parameters
        given = {"code": code, "state": parameters["state"], "iss": self.uri, **self.answer}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return 302, {"Location": f"{parameters['redirect_uri']}?{query}"}, b""

    def _prove(self, parameters: dict[str, str], proof: str) -> Answer:
        """Check the proof, if one comes (RFC 9449 §4.3, §8)."""
        if not proof:
            return self._token(parameters, None)
        header, payload, signature = proof.split(".")
        key: ProofKey = parse_proof_header(header.encode(), frozenset(self.proof_algorithms))
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        assert key.verify(
            f"{header}.{payload}".encode(), base64.urlsafe_b64decode(signature + "==")
        )
        assert (claims["htm"], claims["htu"]) == ("POST", f"{self.uri}/token")
        assert claims["jti"] not in [earlier["jti"] for earlier in self.proofs]
        assert "ath" not in claims
        self.proofs.append(claims)
        if self.nonce is not None and claims.get("nonce") != self.nonce:
            status, headers, body = error("use_dpop_nonce")
            return status, {**headers, "DPoP-Nonce": self.nonce}, body
        if abs(time.time() + self.skew_s - claims["iat"]) > 60:
            date = formatdate(time.time() + self.skew_s, usegmt=True)
            status, headers, body = error("invalid_dpop_proof", error_description="not fresh")
            return status, {**headers, "Date": date}, body
        return self._token(parameters, key.thumbprint)

    def _token(self, parameters: dict[str, str], key: str | None) -> Answer:
        match parameters["grant_type"]:
            case "authorization_code":
                asked = self.codes.pop(parameters["code"], None)
                if asked is None or asked["redirect_uri"] != parameters["redirect_uri"]:
                    return error("invalid_grant")
                digest = hashlib.sha256(parameters["code_verifier"].encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if (asked["code_challenge_method"], asked["code_challenge"]) != ("S256", challenge):
                    return error("invalid_grant")
                if asked.get("dpop_jkt") != key:
                    return error("invalid_grant")
                return json_answer(self.token_response(asked.get("nonce"), key))
            case "refresh_token":
                if self.is_over or parameters["refresh_token"] not in self.refresh_tokens:
                    self.is_over = True  # RFC 9700 §4.14.2: used twice, so somebody stole it
                    return error("invalid_grant")
                if self.refresh_tokens[parameters["refresh_token"]] not in (None, key):
                    return error("invalid_grant")  # bound to another key
                del self.refresh_tokens[parameters["refresh_token"]]
                return json_answer(self.token_response(key=key))
            case _:
                if not self.is_approved:
                    return error("authorization_pending")
                return json_answer(self.token_response(key=key))

    def _device_authorization(self, parameters: dict[str, str]) -> Answer:
        return json_answer(
            {
                "device_code": "secret-device-code",
                "user_code": "BCDF-GHJK",
                "verification_uri": f"{self.uri}/device",
                "verification_uri_complete": f"{self.uri}/device?user_code=BCDF-GHJK",
                "expires_in": 60,
                "interval": 1,
            }
        )

    def _revoke(self, parameters: dict[str, str]) -> Answer:
        self.revoked.append(parameters["token_type_hint"])
        return 200, {}, b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, issuer: OAuthIssuer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = issuer

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave early are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._respond(parts.path, parts.query)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._respond(self.path, self.rfile.read(length).decode())

    def _respond(self, path: str, query: str) -> None:
        status, headers, body = self.server.issuer.respond(
            path,
            dict(parse_qsl(query)),
            self.headers.get("Authorization", ""),
            self.headers.get("DPoP", ""),
        )
        if "Date" in headers:
            self.send_response_only(status)
        else:
            self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Browser:
    """Follows redirects from the authorization endpoint to the end, on a thread of its own, as browsers do.

    sign_in: what a person does with the page in between; takes the session and the page.
    """

    def __init__(
        self,
        sign_in: Callable[[requests.Session, requests.Response], requests.Response] | None = None,
    ) -> None:
        self._sign_in = sign_in
        self._threads: list[threading.Thread] = []
        self.urls: list[str] = []
        self.pages: list[requests.Response] = []
        self.errors: list[Exception] = []

    def open(self, url: str) -> None:
        self.urls.append(url)
        thread = threading.Thread(target=self._visit, args=(url,))
        self._threads.append(thread)
        thread.start()

    def _visit(self, url: str) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = False
                page = session.get(url, timeout=10)
                if self._sign_in is not None:
                    page = self._sign_in(session, page)
                self.pages.append(page)
        except Exception as exc:
            self.errors.append(exc)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(10)
        assert not self.errors, self.errors
