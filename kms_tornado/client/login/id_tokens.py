"""Checks of id tokens (OpenID Connect Core 1.0 §3.1.3.7), and a look into one's own tokens.

Pure: keys and times are arguments.
"""

from __future__ import annotations

import base64
import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ... import strict_json
from ...lenient_json import find_oddity
from .login_errors import LoginFailed, one_line

#: Seconds by which the clocks of this machine and of the issuer may differ; the server's own default is the same.
LEEWAY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedIDToken:
    """What an ID token must contain. For None, that claim, or the signature, is not checked.

    key_set, algorithms: the issuer's (RFC 7517 §5). Without a key set, the TLS connection on which the token came takes
    the place of the signature, as §3.1.3.7 (6) allows.
    """

    client_id: str
    issuer: str | None
    nonce: str | None
    key_set: Mapping[str, Any] | None
    algorithms: frozenset[str]
    subject: str | None = None


def check_id_token(
    id_token: str, expected: ExpectedIDToken, *, access_token: str, now: float
) -> Mapping[str, Any]:
    """The claims of an ID token, which must be as expected. Raises LoginFailed."""
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import JoseError

    options = {
        name: {"value": value}
        for name, value in {
            "iss": expected.issuer,
            "aud": expected.client_id,
            "sub": expected.subject,
        }.items()
        if value is not None
    }
    parameters = {"client_id": expected.client_id, "nonce": expected.nonce}
    try:
        if expected.key_set is not None:
            header, payload = _verify_signature(id_token, expected)
            parameters["access_token"] = access_token  # compared by a hash that `alg` determines
        else:
            header, payload = {}, dict(read_claims(id_token))
        claims = CodeIDToken(payload, header, options, parameters)
        claims.validate(now=int(now), leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        # The text names a claim or a step, at most the identifier of a key.
        said = one_line(str(exc)) if isinstance(exc, JoseError) else "it or the key set is damaged"
        raise LoginFailed(
            f"the issuer's id token is not valid ({said}): check the issuer, the client id and "
            "this machine's clock"
        ) from None
    return dict(claims)


def read_claims(token: str) -> Mapping[str, Any]:
    """The claims of the user's own JWT, unverified; empty for a text that is not a JWT.

    They tell whom it names and when it expires. Whether that is true is for the server to check.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = strict_json.loads(payload, max_depth=20)
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _verify_signature(
    id_token: str, expected: ExpectedIDToken
) -> tuple[dict[str, Any], dict[str, Any]]:
    from joserfc import jwt
    from joserfc.errors import JoseError, SecurityWarning
    from joserfc.jwk import JWKRegistry, KeySet
    from joserfc.jws import JWSRegistry

    assert expected.key_set is not None
    keys: list[Any] = []
    for member in expected.key_set["keys"]:
        # One odd key, or one of a type that is still to come, must not take the others away.
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            if isinstance(member, dict) and not any(find_oddity(member, name) for name in member):
                keys.append(JWKRegistry.import_key(member))
    with warnings.catch_warnings():
        # EdDSA is called deprecated since RFC 9864.
        warnings.simplefilter("ignore", SecurityWarning)
        token = jwt.decode(
            id_token,
            KeySet(keys),
            registry=JWSRegistry(algorithms=sorted(expected.algorithms), strict_check_header=False),
        )
    return token.header, token.claims
