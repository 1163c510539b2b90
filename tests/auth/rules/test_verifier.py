"""Whole tokens, each hostile one beside the twin that passes.

A row's twin differs from it in the one thing that the row is about, so no row is refused for a
reason that it does not name.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import nullcontext
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.auth.deny_list import parse_deny_list
from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.issuers.jwk import key_from_jwk
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.auth.rules.verifier import TokenVerifier
from kms_tornado.auth.tokens.compact import MAX_TOKEN_LENGTH
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.errors import (
    AlgorithmNotAllowed,
    AuthenticationError,
    BadSignature,
    ExpiredToken,
    InsufficientScope,
    InvalidClaim,
    InvalidToken,
    MalformedToken,
    MissingClaim,
    TokenNotYetValid,
    TokenTooOld,
    UnknownIssuer,
    UnknownKey,
    UnverifiedEmail,
    WrongAudience,
    WrongTokenType,
)

from ...keys import b64, certificate, compact, jwk, private_key, private_pem
from ...rows import each_row
from ..samples import (
    ABSENT,
    ALGORITHMS,
    ISSUER,
    NOW,
    OTHER,
    all_keys,
    changed,
    good_claims,
    good_header,
    key_set,
    token,
    trust,
    verify,
)

N = int(NOW)
KMS = frozenset({"kms"})
SETTINGS = trust(
    TrustedIssuer(ISSUER, audiences=KMS), TrustedIssuer(OTHER, audiences=frozenset({"other"}))
)
KEYS = {
    ISSUER: all_keys(),
    OTHER: key_set(
        jwk("ES256", "ES256-1", "other"), jwk("ES256", "only-b", "other"), jwk("RS256", "RS256-1", "other"),
    ),
}  # fmt: skip
GOOD = token()


# --- spelling ---------------------------------------------------------------------------------------


def parts(text: str = GOOD) -> list[str]:
    return text.split(".")


def with_part(place: int, text: str) -> str:
    return ".".join([*parts()[:place], text, *parts()[place + 1 :]])


def respelled(place: int) -> str:
    """The same octets, by setting bits that base64url leaves unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # ES256 signatures have 64 octets, so 86 characters: four bits of the last one are unused
    text = parts()[place]
    assert len(text) % 4
    return with_part(place, text[:-1] + alphabet[alphabet.index(text[-1]) + 1])


def signed(header: Any, claims: Any = None, alg: str = "ES256", name: str = "first") -> str:
    """Signed whatever it is: octets, or an object as it stands."""
    return compact(header, good_claims() if claims is None else claims, alg, private_key(alg, name))


def unsigned(header: dict[str, Any], signature: bytes | str = b"") -> str:
    """Good claims under a signature of one's own."""
    encoded = signature if isinstance(signature, str) else b64(signature)
    return (
        ".".join(b64(json.dumps(part).encode()) for part in (header, good_claims())) + "." + encoded
    )


def mac(secret: bytes, alg: str = "HS256", kid: str = "RS256-1", **header: Any) -> str:
    """The forgery of algorithm confusion: a public key taken for a shared secret."""
    signing_input = unsigned({"alg": alg, "typ": "JWT", "kid": kid, **header}).rpartition(".")[0]
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return signing_input + "." + b64(hmac.new(secret, signing_input.encode(), digest).digest())


PUBLIC = private_key("RS256").public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS1 = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
SSH = PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
BODY = b"".join(PEM.splitlines()[1:-1])
EVIL_JWK = jwk("ES256", "evil", "evil")
EVIL_CERTIFICATE = base64.b64encode(
    b"".join(certificate(private_key("ES256", "evil")).splitlines()[1:-1])
).decode()


def reordered() -> str:
    """The same header members in another order than was signed."""
    header = json.dumps(dict(reversed(good_header().items()))).encode()
    return with_part(0, b64(header))


def flipped(place: int, at: int) -> str:
    text = parts()[place]
    swap = "B" if text[at] != "B" else "C"
    return with_part(place, text[:at] + swap + (text[at + 1 :] if at != -1 else ""))


H = good_header()
Row = tuple[Any, type[AuthenticationError], Any]
ROWS: dict[str, Row] = {}


def row(name: str, hostile: str, error: type[AuthenticationError], twin: str = GOOD) -> None:
    assert name not in ROWS
    assert hostile != twin
    ROWS[name] = (hostile, error, twin)


# form
for _name, _text in {
    "nothing": "",
    "one dot": ".",
    "two dots": "..",
    "header alone": parts()[0],
    "no signature part": ".".join(parts()[:2]),
    "an empty signature": with_part(2, ""),
    "an empty payload": with_part(1, ""),
    "an empty header": with_part(0, ""),
    "a fourth part": GOOD + ".x",
    "an empty fourth part": GOOD + ".",
    "five parts": GOOD + ".x.y",
    "the parts in another order": ".".join(parts()[::-1]),
    "padding behind the signature": GOOD + "==",
    "padding behind the header": with_part(0, parts()[0] + "="),
    "padding behind the payload": with_part(1, parts()[1] + "="),
    "a newline behind": GOOD + "\n",
    "a space before": " " + GOOD,
    "a newline inside": with_part(1, parts()[1][:4] + "\n" + parts()[1][4:]),
    "exclamation marks inside": with_part(2, parts()[2][:4] + "!!!!" + parts()[2][4:]),
    "four spaces inside": with_part(2, parts()[2][:4] + "    " + parts()[2][4:]),
    "unused bits of the signature": respelled(2),
    "a full stop of another script": GOOD.replace(".", "\u3002"),
    "a letter that looks alike": GOOD.replace("e", "\u0435", 1),
    "NUL behind": GOOD + "\0",
    "percent encoding": GOOD.replace(".", "%2E"),
    "quotes around": f'"{GOOD}"',
    "the token twice": GOOD + GOOD,
    "its JSON serialisation": json.dumps(
        {"protected": parts()[0], "payload": parts()[1], "signature": parts()[2]}
    ),
    "longer than 16 KiB": token(claims={"pad": "x" * MAX_TOKEN_LENGTH}),
    "a megabyte": "A" * 1_000_000,
}.items():  # fmt: skip
    row(f"form: {_name}", _text, MalformedToken)
row(
    "form: a byte beyond 16 KiB",
    token(claims={"pad": "x" * 12_100}),
    MalformedToken,
    token(claims={"pad": "x" * 11_900}),
)
row(
    "form: base64 for base64url",
    GOOD.replace("-", "+").replace("_", "/") if set("-_") & set(GOOD) else GOOD + "+",
    MalformedToken,
)

# header JSON
for _name, _octets in {
    "a list": b"[]",
    "a string": b'"ES256"',
    "null": b"null",
    "cut off": json.dumps(H).encode()[:-1],
    "something behind": json.dumps(H).encode() + b"x",
    "duplicate alg, none first": b'{"alg":"none","kid":"ES256-1","alg":"ES256"}',
    "duplicate alg, none last": b'{"alg":"ES256","kid":"ES256-1","alg":"none"}',
    "duplicate alg, escaped": b'{"alg":"ES256","kid":"ES256-1","\\u0061lg":"none"}',
    "duplicate kid": b'{"alg":"ES256","kid":"x","kid":"ES256-1"}',
    "NaN": b'{"alg":"ES256","kid":"ES256-1","x":NaN}',
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(H).encode(),
    "UTF-16": json.dumps(H).encode("utf-16"),
    "no UTF-8": b'{"alg":"ES256","kid":"ES256-1","x":"\xff"}',
    "lone surrogate": b'{"alg":"ES256","kid":"ES256-1","x":"\\ud800"}',
    "nested 5000 deep": b'{"alg":"ES256","kid":"ES256-1","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "nested 17 deep": b'{"alg":"ES256","kid":"ES256-1","x":' + b"[" * 16 + b"]" * 16 + b"}",
}.items():  # fmt: skip
    row(f"header: {_name}", signed(_octets), MalformedToken, signed(json.dumps(H).encode()))

# header members
for _name, _changes in {
    "no alg": {"alg": ABSENT},
    "alg null": {"alg": None},
    "alg a list": {"alg": ["ES256"]},
    "alg a number": {"alg": 256},
    "alg true": {"alg": True},
    "alg an object": {"alg": {"ES256": 1}},
    "kid empty": {"kid": ""},
    "kid null": {"kid": None},
    "kid a number": {"kid": 1},
    "kid a list": {"kid": ["ES256-1"]},
    "kid an object": {"kid": {"ES256-1": 1}},
    "kid true": {"kid": True},
    "kid very long": {"kid": "ES256-1" + "x" * 300},
    "typ null": {"typ": None},
    "typ a list": {"typ": ["JWT"]},
    "typ a number": {"typ": 5},
    "crit exp": {"crit": ["exp"], "exp": N + 60},
    "crit unknown": {"crit": ["unknown"], "unknown": 1},
    "crit empty": {"crit": []},
    "crit null": {"crit": None},
    "crit b64": {"crit": ["b64"], "b64": True},
    "b64 false": {"b64": False},
    "b64 true": {"b64": True},
}.items():
    row(f"header: {_name}", token(_changes), MalformedToken)

# algorithms
for _alg in ("none", "None", "NONE", "nOnE", "", "null", "HS256", "HS384", "HS512", "es256", "ES256 ", " ES256",
             "ES256\0", "ES256K", "ES25", "S256", "RS1", "RSA-OAEP", "dir", "A128KW", "Ed25519", "eddsa", "ML-DSA-44",
             "ES256,none", "*"):  # fmt: skip
    row(f"alg: {_alg!r} over a good signature", token({"alg": _alg}), AlgorithmNotAllowed)
for _alg in ("none", "None", "NONE", "nOnE"):
    row(
        f"alg: {_alg} with a signature of one octet",
        unsigned({**H, "alg": _alg}, b"\0"),
        AlgorithmNotAllowed,
    )
    row(f"alg: {_alg} without signature", unsigned({**H, "alg": _alg}), MalformedToken)
for _name, _secret in {
    "PEM": PEM, "PEM without its last newline": PEM.strip(), "DER": DER, "PKCS#1 PEM": PKCS1, "OpenSSH": SSH,
    "the PEM's body": BODY, "the JWK": json.dumps(jwk("RS256", "RS256-1")).encode(),
    "the modulus": jwk("RS256")["n"].encode(), "nothing": b"", "a zero": b"\0",
}.items():  # fmt: skip
    row(
        f"confusion: HS256 keyed with {_name}",
        mac(_secret),
        AlgorithmNotAllowed,
        token(alg="RS256"),
    )
row(
    "confusion: HS384 keyed with the PEM",
    mac(PEM, "HS384"),
    AlgorithmNotAllowed,
    token(alg="RS256"),
)
row(
    "confusion: HS512 keyed with the PEM",
    mac(PEM, "HS512"),
    AlgorithmNotAllowed,
    token(alg="RS256"),
)
row(
    "confusion: an HMAC that says RS256",
    unsigned(good_header("RS256"), hmac.new(PEM, unsigned(good_header("RS256")).rpartition(".")[0].encode(), hashlib.sha256).digest()),
    BadSignature, token(alg="RS256"),
)  # fmt: skip
for _alg in ALGORITHMS:
    if _alg != "ES256":
        row(
            f"alg: {_alg} with a kid of ES256",
            token({"kid": "ES256-1"}, alg=_alg),
            AlgorithmNotAllowed,
            token(alg=_alg),
        )
        row(
            f"alg: says {_alg}, signed as ES256",
            token({"alg": _alg, "kid": f"{_alg}-1"}),
            BadSignature,
            token(alg=_alg),
        )

# kid
for _kid in ("unknown", "ES256-2", "es256-1", "ES256-1 ", " ES256-1", "ES256-1\0", "ES256-1\n", "../ES256-1", "*", "%", "null",
             "only-b", "' OR '1'='1", "\u212aES256-1", "/dev/null", "http://127.0.0.1/k"):  # fmt: skip
    row(f"kid: {_kid!r}", token({"kid": _kid}), UnknownKey)
row("kid: of the right type, of another key", token({"kid": "ES384-1"}), AlgorithmNotAllowed)
row(
    "kid: none, signed by a stranger",
    token({"kid": ABSENT}, name="evil"),
    BadSignature,
    token({"kid": ABSENT}),
)

# keys that the sender brings along
for _name, _brought in {
    "jwk": {"jwk": EVIL_JWK}, "jku": {"jku": "https://evil.example/jwks.json"}, "x5u": {"x5u": "https://evil.example/cert.pem"},
    "x5c": {"x5c": [EVIL_CERTIFICATE]}, "x5t": {"x5t": b64(hashlib.sha1(b"x").digest())},
}.items():  # fmt: skip
    row(
        f"brings {_name}, signed with it",
        token(_brought, name="evil"),
        BadSignature,
        token(_brought),
    )
    row(
        f"brings {_name}, without kid",
        token({**_brought, "kid": ABSENT}, name="evil"),
        BadSignature,
        token({**_brought, "kid": ABSENT}),
    )
    row(
        f"brings {_name} under its own kid",
        token({**_brought, "kid": "evil"}, name="evil"),
        UnknownKey,
        token(_brought),
    )
row(
    "brings its private key",
    token({"jwk": EVIL_JWK | {"d": b64(private_pem(private_key("ES256"))[:32])}}, name="evil"),
    BadSignature,
)

# typ
for _typ in ("secevent+jwt", "logout+jwt", "dpop+jwt", "JOSE", "JWE", "", " JWT", "JWT ", "text/jwt", "application/", "x/JWT",
             "id_token", "at+jwt+x", "application/application/JWT"):  # fmt: skip
    row(f"typ: {_typ!r}", token({"typ": _typ}), WrongTokenType)

# signature
row("signature: of another key", token(name="evil"), BadSignature)
row(
    "signature: of another token",
    with_part(2, parts(token(claims={"sub": "bob"}))[2]),
    BadSignature,
)
row("signature: zeros", with_part(2, b64(bytes(64))), BadSignature)
row("signature: one octet", with_part(2, b64(b"\0")), BadSignature)
row("signature: an octet short", with_part(2, b64(bytes(63))), BadSignature)
row("signature: an octet long", with_part(2, b64(bytes(65))), BadSignature)
row("signature: very long", with_part(2, b64(bytes(9000))), BadSignature)
row("signature: a character changed", flipped(2, 10), BadSignature)
row(
    "payload: changed under its signature",
    with_part(1, parts(token(claims={"sub": "admin"}))[1]),
    BadSignature,
)
row(
    "payload: with a space more",
    with_part(1, b64(json.dumps(good_claims(), indent=1).encode())),
    BadSignature,
)
row(
    "header: changed under its signature",
    with_part(0, parts(token({"typ": "at+jwt"}))[0]),
    BadSignature,
)
row("header: its members reordered", reordered(), BadSignature)
row(
    "header: kid taken away after signing",
    with_part(0, parts(token({"kid": ABSENT}))[0]),
    BadSignature,
)

# payload JSON
_good_payload = json.dumps(good_claims()).encode()
for _name, _octets in {
    "a list": b"[" + _good_payload + b"]",
    "a string": b'"alice"',
    "null": b"null",
    "something behind": _good_payload + b"x",
    "duplicate sub": _good_payload[:-1] + b',"sub":"admin"}',
    "duplicate iss": _good_payload[:-1] + b',"iss":"https://other.example/"}',
    "duplicate exp, escaped": _good_payload[:-1] + b',"e\\u0078p":99999999999}',
    "duplicate further in": _good_payload[:-1] + b',"x":{"a":1,"a":2}}',
    "NaN": _good_payload[:-1] + b',"x":NaN}',
    "exp NaN": json.dumps(good_claims(exp=float("nan"))).encode(),
    "exp Infinity": json.dumps(good_claims(exp=float("inf"))).encode(),
    "exp 1e400": _good_payload.replace(str(N + 600).encode(), b"1e400"),
    "exp of 5000 digits": _good_payload.replace(str(N + 600).encode(), b"9" * 5000),
    "byte order mark": b"\xef\xbb\xbf" + _good_payload,
    "UTF-16": _good_payload.decode().encode("utf-16"),
    "no UTF-8": _good_payload[:-1] + b',"x":"\xff"}',
    "lone surrogate": _good_payload[:-1] + b',"x":"\\udc00"}',
    "nested 5000 deep": _good_payload[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "nested 17 deep": _good_payload[:-1] + b',"x":' + b"[" * 16 + b"]" * 16 + b"}",
    "a token for a payload": GOOD.encode(),
}.items():
    row(f"payload: {_name}", token(claims=_octets), MalformedToken, token(claims=_good_payload))

# issuer
for _iss in (ABSENT, None, "", 5, True, [ISSUER], {"iss": ISSUER}, ISSUER.rstrip("/"), ISSUER + "/", ISSUER.upper(),
             ISSUER.replace("https", "http"), ISSUER.replace("https", "HTTPS"), ISSUER + " ", ISSUER + "\0", ISSUER + "#x",
             ISSUER + "?", ISSUER.replace("example", "example:443"), ISSUER.replace("issuer.", "issuer%2E"),
             "https://evil.example/", "accounts.google.com", f"{ISSUER},{OTHER}"):  # fmt: skip
    row(
        f"iss: {'absent' if _iss is ABSENT else repr(_iss)}",
        token(claims={"iss": _iss}),
        UnknownIssuer,
    )
_other = {"iss": OTHER, "aud": "other"}
row(
    "issuers: B's name under A's key, same kid",
    token(claims=_other),
    BadSignature,
    token(claims=_other, name="other"),
)
row("issuers: A's name under B's key, same kid", token(name="other"), BadSignature)
row(
    "issuers: A's name under B's key and kid",
    token({"kid": "only-b"}, name="other"),
    UnknownKey,
    token({"kid": "only-b"}, _other, name="other"),
)
row(
    "issuers: A's name under B's key, no kid",
    token({"kid": ABSENT}, name="other"),
    BadSignature,
    token({"kid": ABSENT}, _other, name="other"),
)
row(
    "issuers: A's audience from B",
    token(claims={"iss": OTHER}, name="other"),
    WrongAudience,
    token(claims=_other, name="other"),
)
row("issuers: B's audience from A", token(claims={"aud": "other"}), WrongAudience)
row(
    "issuers: an algorithm that only A has keys for",
    token(claims=_other, alg="EdDSA"),
    UnknownKey,
    token(alg="EdDSA"),
)

# claims
for _name, _changes, _error in (
    ("exp absent", {"exp": ABSENT}, MissingClaim), ("exp null", {"exp": None}, InvalidClaim), ("exp a string", {"exp": str(N + 600)}, InvalidClaim),
    ("exp true", {"exp": True}, InvalidClaim), ("exp a list", {"exp": [N + 600]}, InvalidClaim), ("exp an object", {"exp": {}}, InvalidClaim),
    ("exp 25 digits", {"exp": 10**25}, InvalidClaim), ("exp 1e300", {"exp": 1e300}, InvalidClaim), ("exp past", {"exp": N - 61}, ExpiredToken),
    ("exp 0", {"exp": 0}, ExpiredToken), ("exp negative", {"exp": -1}, ExpiredToken),
    ("iat a year ahead", {"iat": N + 31_536_000}, TokenNotYetValid), ("iat 61 s ahead", {"iat": N + 61}, TokenNotYetValid), ("iat null", {"iat": None}, InvalidClaim),
    ("iat a string", {"iat": str(N)}, InvalidClaim), ("iat true", {"iat": True}, InvalidClaim), ("iat a list", {"iat": []}, InvalidClaim),
    ("nbf 61 s ahead", {"nbf": N + 61}, TokenNotYetValid), ("nbf null", {"nbf": None}, InvalidClaim), ("nbf a string", {"nbf": "0"}, InvalidClaim),
    ("nbf false", {"nbf": False}, InvalidClaim), ("nbf an object", {"nbf": {}}, InvalidClaim),
    ("aud absent", {"aud": ABSENT}, MissingClaim), ("aud null", {"aud": None}, InvalidClaim), ("aud empty", {"aud": ""}, WrongAudience),
    ("aud of others", {"aud": ["x", "y"]}, WrongAudience), ("aud no one", {"aud": []}, WrongAudience), ("aud a number", {"aud": 5}, InvalidClaim),
    ("aud an object", {"aud": {"kms": 1}}, InvalidClaim), ("aud mixed", {"aud": ["kms", 5]}, InvalidClaim), ("aud nested", {"aud": [["kms"]]}, InvalidClaim),
    ("aud in capitals", {"aud": "KMS"}, WrongAudience), ("aud two in one", {"aud": "kms other"}, WrongAudience),
    ("sub absent", {"sub": ABSENT}, MissingClaim), ("sub null", {"sub": None}, InvalidClaim), ("sub empty", {"sub": ""}, InvalidClaim),
    ("sub a number", {"sub": 5}, InvalidClaim), ("sub a list", {"sub": ["alice"]}, InvalidClaim), ("sub an object", {"sub": {}}, InvalidClaim),
    ("sub with NUL", {"sub": "alice\0"}, InvalidClaim), ("sub with newline", {"sub": "alice\nroot"}, InvalidClaim), ("sub of 256", {"sub": "x" * 256}, InvalidClaim),
):  # fmt: skip
    row(f"claim: {_name}", token(claims=_changes), _error)


@each_row(("hostile", "error", "twin"), [pytest.param(*r, id=name) for name, r in ROWS.items()])
def test_a_hostile_token_is_refused_and_its_twin_passes(
    hostile: str, error: type[AuthenticationError], twin: str
) -> None:
    verify(twin, SETTINGS, KEYS)
    with pytest.raises(AuthenticationError) as refused:
        verify(hostile, SETTINGS, KEYS)
    assert type(refused.value) is error
    assert refused.value.status == 401
    # the caller's words are fixed ones: nothing of the token, nothing that was expected
    assert str(refused.value) in {cls.description for cls in _refusals()} | {
        WrongAudience.description
    }


def _refusals(
    cls: type[AuthenticationError] = AuthenticationError,
) -> set[type[AuthenticationError]]:
    return {cls}.union(*map(_refusals, cls.__subclasses__()))


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(ROWS) >= 150


# --- what passes ------------------------------------------------------------------------------------


@each_row("alg", ALGORITHMS)
@each_row("kid", ["with kid", "without kid"])
def test_a_good_token_speaks_for_its_subject(alg: str, kid: str) -> None:
    header = {} if kid == "with kid" else {"kid": ABSENT}
    who = verify(token(header, {"roles": ["a"]}, alg=alg), SETTINGS, KEYS)
    assert (who.name, who.subject, who.issuer, who.expires_at) == (
        "alice",
        "alice",
        ISSUER,
        N + 600,
    )
    assert who.claims == good_claims(roles=["a"])


@each_row(
    "typ", [ABSENT, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"]
)
def test_the_usual_token_types_are_accepted(typ: Any) -> None:
    verify(token({"typ": typ}), SETTINGS, KEYS)


@each_row(
    ("types", "accepted", "refused"),
    [
        ({"at+jwt"}, ["at+jwt", "application/at+jwt", "AT+jwt"], [ABSENT, "JWT"]),
        ({"Application/X+JWT"}, ["x+jwt"], [ABSENT, "JWT", "at+jwt"]),
        ({None}, [ABSENT], ["JWT", ""]),
    ],
)
def test_the_accepted_token_types_can_be_named(
    types: Any, accepted: list[Any], refused: list[Any]
) -> None:
    settings = trust(token_types=frozenset(types))
    for typ in accepted:
        verify(token({"typ": typ}), settings, KEYS)
    for typ in refused:
        with pytest.raises(WrongTokenType):
            verify(token({"typ": typ}), settings, KEYS)


def test_only_allowed_algorithms_pass() -> None:
    settings = trust(algorithms=frozenset({"RS256", "EdDSA"}))
    for alg in ALGORITHMS:
        if alg in {"RS256", "EdDSA"}:
            verify(token(alg=alg), settings, KEYS)
        else:
            with pytest.raises(AlgorithmNotAllowed):
                verify(token(alg=alg), settings, KEYS)


@each_row("allowed", ["EdDSA", "Ed25519"])
@each_row("of_key", ["EdDSA", "Ed25519", None])
@each_row("of_token", ["EdDSA", "Ed25519"])
def test_ed25519_is_eddsa_in_tokens_keys_and_settings(
    allowed: str, of_key: str | None, of_token: str
) -> None:
    """RFC 9864 names the curve with the algorithm, and calls the old name deprecated."""
    key = key_from_jwk(changed(jwk("EdDSA", "k-EdDSA"), {"alg": of_key or ABSENT}))
    text = token({"alg": of_token, "kid": "k-EdDSA"}, alg="EdDSA")
    verify(text, trust(algorithms=frozenset({allowed})), {ISSUER: KeySet([key])})


@each_row("alg", ["ed25519", "Ed448", "EDDSA", "ES256K"])
def test_other_names_are_not_ed25519(alg: str) -> None:
    with pytest.raises(AlgorithmNotAllowed):
        verify(token({"alg": alg}, alg="EdDSA"), trust(), KEYS)


def test_google_may_leave_the_scheme_out_and_stays_one_issuer() -> None:
    google = "https://accounts.google.com"
    settings = trust(TrustedIssuer(google))
    keys = {google: all_keys()}
    for iss in (google, "accounts.google.com"):
        assert verify(token(claims={"iss": iss}), settings, keys).issuer == google
    for iss in (
        "http://accounts.google.com",
        "https://accounts.google.com/",
        "accounts.google.com/",
        "google.com",
    ):
        with pytest.raises(UnknownIssuer):
            verify(token(claims={"iss": iss}), settings, keys)


def test_namespaces_keep_the_same_name_of_two_issuers_apart() -> None:
    issuers = (TrustedIssuer(ISSUER), TrustedIssuer(OTHER))
    texts = (token(), token(claims={"iss": OTHER}, name="other"))
    shared = [verify(t, trust(*issuers), KEYS).name for t in texts]
    apart = [verify(t, trust(*issuers, namespace_by_issuer=True), KEYS).name for t in texts]
    assert shared == ["alice", "alice"]
    assert apart == [f"{ISSUER}#alice", f"{OTHER}#alice"]


@each_row(
    ("policy", "claims", "error"),
    [
        pytest.param({"max_age_s": 100}, {"iat": N - 159}, None, id="age within the leeway"),
        pytest.param({"max_age_s": 100}, {"iat": N - 161}, TokenTooOld, id="too old"),
        pytest.param({"max_age_s": 100}, {"iat": ABSENT}, MissingClaim, id="age unknown"),
        pytest.param({"user_claim": "email"}, {"email": "a@x", "email_verified": True}, None, id="verified"),
        pytest.param({"user_claim": "email"}, {"email": "a@x"}, UnverifiedEmail, id="unverified"),
        pytest.param({"user_claim": "email"}, {"email_verified": True}, MissingClaim, id="no email"),
        pytest.param({"user_claim": "name"}, {"name": "A\n"}, InvalidClaim, id="user claim with newline"),
        pytest.param({"user_claim": "azp"}, {"azp": "robot", "sub": ABSENT}, None, id="a machine's token without sub"),
        pytest.param({}, {"azp": "robot", "sub": ABSENT}, MissingClaim, id="without the sub that names the user"),
        pytest.param({"required_claims": (RequiredClaim("scope", "kms"),)}, {"scope": "a kms"}, None, id="scope"),
        pytest.param({"required_claims": (RequiredClaim("scope", "kms"),)}, {"scope": "a"}, InsufficientScope, id="other scope"),
    ],
)  # fmt: skip
def test_the_policy_is_applied(policy: Any, claims: Any, error: Any) -> None:
    settings = trust(**policy)
    if error is None:
        verify(token(claims=claims), settings, KEYS)
    else:
        with pytest.raises(error):
            verify(token(claims=claims), settings, KEYS)


def test_a_missing_scope_is_only_told_to_the_holder_of_a_good_token() -> None:
    """403 says that the token is good; it must not be said before the signature was checked."""
    settings = trust(required_claims=(RequiredClaim("scope", "kms"),))
    with pytest.raises(InsufficientScope) as refused:
        verify(token(), settings, KEYS)
    assert refused.value.status == 403
    assert refused.value.user == "alice", "for the log and the audit"
    with pytest.raises(InsufficientScope) as refused:
        verify(token(claims={"cnf": {"jkt": "A" * 43}}), settings, KEYS)
    assert refused.value.user == "", "nobody has looked yet who holds the key"
    for bad, error in (
        (token(name="evil"), BadSignature),
        (token(claims={"exp": 1}), ExpiredToken),
    ):
        with pytest.raises(error):
            verify(bad, settings, KEYS)


def test_the_signature_is_checked_before_the_claims() -> None:
    with pytest.raises(BadSignature):
        verify(token(claims={"exp": 1, "aud": "x", "sub": ""}, name="evil"), SETTINGS, KEYS)


def test_an_issuer_off_by_a_slash_is_told_to_the_operator_only() -> None:
    with pytest.raises(UnknownIssuer) as refused:
        verify(token(claims={"iss": ISSUER.rstrip("/")}), SETTINGS, KEYS)
    assert "slash" in refused.value.detail
    assert str(refused.value) == "unknown issuer"


def test_the_details_for_the_log_hold_no_claim_of_the_token() -> None:
    for hostile, error, _ in ROWS.values():
        with pytest.raises(error) as refused:
            verify(hostile, SETTINGS, KEYS)
        for secret in ("alice", "admin", "evil", parts()[1][:20]):
            assert secret not in refused.value.detail


# --- anything ---------------------------------------------------------------------------------------

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0\u00e9"
TOKENS = [token(alg=alg) for alg in ("ES256", "RS256", "EdDSA")]


@settings(deadline=None)  # one signature per case, which is slow on a busy machine
@given(
    st.sampled_from(TOKENS),
    st.integers(0, 10_000),
    st.sampled_from(ALPHABET),
    st.sampled_from(["put", "add", "cut"]),
)
def test_no_mutated_token_is_accepted_and_all_raise_one_type(
    text: str, at: int, letter: str, how: str
) -> None:
    at %= len(text)
    mutated = {
        "put": text[:at] + letter + text[at + 1 :],
        "add": text[:at] + letter + text[at:],
        "cut": text[:at] + text[at + 1 :],
    }[how]
    if mutated != text:
        with pytest.raises(InvalidToken):
            verify(mutated, SETTINGS, KEYS)


@given(st.text(max_size=80))
def test_no_random_text_is_accepted(text: str) -> None:
    with pytest.raises(InvalidToken):
        verify(text, SETTINGS, KEYS)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None)  # one signature per case, which is slow on a busy machine
@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x"]), _VALUES, max_size=3
    ),
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "x"]), _VALUES, max_size=3
    ),
)
def test_a_well_signed_token_of_any_content_is_accepted_or_refused(
    header: Any, claims: Any
) -> None:
    """Even the issuer's own key signs nothing that raises another exception."""
    try:
        who = verify(token(header, claims), SETTINGS, KEYS)
    except AuthenticationError:
        return
    assert who.issuer == ISSUER
    assert who.subject


_EVERYTHING = trust(
    TrustedIssuer(
        "https://login.example/{tenantid}/",
        "https://login.example/keys",
        frozenset({"kms"}),
        tenants=frozenset({"t1", "t2"}),
    ),
    audience_claim=("aud", "cid"),
    user_claim=("email", "cid", "sub"),
    group_claim="/realm/groups",
    required_claims=(RequiredClaim("realm.roles", ("a", 1)),),
)
_TENANT_TOKEN = {"iss": "https://login.example/t1/", "tid": "t1", "cid": "kms", "jti": "1"}
_REALM = {"realm": {"roles": {"a": 1}, "groups": ["g"]}}
_KEYS = all_keys()
_DENIED = parse_deny_list(b"jti=2\nsub=mallory\niss=https://login.example/t1/ sid=3")


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["tid", "cid", "aud", "email", "email_verified", "sub", "jti", "sid", "realm"]
        ),
        _VALUES,
        max_size=4,
    )
)
def test_a_well_signed_token_of_any_content_is_decided_by_every_rule(claims: Any) -> None:
    text = token(claims={**_TENANT_TOKEN, **_REALM, **claims})
    verifier = TokenVerifier(_EVERYTHING)
    try:
        unverified, issuer = verifier.parse(text)
        who = verifier.verify(unverified, issuer, _KEYS, now=NOW, denied=_DENIED)
    except AuthenticationError:
        return
    assert who.issuer == "https://login.example/t1/"
    assert who.claims["tid"] == "t1"
    assert _DENIED.find(who.claims, who.issuer) is None


@given(st.lists(st.sampled_from(TOKENS), min_size=3, max_size=3))
def test_parts_of_good_tokens_make_no_other_good_token(three: list[str]) -> None:
    mixed = ".".join(text.split(".")[place] for place, text in enumerate(three))
    if mixed in TOKENS:
        verify(mixed, SETTINGS, KEYS)
    else:
        with pytest.raises(InvalidToken):
            verify(mixed, SETTINGS, KEYS)


@pytest.mark.parametrize("kid", ["ES256-1", None])
def test_an_empty_key_set_verifies_nothing(kid: str | None) -> None:
    with pytest.raises(InvalidToken) as refused:
        verify(token({"kid": kid or ABSENT}), SETTINGS, {ISSUER: KeySet([])})
    assert isinstance(refused.value, UnknownKey if kid else AlgorithmNotAllowed)


# --- keys that name an issuer ---------------------------------------------------------------------


@each_row("kid", ["ES256-1", None])
@each_row(
    ("bound_to", "tid", "is_good"),
    [
        pytest.param(ISSUER, ABSENT, True, id="the token's issuer"),
        pytest.param(ISSUER, "other", True, id="the token's issuer, and a tenant"),
        pytest.param(OTHER, ABSENT, False, id="another issuer"),
        pytest.param(ISSUER.rstrip("/"), ABSENT, False, id="without the slash"),
        pytest.param(ISSUER.upper(), ABSENT, False, id="in capitals"),
        pytest.param("https://{tenantid}.example/", "issuer", True, id="the tenant fills the place"),
        pytest.param("https://{tenantid}.example/", "other", False, id="another tenant"),
        pytest.param("https://{tenantid}.example/", ABSENT, False, id="no tenant"),
        pytest.param("https://{tenantid}.example/", None, False, id="tenant null"),
        pytest.param("https://{tenantid}.example/", 5, False, id="a number for a tenant"),
        pytest.param("https://{tenantid}.example/", ["issuer"], False, id="a list for a tenant"),
        pytest.param("https://{tenantid}.example/", "", False, id="an empty tenant"),
        pytest.param("{tenantid}", ISSUER, True, id="nothing but a place"),
    ],
)  # fmt: skip
def test_a_key_that_names_an_issuer_verifies_that_issuers_tokens_alone(
    bound_to: str, tid: Any, is_good: bool, kid: str | None
) -> None:
    keys = {ISSUER: key_set(jwk("ES256", "ES256-1") | {"issuer": bound_to})}
    text = token({"kid": kid or ABSENT}, {"tid": tid})
    if is_good:
        assert verify(text, SETTINGS, keys).issuer == ISSUER
    else:
        with pytest.raises(BadSignature):
            verify(text, SETTINGS, keys)


def test_of_keys_that_share_a_kid_the_one_of_the_tokens_issuer_is_taken() -> None:
    foreign = jwk("ES256", "ES256-1", "other") | {"issuer": OTHER}
    own = jwk("ES256", "ES256-1") | {"issuer": ISSUER}
    for keys in ((foreign, own), (own, foreign)):
        assert verify(token(), SETTINGS, {ISSUER: key_set(*keys)}).name == "alice"
        with pytest.raises(BadSignature):
            verify(token(name="other"), SETTINGS, {ISSUER: key_set(*keys)})


def test_keys_of_other_issuers_take_no_place_among_those_tried_for_a_token_without_kid() -> None:
    foreign = [jwk("ES256", f"k{i}", f"other {i}") | {"issuer": OTHER} for i in range(9)]
    keys = {ISSUER: key_set(*foreign, jwk("ES256", "k"))}
    assert verify(token({"kid": ABSENT}), SETTINGS, keys).name == "alice"


def test_a_key_of_google_serves_both_spellings_of_its_issuer() -> None:
    google = "https://accounts.google.com"
    settings = trust(TrustedIssuer(google, audiences=frozenset({"kms"})))
    for bound_to in (google, "accounts.google.com"):
        keys = {google: key_set(jwk("ES256", "ES256-1") | {"issuer": bound_to})}
        for iss in (google, "accounts.google.com"):
            assert verify(token(claims={"iss": iss}), settings, keys).issuer == google


# --- what an issuer has of its own ----------------------------------------------------------------


@each_row(
    ("own", "header", "claims", "error"),
    [
        pytest.param({}, {}, {}, None, id="as the policy says"),
        pytest.param({}, {}, {"role": ABSENT}, InsufficientScope, id="as the policy requires"),
        pytest.param({"required_claims": ()}, {}, {"role": ABSENT}, None, id="nothing is required"),
        pytest.param({"required_claims": (RequiredClaim("x", 1),)}, {}, {}, InsufficientScope, id="something else is required"),
        pytest.param({"token_types": frozenset({"at+jwt"})}, {}, {}, WrongTokenType, id="other types"),
        pytest.param({"token_types": frozenset({"at+JWT"})}, {"typ": "application/at+jwt"}, {}, None, id="another type"),
        pytest.param({"audience_claim": ("client_id",)}, {}, {}, MissingClaim, id="the audience stands elsewhere"),
        pytest.param({"audience_claim": ("client_id",)}, {}, {"client_id": "kms", "aud": ABSENT}, None, id="and there it is"),
        pytest.param({"user_claim": ("email",)}, {}, {}, MissingClaim, id="another user claim"),
    ],
)  # fmt: skip
def test_rules_of_an_issuer_count_for_its_tokens_and_for_no_others(
    own: dict[str, Any], header: dict[str, Any], claims: dict[str, Any], error: Any
) -> None:
    kms = frozenset({"kms"})
    settings = trust(
        TrustedIssuer(ISSUER, audiences=kms, **own),
        TrustedIssuer(OTHER, audiences=kms),
        required_claims=(RequiredClaim("role", "clerk"),),
    )
    keys = {ISSUER: all_keys(), OTHER: all_keys()}
    text = token(header, {"role": "clerk", **claims})
    with pytest.raises(error) if error else nullcontext():
        assert verify(text, settings, keys).issuer == ISSUER
    assert verify(token(claims={"iss": OTHER, "role": "clerk"}), settings, keys).name == "alice"


TENANTS = TrustedIssuer(
    "https://login.example/{tenantid}/v2.0",
    "https://login.example/keys",
    tenants=frozenset({"t1", "t2"}),
)


@each_row(
    ("iss", "tid", "is_good"),
    [
        pytest.param("t1", "t1", True, id="a tenant that is let in"),
        pytest.param("t2", "t2", True, id="another one"),
        pytest.param("t3", "t3", False, id="one that is not"),
        pytest.param("t1", "t2", False, id="iss and tid disagree"),
        pytest.param("t1", ABSENT, False, id="no tid"),
        pytest.param("t1", None, False, id="null"),
        pytest.param("t1", ["t1"], False, id="a list"),
        pytest.param("T1", "T1", False, id="in capitals"),
        pytest.param("{tenantid}", "{tenantid}", False, id="the place itself"),
        pytest.param("{tenantid}", "t1", False, id="the place, and a tenant"),
    ],
)
def test_of_an_issuer_with_tenants_those_that_are_named_are_let_in(
    iss: str, tid: Any, is_good: bool
) -> None:
    uri = f"https://login.example/{iss}/v2.0"
    settings = trust(TENANTS, namespace_by_issuer=True)
    text = token(claims={"iss": uri, "tid": tid})
    if is_good:
        principal = verify(text, settings, {uri: all_keys()})
        assert (principal.issuer, principal.name) == (uri, f"{uri}#alice")
    else:
        with pytest.raises(UnknownIssuer):
            verify(text, settings, {uri: all_keys()})


def test_a_key_of_one_tenant_verifies_no_token_of_another() -> None:
    settings = trust(TENANTS, namespace_by_issuer=True)
    uris = {tenant: f"https://login.example/{tenant}/v2.0" for tenant in ("t1", "t2")}
    for bound_to, tenant, is_good in (
        (uris["t1"], "t1", True), (uris["t1"], "t2", False), (TENANTS.uri, "t2", True),
    ):  # fmt: skip
        keys = {uris[tenant]: key_set(jwk("ES256", "ES256-1") | {"issuer": bound_to})}
        text = token(claims={"iss": uris[tenant], "tid": tenant})
        with nullcontext() if is_good else pytest.raises(BadSignature):
            verify(text, settings, keys)
