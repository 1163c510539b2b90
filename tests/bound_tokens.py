"""What is sent with a bound token, and what it is answered: one table for every way into a server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from kms_tornado.auth.bound.dpop import MAX_PROOF_LENGTH

from .keys import b64
from .proofs import ABSENT, client_jwk, make_proof, thumbprint
from .support import Response


@dataclass(frozen=True)
class Asked:
    """A request, and tokens of the issuer: bound to the client's key, to another one, and to nothing."""

    method: str
    url: str
    token: str
    others: str
    unbound: str

    @classmethod
    def by(cls, issue: Callable[..., str], method: str, url: str) -> Asked:
        return cls(
            method,
            url,
            issue(sub="alice", cnf={"jkt": thumbprint()}),
            issue(sub="alice", cnf={"jkt": thumbprint("ES256", "other")}),
            issue(sub="alice"),
        )

    def proof(self, **changes: Any) -> str:
        return make_proof(self.method, self.url, self.token, **changes)

    def fields(
        self, *proofs: str, scheme: str = "DPoP", token: str | None = None
    ) -> list[tuple[str, str]]:
        proof_fields = [("DPoP", proof) for proof in proofs]
        return [
            ("Authorization", f"{scheme} {self.token if token is None else token}"),
            *proof_fields,
        ]


Fields = Sequence[tuple[str, str]]


def send(port: int, method: str, path: str, fields: Fields, body: bytes = b"") -> Response:
    """Send header fields of which some have the same name."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        connection.putrequest(method, path)
        for name, value in [*fields, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())


def row(
    name: str, status: int, code: str | None, description: str, make: Callable[[Asked], Fields]
) -> Any:
    return pytest.param(status, code, description, make, id=name)


def _unsigned(asked: Asked) -> str:
    header = {"typ": "dpop+jwt", "alg": "none", "jwk": client_jwk()}
    payload = asked.proof().split(".")[1]
    return f"{b64(json.dumps(header).encode())}.{payload}."


PROOF, TOKEN = "invalid_dpop_proof", "invalid_token"

#: Status, error code, description, and the header fields that are answered so.
REFUSED = [
    row("as a bearer token", 401, TOKEN, "token needs a DPoP proof", lambda a: a.fields(scheme="Bearer")),
    row("as a bearer token with a proof", 401, TOKEN, "token needs a DPoP proof", lambda a: a.fields(a.proof(), scheme="Bearer")),
    row("no proof", 401, TOKEN, "token needs a DPoP proof", lambda a: a.fields()),
    row("an unbound token", 401, TOKEN, "token not bound to a DPoP key", lambda a: a.fields(make_proof(a.method, a.url, a.unbound), token=a.unbound)),
    row("a token of another client", 401, TOKEN, "token bound to another key", lambda a: a.fields(make_proof(a.method, a.url, a.others), token=a.others)),
    row("by another key", 401, TOKEN, "token bound to another key", lambda a: a.fields(a.proof(name="thief"))),
    row("two proofs", 401, PROOF, "more than one DPoP header", lambda a: a.fields(a.proof(), a.proof())),
    row("two proofs in one field", 401, PROOF, "malformed", lambda a: a.fields(f"{a.proof()}, {a.proof()}")),
    row("no JWT", 401, PROOF, "malformed", lambda a: a.fields("x")),
    row("a huge proof", 401, PROOF, "malformed", lambda a: a.fields(a.proof(pad="x" * MAX_PROOF_LENGTH))),
    row("a token as its proof", 401, PROOF, "malformed", lambda a: a.fields(a.token)),
    row("another typ", 401, PROOF, "malformed", lambda a: a.fields(a.proof(header={"typ": "JWT"}))),
    row("alg none", 401, PROOF, "algorithm not accepted", lambda a: a.fields(_unsigned(a))),
    row("HS256", 401, PROOF, "algorithm not accepted", lambda a: a.fields(a.proof(header={"alg": "HS256"}))),
    row("a private key", 401, PROOF, "key not accepted", lambda a: a.fields(a.proof(header={"jwk": client_jwk(d="AQAB")}))),
    row("a shared secret", 401, PROOF, "key not accepted", lambda a: a.fields(a.proof(header={"jwk": {"kty": "oct", "k": "AQAB"}}))),
    row("no key but its name", 401, PROOF, "malformed", lambda a: a.fields(a.proof(header={"jwk": ABSENT, "kid": "k", "x5c": ["MIIB"]}))),
    row("the right key, signed by another", 401, PROOF, "signature not valid", lambda a: a.fields(a.proof(name="thief", header={"jwk": client_jwk()}))),
    row("for another method", 401, PROOF, "another method", lambda a: a.fields(make_proof("PATCH", a.url, a.token))),
    row("for another path", 401, PROOF, "another URL", lambda a: a.fields(a.proof(htu=a.url + "/x"))),
    row("for a path in capitals", 401, PROOF, "another URL", lambda a: a.fields(a.proof(htu=a.url.upper()))),
    row("for another host", 401, PROOF, "another URL", lambda a: a.fields(a.proof(htu="http://evil.example/"))),
    row("for another port", 401, PROOF, "another URL", lambda a: a.fields(a.proof(htu="http://127.0.0.1:1/"))),
    row("for another token", 401, PROOF, "another token", lambda a: a.fields(make_proof(a.method, a.url, a.others))),
    row("for no token", 401, PROOF, "malformed", lambda a: a.fields(a.proof(ath=ABSENT))),
    row("no jti", 401, PROOF, "malformed", lambda a: a.fields(a.proof(jti=ABSENT))),
    row("an old proof", 401, "use_dpop_nonce", "too old, or from the future", lambda a: a.fields(a.proof(iat=1_600_000_000))),
    row("a proof from the future", 401, "use_dpop_nonce", "too old, or from the future", lambda a: a.fields(a.proof(iat=4_000_000_000))),
    row("a nonce that is not ours", 401, "use_dpop_nonce", "needs the nonce", lambda a: a.fields(a.proof(nonce="x"))),
    row("no token", 400, "invalid_request", "malformed Authorization", lambda a: a.fields(a.proof(), token="")),
    row("two tokens", 400, "invalid_request", "malformed Authorization", lambda a: [*a.fields(scheme="Bearer"), *a.fields(a.proof())]),
    row("a broken token", 401, TOKEN, "token malformed", lambda a: a.fields(a.proof(), token="x")),
]  # fmt: skip


def check_refusal(
    answer: Response, status: int, code: str | None, description: str, scheme: str
) -> None:
    """One challenge of each scheme, and the error in the one by which the token came."""
    assert (answer.status, answer.json()["error"]) == (status, code)
    assert description in answer.json()["error_description"]
    bearer, dpop = answer.headers.get_all("WWW-Authenticate")
    assert bearer.startswith("Bearer realm=")
    assert dpop.startswith("DPoP realm=")
    assert ' algs="' in dpop
    told = {"Bearer": bearer, "DPoP": dpop}
    assert f'error="{code}"' in told.pop(scheme)
    assert "error" not in told.popitem()[1]
    assert (answer.headers["DPoP-Nonce"] is not None) == (code == "use_dpop_nonce")
