"""The endpoints of the issuer of --dev that programs ask: tokens, device codes, revocation, discovery."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ....auth.bound.dpop import NONCE_HEADER, PROOF_HEADER
from ....auth.bound.proof_key import list_proof_algorithms
from ....auth.tokens.token_policy import ALGORITHMS
from .grants import DEVICE_LIFETIME_S, POLL_INTERVAL_S, Grants, SignedIn
from .handler import IssuerHandler
from .requests import OAuthError, Parameters, parse_client_id, parse_scope

_FORM = "application/x-www-form-urlencoded"


class ProgramHandler(IssuerHandler, ABC):
    """Answers a form with JSON, or refuses it as RFC 6749 §5.2 says."""

    async def post(self) -> None:
        try:
            if "Authorization" in self.request.headers:
                self.set_header("WWW-Authenticate", 'Basic realm="kms_tornado --dev"')
                raise OAuthError("invalid_client", "this issuer has public clients only", 401)
            if self.request.headers.get("Content-Type", "").partition(";")[0].strip() != _FORM:
                raise OAuthError("invalid_request", f"the body is not {_FORM}")
            answer = await self.answer(Parameters(self.request.body_arguments))
        except OAuthError as exc:
            self.set_status(exc.status)
            if exc.nonce:
                self.set_header(NONCE_HEADER, exc.nonce)
            answer = {"error": exc.error, "error_description": str(exc)}
        self.write(answer)

    @abstractmethod
    async def answer(self, parameters: Parameters) -> dict[str, Any]:
        """The members of the answer. Raises OAuthError."""


class TokenHandler(ProgramHandler):
    """Tokens for a code, a device code or a refresh token; bound to a key where a DPoP proof comes (RFC 9449 §5).

    The server's own page asks from another origin; a header of CORS lets its browser hand it the answer.
    """

    def may_send(self, origin: str) -> bool:
        if origin in self.sign_in.page_origins:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Vary", "Origin")
            return True
        return super().may_send(origin)

    async def answer(self, parameters: Parameters) -> dict[str, Any]:
        client_id = parse_client_id(parameters)
        redeem = _REDEEM.get(parameters.require("grant_type"))
        if redeem is None:
            raise OAuthError("unsupported_grant_type", f"grant_type is none of {list(_REDEEM)}")
        # Before anything is spent: what is refused for its proof can be sent again with another one.
        key = await self.sign_in.proofs.find_key(self.request.headers.get_list(PROOF_HEADER))
        signed_in, refresh_token = redeem(self.sign_in.grants, parameters, client_id, key)
        return self.sign_in.render_tokens(signed_in, refresh_token)


def _redeem_code(
    grants: Grants, parameters: Parameters, client_id: str, key: str
) -> tuple[SignedIn, str]:
    return grants.redeem_code(
        parameters.require("code"),
        client_id=client_id,
        redirect_uri=parameters.require("redirect_uri"),
        verifier=parameters.require("code_verifier"),
        now=time.monotonic(),
        key=key,
    )


def _redeem_device(
    grants: Grants, parameters: Parameters, client_id: str, key: str
) -> tuple[SignedIn, str]:
    return grants.redeem_device(
        parameters.require("device_code"), client_id=client_id, now=time.monotonic(), key=key
    )


def _refresh(
    grants: Grants, parameters: Parameters, client_id: str, key: str
) -> tuple[SignedIn, str]:
    return grants.refresh(
        parameters.require("refresh_token"),
        client_id=client_id,
        scope=parse_scope(parameters),
        now=time.monotonic(),
        key=key,
    )


#: {grant_type: what it takes}
_REDEEM: dict[str, Callable[[Grants, Parameters, str, str], tuple[SignedIn, str]]] = {
    "authorization_code": _redeem_code,
    "refresh_token": _refresh,
    "urn:ietf:params:oauth:grant-type:device_code": _redeem_device,
}


class DeviceAuthorizationHandler(ProgramHandler):
    """Issues a device code for polling, and a user code to show (RFC 8628 §3.2)."""

    async def answer(self, parameters: Parameters) -> dict[str, Any]:
        context = self.sign_in
        device_code, user_code = context.grants.start_device(
            parse_client_id(parameters), parse_scope(parameters), time.monotonic()
        )
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": f"{context.uri}/device",
            "verification_uri_complete": f"{context.uri}/device?user_code={user_code}",
            "expires_in": int(DEVICE_LIFETIME_S),
            "interval": POLL_INTERVAL_S,
        }


class RevokeHandler(ProgramHandler):
    """Ends a sign-in by its refresh token (RFC 7009)."""

    async def answer(self, parameters: Parameters) -> dict[str, Any]:
        client_id, token = parse_client_id(parameters), parameters.require("token")
        # A JWT; to say it was revoked, while the server takes it, would be a lie.
        if token.count(".") == 2:
            raise OAuthError(
                "unsupported_token_type", "an access token ends by itself: revoke the refresh token"
            )
        self.sign_in.grants.revoke(token, client_id=client_id, now=time.monotonic())
        return {}


def discovery_document(uri: str) -> dict[str, Any]:
    """The document in which clients find all endpoints (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""
    return {
        "issuer": uri,
        "authorization_endpoint": f"{uri}/authorize",
        "token_endpoint": f"{uri}/token",
        "device_authorization_endpoint": f"{uri}/device_authorization",
        "revocation_endpoint": f"{uri}/revoke",
        "jwks_uri": f"{uri}/.well-known/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(_REDEEM),
        "scopes_supported": ["openid", "email", "offline_access"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list_proof_algorithms(ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
