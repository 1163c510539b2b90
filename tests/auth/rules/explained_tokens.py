"""Tokens with the error and the step that each of them ends at."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado import errors
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.errors import KMSError

from ...keys import jwk
from ..samples import ABSENT, NOW, OTHER, all_keys, key_set, token

KEYS = all_keys()


def row(error: type[KMSError], step: str, name: str, text: str, keys: KeySet = KEYS, **policy: Any) -> Any:  # fmt: skip
    return pytest.param(error, step, text, keys, policy, id=name)


def claims(**changes: Any) -> str:
    return token(claims=changes)


ROWS = [
    row(errors.MalformedToken, "form", "not a token", "opaque"),
    row(errors.MalformedToken, "form", "a header twice", token(header=b'{"alg":"ES256","alg":"ES256"}')),
    row(errors.AlgorithmNotAllowed, "algorithm", "an algorithm that is not allowed", token(), algorithms={"RS256"}),
    row(errors.WrongTokenType, "type", "another type", token({"typ": "dpop+jwt"})),
    row(errors.UnknownIssuer, "issuer", "another issuer", claims(iss=OTHER)),
    row(errors.UnknownIssuer, "issuer", "no issuer", claims(iss=ABSENT)),
    row(errors.UnknownKey, "key", "another key", token({"kid": "k9"})),
    row(errors.AlgorithmNotAllowed, "key", "a key for another algorithm", token({"kid": "RS256-1"})),
    row(errors.BadSignature, "key", "a key of another issuer", token(), key_set({**jwk("ES256", "ES256-1"), "issuer": OTHER})),
    row(errors.BadSignature, "signature", "a foreign signature", token(name="second")),
    row(errors.ExpiredToken, "times", "expired", claims(exp=1)),
    row(errors.MissingClaim, "times", "no end", claims(exp=ABSENT)),
    row(errors.InvalidClaim, "times", "an end that is a text", claims(exp="soon")),
    row(errors.TokenNotYetValid, "times", "not yet", claims(nbf=NOW + 900)),
    row(errors.TokenTooOld, "times", "old", claims(iat=1), max_age_s=60),
    row(errors.WrongAudience, "audience", "another audience", claims(aud="x")),
    row(errors.MissingClaim, "audience", "no audience", claims(aud=ABSENT)),
    row(errors.InvalidClaim, "audience", "an audience that is a number", claims(aud=7)),
    row(errors.MissingClaim, "subject", "no subject", claims(sub=ABSENT)),
    row(errors.InvalidClaim, "subject", "a subject that is a number", claims(sub=7), user_claim="name"),
    row(errors.TokenDenied, "deny list", "a denied subject", claims(sub="mallory"), deny_file="deny"),
    row(errors.UnknownBinding, "binding", "bound to a whole key", claims(cnf={"jwk": {}})),
    row(errors.UnboundToken, "binding", "bound to nothing", claims(), bound_tokens="required"),
    row(errors.InvalidUserName, "user name", "everyone", claims(sub="*")),
    row(errors.InvalidUserName, "user name", "named as a group", claims(sub="group:x")),
    row(errors.MissingClaim, "user name", "no user claim", claims(), user_claim="name"),
    row(errors.InvalidClaim, "user name", "a user claim that is a list", claims(name=[]), user_claim="name"),
    row(errors.UnverifiedEmail, "user name", "an unverified address", claims(email="a@x"), user_claim="email"),
    row(errors.TooManyGroups, "groups", "many groups", claims(g=[*map(str, range(257))]), group_claim="g"),
    row(errors.InsufficientScope, "required claims", "no scope", claims(), required_claims=(RequiredClaim("scope", "kms"),)),
]  # fmt: skip
