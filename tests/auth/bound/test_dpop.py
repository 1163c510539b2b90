"""The check of a DPoP proof, step by step (RFC 9449 §4.3)."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from kms_tornado.auth.bound.dpop import (
    MAX_PROOF_LENGTH,
    PROOF_LIFETIME_S,
    ProofVerifier,
    ProvenRequest,
    UsedProof,
)
from kms_tornado.auth.bound.proof_nonces import NONCE_LIFETIME_S, ProofNonces
from kms_tornado.auth.request_url import normalise_url
from kms_tornado.auth.tokens.binding import encode_digest
from kms_tornado.auth.tokens.token_policy import ALGORITHMS
from kms_tornado.errors import (
    AuthenticationError,
    MalformedProof,
    NonceNeeded,
    ProofAlgorithmNotAllowed,
    ProofKeyRefused,
    ProofMissing,
    ProofNotFresh,
    WrongProofKey,
    WrongProofMethod,
    WrongProofSignature,
    WrongProofToken,
    WrongProofURL,
)

from ...keys import b64
from ...proofs import ABSENT, client_jwk, make_proof, thumbprint
from ...rows import each_row
from ..samples import NOW


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


TOKEN = "header.payload.signature"
DIGEST = _digest(TOKEN)
URL = "https://kms.example/kmip"
LEEWAY_S = 10.0
NONCES = ProofNonces(bytes(32), LEEWAY_S)


def verifier(**changes: Any) -> ProofVerifier:
    arguments: dict[str, Any] = {"algorithms": frozenset(ALGORITHMS), "leeway_s": LEEWAY_S}
    return ProofVerifier(NONCES, **{**arguments, **changes})


def proof(method: str = "POST", url: str = URL, token: str = TOKEN, **changes: Any) -> str:
    return make_proof(method, url, token, **{"iat": int(NOW), **changes})


def check(
    *proofs: str, now: float = NOW, request: dict[str, Any] | None = None, **made: Any
) -> UsedProof:
    asked = replace(ProvenRequest(proofs, "POST", URL, DIGEST), **(request or {}))
    return verifier(**made).verify(asked, thumbprint(), now=now)


# --- RFC 9449 §7.1, figure 13 -------------------------------------------------------------------

RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQy"
    "VVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNv"
    "dXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC_TIME = 1562262618.0
RFC_REQUEST = ProvenRequest(
    [RFC_PROOF], "GET", "https://resource.example.org/protectedresource", _digest(RFC_TOKEN)
)


def test_the_published_proof_is_good() -> None:
    used = verifier().verify(RFC_REQUEST, RFC_THUMBPRINT, now=RFC_TIME)
    assert used.until == RFC_TIME + PROOF_LIFETIME_S + LEEWAY_S


@each_row(
    ("changes", "error"),
    [
        pytest.param({"method": "POST"}, WrongProofMethod, id="method"),
        pytest.param({"url": "https://resource.example.org/other"}, WrongProofURL, id="url"),
        pytest.param({"token_digest": _digest(RFC_TOKEN + "x")}, WrongProofToken, id="token"),
        pytest.param({"proofs": [RFC_PROOF[:-1] + "Q"]}, WrongProofSignature, id="signature"),
    ],
)
def test_the_published_proof_is_good_for_its_request_alone(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        verifier().verify(replace(RFC_REQUEST, **changes), RFC_THUMBPRINT, now=RFC_TIME)


# --- one change to a good one -------------------------------------------------------------------


@each_row("alg", ["RS256", "PS512", "ES256", "ES512", "EdDSA"])
def test_a_proof_by_every_kind_of_key_is_good(alg: str) -> None:
    request = ProvenRequest([proof(alg=alg)], "POST", URL, DIGEST)
    assert len(verifier().verify(request, thumbprint(alg), now=NOW).digest) == 32


def _resign(text: str, part: int) -> str:
    """The proof with a part of another good one, which its signature does not cover."""
    parts, others = text.split("."), proof(jti="other", alg="ES256").split(".")
    parts[part] = others[part]
    return ".".join(parts)


REFUSED: dict[str, tuple[list[str], type[Exception]]] = {
    "no proof": ([], ProofMissing),
    "two proofs": ([proof(), proof()], MalformedProof),
    "two proofs in one field": ([f"{proof()},{proof()}"], MalformedProof),
    "the same one twice": ([proof(jti="a")] * 2, MalformedProof),
    "nothing in the field": ([""], MalformedProof),
    "no proof but a word": (["x"], MalformedProof),
    "five parts": ([proof() + ".x.y"], MalformedProof),
    "not ASCII": (["é" + proof()], MalformedProof),
    "padding": ([proof() + "="], MalformedProof),
    "too long": ([proof(pad="x" * MAX_PROOF_LENGTH)], MalformedProof),
    "no signature": ([proof().rpartition(".")[0] + "."], MalformedProof),
    "alg none, not signed": (
        [f"{b64(json.dumps({'typ': 'dpop+jwt', 'alg': 'none', 'jwk': client_jwk()}).encode())}.e30."],
        ProofAlgorithmNotAllowed,
    ),
    "HS256": ([proof(header={"alg": "HS256"})], ProofAlgorithmNotAllowed),
    "a token in its place": ([proof(header={"typ": "JWT"})], MalformedProof),
    "a private key": ([proof(header={"jwk": client_jwk(d="AQAB")})], ProofKeyRefused),
    "another client's key": ([proof(name="thief")], WrongProofKey),
    "the client's key, signed by another": (
        [proof(name="thief", header={"jwk": client_jwk()})],
        WrongProofSignature,
    ),
    "the claims of another proof": ([_resign(proof(), 1)], WrongProofSignature),
    "another method": ([proof("GET")], WrongProofMethod),
    "the method in small letters": ([proof("post")], WrongProofMethod),
    "no method": ([proof(htm=ABSENT)], MalformedProof),
    "methods": ([proof(htm=["POST"])], MalformedProof),
    "another path": ([proof(url=URL + "/")], WrongProofURL),
    "another case of the path": ([proof(url="https://kms.example/KMIP")], WrongProofURL),
    "another host": ([proof(url="https://kms.example.evil/kmip")], WrongProofURL),
    "another port": ([proof(url="https://kms.example:8443/kmip")], WrongProofURL),
    "another scheme": ([proof(url="http://kms.example/kmip")], WrongProofURL),
    "a host with a user": ([proof(url="https://kms.example@evil/kmip")], WrongProofURL),
    "a path alone": ([proof(url="/kmip")], WrongProofURL),
    "no URL": ([proof(htu=ABSENT)], MalformedProof),
    "a URL that is null": ([proof(htu=None)], MalformedProof),
    "another token": ([proof(token=TOKEN + "x")], WrongProofToken),
    "no token": ([proof(ath=ABSENT)], MalformedProof),
    "the token's digest with padding": ([proof(ath=encode_digest(TOKEN.encode()) + "=")], WrongProofToken),
    "a digest that is not ASCII": ([proof(ath="é")], WrongProofToken),
    "no time": ([proof(iat=ABSENT)], MalformedProof),
    "a time that is a text": ([proof(iat=str(int(NOW)))], MalformedProof),
    "a time that is true": ([proof(iat=True)], MalformedProof),
    "a time without end": ([proof(iat=10**30)], MalformedProof),
    "old": ([proof(iat=int(NOW - PROOF_LIFETIME_S - LEEWAY_S))], ProofNotFresh),
    "from the future": ([proof(iat=int(NOW + LEEWAY_S) + 1)], ProofNotFresh),
    "no jti": ([proof(jti=ABSENT)], MalformedProof),
    "an empty jti": ([proof(jti="")], MalformedProof),
    "a jti that is a number": ([proof(jti=5)], MalformedProof),
    "a nonce that is not ours": ([proof(nonce="x")], NonceNeeded),
    "a nonce that is null": ([proof(nonce=None)], MalformedProof),
    "a nonce that is old": (
        [proof(nonce=NONCES.make(NOW - NONCE_LIFETIME_S - LEEWAY_S))],
        NonceNeeded,
    ),
}  # fmt: skip


@each_row(("proofs", "error"), [pytest.param(*row, id=name) for name, row in REFUSED.items()])
def test_proofs_that_are_refused(proofs: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        check(*proofs)


@each_row(
    "text",
    [
        pytest.param(proof(), id="as it should be"),
        pytest.param(f" {proof()}\t", id="blanks around it"),
        pytest.param(proof(url="HTTPS://KMS.example:443/%6bmip"), id="another spelling of the URL"),
        pytest.param(proof(url=URL + "?a=b#c"), id="query and fragment"),
        pytest.param(proof(url="https://kms.example/a/../kmip"), id="dots that no client sends"),
        pytest.param(proof(iat=int(NOW - PROOF_LIFETIME_S - LEEWAY_S) + 1), id="nearly old"),
        pytest.param(proof(iat=NOW + LEEWAY_S), id="a clock that is fast"),
        pytest.param(proof(jti="x" * 4000), id="a long jti"),
        pytest.param(proof(jti="é\u2028"), id="an odd jti"),
        pytest.param(proof(sub="eve", exp=1), id="claims that proofs do not have"),
    ],
)
def test_proofs_that_are_good(text: str) -> None:
    check(text)


def test_without_a_known_url_no_proof_is_good() -> None:
    with pytest.raises(WrongProofURL) as refused:
        check(proof(), request={"url": None})
    assert "is not known" in refused.value.detail


def test_dots_in_what_was_asked_are_not_taken_away() -> None:
    with pytest.raises(WrongProofURL):
        check(proof(), request={"url": "https://kms.example/a/../kmip"})


def test_a_fragment_in_what_was_asked_is_not_taken_away() -> None:
    with pytest.raises(WrongProofURL):
        check(proof(), request={"url": f"{URL}#/../../other"})


def test_of_urls_that_no_proof_names_none_is_remembered() -> None:
    """A holder of a bound token could ask for a thousand of 64 KiB."""
    before = normalise_url.cache_info()
    for number in range(3):
        url = f"{URL}/{number}".ljust(MAX_PROOF_LENGTH + 1, "a")
        with pytest.raises(WrongProofURL):
            check(proof(), request={"url": url})
    after = normalise_url.cache_info()
    assert after.misses - before.misses <= 1  # the proof's own


def test_the_same_jti_is_another_proof_with_another_key_alone() -> None:
    first, second = check(proof(jti="a")), check(proof(jti="a", iat=int(NOW) - 5))
    assert first.digest == second.digest
    other = verifier().verify(
        ProvenRequest([proof(jti="a", name="other")], "POST", URL, DIGEST),
        thumbprint(name="other"),
        now=NOW,
    )
    assert other.digest != first.digest
    assert check(proof(jti="b")).digest != first.digest


def test_a_request_for_a_token_has_none_and_any_key_is_good() -> None:
    text = proof(ath=ABSENT, name="anybody")
    used = verifier().verify(ProvenRequest([text], "POST", URL, None), None, now=NOW)
    assert used.thumbprint == thumbprint(name="anybody")
    with pytest.raises(WrongProofMethod):
        verifier().verify(ProvenRequest([text], "GET", URL, None), None, now=NOW)


# --- nonces -------------------------------------------------------------------------------------


def test_with_a_nonce_the_clients_clock_does_not_count() -> None:
    used = check(proof(nonce=NONCES.make(NOW), iat=0))
    assert used.until == NOW + NONCE_LIFETIME_S + LEEWAY_S
    assert used.nonce


def test_where_nonces_are_needed_a_proof_without_one_is_answered_with_one() -> None:
    with pytest.raises(NonceNeeded) as refused:
        check(proof(), needs_nonce=True)
    check(proof(nonce=refused.value.nonce), needs_nonce=True)


@pytest.mark.parametrize("changes", [{"iat": 0}, {"nonce": "x"}])
def test_a_client_whose_proof_is_not_fresh_is_given_a_nonce(changes: dict[str, Any]) -> None:
    with pytest.raises(NonceNeeded) as refused:
        check(proof(**changes))
    check(proof(**{**changes, "nonce": refused.value.nonce}))


def test_only_who_holds_the_key_is_given_a_nonce() -> None:
    with pytest.raises(WrongProofSignature):
        check(_resign(proof(), 1), needs_nonce=True)


def test_errors_show_nothing_of_the_proof_or_the_token() -> None:
    for proofs, _ in REFUSED.values():
        with pytest.raises(AuthenticationError) as refused:
            check(*proofs)
        text = f"{refused.value} {refused.value.detail}"
        assert TOKEN not in text
        assert "evil" not in text
        assert len(text) < 200
