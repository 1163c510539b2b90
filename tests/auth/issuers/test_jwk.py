"""One key of an issuer: which are used, for which algorithms, and why the others are not."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.auth.issuers.jwk import UnusableKey, key_from_jwk, key_from_pem

from ...keys import b64, b64int, certificate, jwk, private_key, rsa_key
from ...rows import each_row
from ..samples import ABSENT, ALGORITHMS, changed

RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
P = 2**255 - 19


def rsa_jwk(bits: int = 2048, **changes: Any) -> dict[str, Any]:
    numbers = rsa_key(bits).public_key().public_numbers()
    key = {"kty": "RSA", "kid": "k", "n": b64int(numbers.n), "e": b64int(numbers.e)}
    return changed(key, changes)


def modulus(bits: int, end: int = 1) -> str:
    """A number of that size that has no reason to be refused but its size; nothing signs with it."""
    numbers = rsa_key(2048).public_key().public_numbers()
    n = (numbers.n << (bits - 2048)) | (1 << (bits - 1)) | end
    return b64int(n & ((1 << bits) - 1))


def ec_jwk(alg: str = "ES256", **changes: Any) -> dict[str, Any]:
    return changed(jwk(alg, "k"), {"alg": ABSENT, "use": ABSENT, **changes})


def ed_jwk(**changes: Any) -> dict[str, Any]:
    return changed(jwk("EdDSA", "k"), {"alg": ABSENT, "use": ABSENT, **changes})


# --- what type and curve leave ----------------------------------------------------------------------


@each_row(
    ("key", "algorithms"),
    [
        pytest.param(rsa_jwk(), RSA, id="RSA 2048"),
        pytest.param(rsa_jwk(3072), RSA, id="RSA 3072"),
        pytest.param(rsa_jwk(n=modulus(8192)), RSA, id="RSA 8192"),
        pytest.param(rsa_jwk(e=b64int(3)), RSA, id="RSA with exponent 3"),
        pytest.param(rsa_jwk(e=b64int(2**64 - 1)), RSA, id="RSA with an exponent of 64 bits"),
        pytest.param(ec_jwk("ES256"), {"ES256"}, id="P-256"),
        pytest.param(ec_jwk("ES384"), {"ES384"}, id="P-384"),
        pytest.param(ec_jwk("ES512"), {"ES512"}, id="P-521"),
        pytest.param(ed_jwk(), {"EdDSA"}, id="Ed25519"),
    ],
)
def test_type_and_curve_decide_what_a_key_may_verify(
    key: dict[str, Any], algorithms: frozenset[str]
) -> None:
    assert key_from_jwk(key).algorithms == algorithms


@each_row("alg", ALGORITHMS)
def test_alg_binds_the_key_to_it(alg: str) -> None:
    assert key_from_jwk(jwk(alg)).algorithms == {alg}


@each_row(
    ("alg", "other"),
    [
        ("RS256", "ES256"), ("RS256", "EdDSA"), ("RS256", "HS256"), ("RS256", "none"), ("RS256", "RS1"),
        ("RS256", "RSA-OAEP"), ("RS256", "rs256"), ("RS256", ""), ("ES256", "ES384"), ("ES384", "ES256"),
        ("ES512", "ES256"), ("ES256", "ES256K"), ("ES256", "RS256"), ("ES256", "ECDH-ES"),
        ("EdDSA", "ES256"), ("EdDSA", "RS256"), ("EdDSA", "Ed448"),
    ],
)  # fmt: skip
def test_an_alg_that_does_not_fit_makes_the_key_unusable(alg: str, other: str) -> None:
    with pytest.raises(UnusableKey, match="alg"):
        key_from_jwk(jwk(alg) | {"alg": other})


@each_row("alg", [None, 5, ["RS256"], {"RS256": 1}, True])
def test_an_alg_of_a_wrong_type_makes_the_key_unusable(alg: Any) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(rsa_jwk(alg=alg))


def test_a_key_may_name_the_issuer_that_it_is_bound_to() -> None:
    assert key_from_jwk(ec_jwk()).issuer is None
    assert key_from_jwk(ec_jwk(issuer="https://i.example/")).issuer == "https://i.example/"


@each_row("issuer", [None, "", 5, True, ["https://i.example/"], {}])
def test_an_issuer_that_is_no_text_makes_the_key_unusable(issuer: Any) -> None:
    with pytest.raises(UnusableKey, match="issuer"):
        key_from_jwk(ec_jwk(issuer=issuer))


# --- weak and broken keys ---------------------------------------------------------------------------


@each_row(
    "key",
    [
        pytest.param(rsa_jwk(1024), id="1024 bits"),
        pytest.param(rsa_jwk(n=modulus(2048)[:-2] + "A"), id="2040 bits"),
        pytest.param(rsa_jwk(n=b64int(2**2046 + 1)), id="2047 bits"),
        pytest.param(rsa_jwk(n=b64int(2**512 + 1)), id="513 bits"),
        pytest.param(rsa_jwk(n=modulus(8193)), id="8193 bits"),
        pytest.param(rsa_jwk(n=modulus(16384)), id="16384 bits"),
        pytest.param(rsa_jwk(n=modulus(100_000)), id="100000 bits"),
        pytest.param(rsa_jwk(n=b64int(2**2047 + 2)), id="even modulus"),
        pytest.param(rsa_jwk(n="AA"), id="modulus 0"),
        pytest.param(rsa_jwk(n="AQ"), id="modulus 1"),
        pytest.param(rsa_jwk(e="AA"), id="exponent 0"),
        pytest.param(rsa_jwk(e="AQ"), id="exponent 1"),
        pytest.param(rsa_jwk(e="Ag"), id="exponent 2"),
        pytest.param(rsa_jwk(e="BA"), id="exponent 4"),
        pytest.param(rsa_jwk(e=b64int(65538)), id="even exponent"),
        pytest.param(rsa_jwk(e=b64int(2**64 + 1)), id="exponent of 65 bits"),
        pytest.param(rsa_jwk(e=modulus(2048)), id="exponent as long as the modulus"),
        pytest.param(rsa_jwk(n=ABSENT), id="no modulus"),
        pytest.param(rsa_jwk(e=ABSENT), id="no exponent"),
        pytest.param(rsa_jwk(n=""), id="empty modulus"),
        pytest.param(rsa_jwk(e=""), id="empty exponent"),
        pytest.param(rsa_jwk(e=65537), id="exponent as a number"),
        pytest.param(rsa_jwk(n=None), id="modulus null"),
        pytest.param(rsa_jwk(n=["AQ"]), id="modulus a list"),
        pytest.param(rsa_jwk(n="!!"), id="modulus no base64url"),
        pytest.param(rsa_jwk(n="\u00e9"), id="modulus beyond ASCII"),
        pytest.param(rsa_jwk(e="AQAB=="), id="exponent padded"),
        pytest.param(rsa_jwk(e="AQ AB"), id="exponent with a space"),
    ],
)
def test_a_weak_or_broken_rsa_key_is_unusable(key: dict[str, Any]) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(key)


def test_an_rsa_key_of_the_roca_generator_is_unusable() -> None:
    """CVE-2017-15361: primes k * M + 65537^a mod M; the modulus then is a power of 65537 modulo M."""
    product = 1
    for prime in (p for p in range(3, 702, 2) if all(p % q for q in range(3, p, 2))):
        product *= prime
    n = (1 << 2047) - (1 << 2047) % product + pow(65537, 7, product) + 2 * product
    n += 0 if n % 2 else product
    with pytest.raises(UnusableKey, match="ROCA"):
        key_from_jwk(rsa_jwk(n=b64int(n)))


def point(alg: str = "ES256") -> tuple[int, int]:
    numbers = private_key(alg).public_key().public_numbers()
    return numbers.x, numbers.y


K1 = ec.generate_private_key(ec.SECP256K1()).public_key().public_numbers()
P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1


@each_row(
    "key",
    [
        pytest.param(ec_jwk(crv="P-384"), id="a point of P-256 on P-384"),
        pytest.param(ec_jwk("ES384", crv="P-256"), id="a point of P-384 on P-256"),
        pytest.param(ec_jwk(y=b64int(point()[1] ^ 1, 32)), id="a point off the curve"),
        pytest.param(ec_jwk(x=b64(bytes(32)), y=b64(bytes(32))), id="zeros"),
        pytest.param(ec_jwk(x=b64int(P256, 32)), id="a coordinate equal to the prime"),
        pytest.param(ec_jwk(x=b64(b"\xff" * 32)), id="a coordinate beyond the prime"),
        pytest.param(ec_jwk(x=b64int(point()[0], 33)), id="a coordinate of 33 octets"),
        pytest.param(ec_jwk(x=b64(point()[0].to_bytes(32, "big")[:31])), id="a coordinate of 31 octets"),
        pytest.param(ec_jwk(y=ABSENT), id="no y"),
        pytest.param(ec_jwk(x=ABSENT), id="no x"),
        pytest.param(ec_jwk(x=5), id="x a number"),
        pytest.param(ec_jwk(y=None), id="y null"),
        pytest.param(ec_jwk(crv=ABSENT), id="no curve"),
        pytest.param(ec_jwk(crv=["P-256"]), id="curve a list"),
        pytest.param(ec_jwk(crv="p-256"), id="curve in small letters"),
        pytest.param(ec_jwk(crv="P-192"), id="P-192"),
        pytest.param(ec_jwk(crv="Ed25519"), id="Ed25519 as EC"),
        pytest.param(
            {"kty": "EC", "crv": "secp256k1", "x": b64int(K1.x, 32), "y": b64int(K1.y, 32)}, id="secp256k1",
        ),
        pytest.param(
            {"kty": "EC", "crv": "P-256", "x": b64int(K1.x, 32), "y": b64int(K1.y, 32)},
            id="a point of secp256k1 as P-256",
        ),
    ],
)  # fmt: skip
def test_an_elliptic_curve_key_off_its_curve_is_unusable(key: dict[str, Any]) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(key)


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)

#: Every encoding of a point of small order, canonical or not, with either sign of x.
SMALL_ORDER = [
    pytest.param(encoded(y, sign), id=f"{name}, sign {sign}")
    for name, y in {
        "identity": 1,
        "identity as p + 1": P + 1,
        "order 2": P - 1,
        "order 4": 0,
        "order 4 as p": P,
        "order 8": ORDER_8,
        "order 8, the other": P - ORDER_8,
    }.items()
    for sign in (0, 1)
]


@each_row("raw", SMALL_ORDER)
def test_an_ed25519_point_of_small_order_is_unusable(raw: bytes) -> None:
    """cryptography loads them, and under the identity (R = identity, S = 0) verifies everything."""
    with pytest.raises(UnusableKey, match="small order"):
        key_from_jwk(ed_jwk(x=b64(raw)))


def test_the_small_order_table_is_complete() -> None:
    """Double every listed point three times: all end at the identity, and no other y does."""
    d = -121665 * pow(121666, -1, P) % P

    def doubled(y: int) -> int:
        # -x^2 + y^2 = 1 + d x^2 y^2, so x^2 follows from y; y(2P) = (y^2 + x^2) / (1 - d x^2 y^2)
        xx = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        return (y * y + xx) * pow(1 - d * xx * y * y, -1, P) % P

    for raw in SMALL_ORDER:
        y = int.from_bytes(raw.values[0], "little") % 2**255 % P  # type: ignore[arg-type]
        assert doubled(doubled(doubled(y))) == 1
    good = int.from_bytes(private_key("EdDSA").public_key().public_bytes_raw(), "little") % 2**255
    assert doubled(doubled(doubled(good))) != 1


@each_row(
    "key",
    [
        pytest.param(ed_jwk(crv="X25519"), id="X25519 is for agreement"),
        pytest.param(ed_jwk(crv="Ed448"), id="Ed448"),
        pytest.param(ed_jwk(crv=ABSENT), id="no curve"),
        pytest.param(ed_jwk(crv=None), id="curve null"),
        pytest.param(ed_jwk(x=ABSENT), id="no x"),
        pytest.param(ed_jwk(x=b64(bytes(31))), id="31 octets"),
        pytest.param(ed_jwk(x=b64(bytes(33))), id="33 octets"),
        pytest.param(ed_jwk(x=""), id="empty"),
    ],
)
def test_another_octet_key_pair_is_unusable(key: dict[str, Any]) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(key)


# --- meant for something else -------------------------------------------------------------------------


@each_row(
    "purpose",
    [
        pytest.param({}, id="nothing said"),
        pytest.param({"use": "sig"}, id="use sig"),
        pytest.param({"use": "jwt-svid"}, id="use jwt-svid, of SPIFFE"),
        pytest.param({"key_ops": ["verify"]}, id="key_ops verify"),
        pytest.param({"key_ops": ["sign", "verify"]}, id="key_ops sign and verify"),
        pytest.param({"use": "sig", "key_ops": ["verify"]}, id="both"),
        pytest.param({"key_ops": ["verify", "of our own"]}, id="an unknown operation beside"),
        pytest.param({"ext": True, "x5t": "x", "x5c": ["x"], "x5u": "https://x/"}, id="what we do not read"),
    ],
)  # fmt: skip
def test_a_key_for_signatures_is_used(purpose: dict[str, Any]) -> None:
    assert key_from_jwk(rsa_jwk(**purpose)).algorithms == RSA


@each_row(
    "purpose",
    [
        pytest.param({"use": "enc"}, id="use enc"),
        pytest.param({"use": "SIG"}, id="use in capitals"),
        pytest.param({"use": "x509-svid"}, id="use x509-svid, of SPIFFE"),
        pytest.param({"use": ""}, id="use empty"),
        pytest.param({"use": None}, id="use null"),
        pytest.param({"use": ["sig"]}, id="use a list"),
        pytest.param({"key_ops": []}, id="no operation"),
        pytest.param({"key_ops": ["sign"]}, id="sign only"),
        pytest.param({"key_ops": ["encrypt", "wrapKey"]}, id="encryption"),
        pytest.param({"key_ops": "verify"}, id="key_ops a string"),
        pytest.param({"key_ops": None}, id="key_ops null"),
        pytest.param({"key_ops": ["verify", 5]}, id="an operation that is a number"),
        pytest.param({"key_ops": ["verify", "verify"]}, id="an operation twice"),
        pytest.param({"use": "enc", "key_ops": ["verify"]}, id="use and key_ops disagree"),
        pytest.param({"use": "sig", "key_ops": ["encrypt"]}, id="key_ops and use disagree"),
    ],
)
def test_a_key_for_something_else_is_unusable(purpose: dict[str, Any]) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(rsa_jwk(**purpose))


@each_row(
    "key",
    [
        pytest.param({"kty": "oct", "k": b64(bytes(32)), "alg": "HS256", "kid": "k"}, id="a shared secret"),
        pytest.param({"kty": "oct", "k": "", "kid": "k"}, id="an empty shared secret"),
        pytest.param({"kty": "oct", **{m: v for m, v in rsa_jwk().items() if m != "kty"}}, id="oct over RSA members"),
        pytest.param(rsa_jwk(kty=ABSENT), id="no kty"),
        pytest.param(rsa_jwk(kty=None), id="kty null"),
        pytest.param(rsa_jwk(kty=["RSA"]), id="kty a list"),
        pytest.param(rsa_jwk(kty="rsa"), id="kty in small letters"),
        pytest.param(rsa_jwk(kty="EC"), id="RSA members as EC"),
        pytest.param({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, id="a type of the future"),
        pytest.param({}, id="an empty object"),
        pytest.param([], id="a list"),
        pytest.param(None, id="null"),
        pytest.param("RSA", id="a string"),
        pytest.param(5, id="a number"),
        pytest.param(rsa_jwk(kid=""), id="kid empty"),
        pytest.param(rsa_jwk(kid=None), id="kid null"),
        pytest.param(rsa_jwk(kid=5), id="kid a number"),
        pytest.param(rsa_jwk(kid="x" * 257), id="kid too long"),
    ],
)  # fmt: skip
def test_what_is_no_public_key_of_ours_is_unusable(key: Any) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(key)


@each_row("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
def test_of_a_private_key_only_the_public_part_is_kept(member: str) -> None:
    numbers = rsa_key(2048).private_numbers()
    key = key_from_jwk(rsa_jwk(**{member: b64int(numbers.d)}))
    assert key.was_private
    assert isinstance(key.public_key, rsa.RSAPublicKey)
    assert not key_from_jwk(rsa_jwk()).was_private


def test_why_a_key_is_unusable_stays_on_one_short_line() -> None:
    for key in (rsa_jwk(use="x\n" * 100), rsa_jwk(alg="y" * 10_000), {"kty": "z" * 10_000}):
        with pytest.raises(UnusableKey) as why:
            key_from_jwk(key)
        assert len(str(why.value)) < 120
        assert "\n" not in str(why.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(
    st.sampled_from([rsa_jwk(), ec_jwk(), ec_jwk("ES512"), ed_jwk()]),
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "key_ops", "alg", "d"]),
        _JSON | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "P-521", "Ed25519", "AQAB", "sig", "RS256"]),
        min_size=1,
    ),
)  # fmt: skip
def test_any_jwk_is_a_signing_key_or_unusable(key: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        read = key_from_jwk(key | changes)
    except UnusableKey:
        return
    assert read.algorithms <= set(ALGORITHMS)


# --- certificates -----------------------------------------------------------------------------------


def pem(key: Any, **kwargs: Any) -> str:
    return certificate(key, **kwargs).decode()


@each_row(
    ("text", "algorithms"),
    [
        pytest.param(pem(private_key("RS256")), RSA, id="RSA"),
        pytest.param(pem(private_key("ES256")), {"ES256"}, id="P-256"),
        pytest.param(pem(private_key("ES512")), {"ES512"}, id="P-521"),
        pytest.param(pem(private_key("EdDSA")), {"EdDSA"}, id="Ed25519"),
        pytest.param("\n " + pem(private_key("RS256")) + "\n\n", RSA, id="white space around"),
        pytest.param(pem(private_key("RS256")).replace("\n", "\r\n"), RSA, id="Windows line ends"),
        pytest.param(pem(private_key("RS256"), expired=True), RSA, id="expired: the map decides, not the date"),
        pytest.param(pem(private_key("RS256")) + pem(private_key("ES256")), RSA, id="a chain: its first"),
    ],
)  # fmt: skip
def test_the_key_of_a_certificate_is_used(text: str, algorithms: frozenset[str]) -> None:
    key = key_from_pem("k", text)
    assert (key.kid, key.algorithms) == ("k", algorithms)


def der_with_version(version: int) -> str:
    """A certificate whose version number nobody knows."""
    der = x509.load_pem_x509_certificate(certificate(private_key("ES256"))).public_bytes(
        Encoding.DER
    )
    start = der.index(b"\xa0\x03\x02\x01\x02")
    changed_der = der[: start + 4] + bytes([version]) + der[start + 5 :]
    body = base64.encodebytes(changed_der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


@each_row(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("-----BEGIN CERTIFICATE-----", id="cut off"),
        pytest.param("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n", id="no DER"),
        pytest.param("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", id="no base64"),
        pytest.param(pem(private_key("ES256")).replace("CERTIFICATE", "PUBLIC KEY"), id="called a public key"),
        pytest.param(pem(private_key("ES256"))[:200], id="half of it"),
        pytest.param(pem(private_key("ES256")).replace("M", "\u00e9", 1), id="beyond ASCII"),
        pytest.param(pem(rsa_key(1024)), id="RSA of 1024 bits"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256K1())), id="secp256k1"),
        pytest.param(pem(ec.generate_private_key(ec.SECP224R1())), id="P-224"),
        pytest.param(der_with_version(7), id="version 8"),
        pytest.param(None, id="null"),
        pytest.param(5, id="a number"),
        pytest.param([pem(private_key("ES256"))], id="a list"),
        pytest.param({"kty": "RSA"}, id="an object"),
    ],
)  # fmt: skip
def test_another_value_of_the_map_is_unusable(text: Any) -> None:
    with pytest.raises(UnusableKey):
        key_from_pem("k", text)


@pytest.mark.parametrize("kid", ["", "x" * 257])
def test_a_certificate_needs_a_key_id_of_sane_length(kid: str) -> None:
    with pytest.raises(UnusableKey):
        key_from_pem(kid, pem(private_key("ES256")))


@pytest.mark.parametrize(
    "make", [ed448.Ed448PrivateKey.generate, lambda: dsa.generate_private_key(1024)]
)
def test_a_certificate_of_another_key_type_is_unusable(make: Any) -> None:
    key = make()
    name = x509.Name([])
    signer = private_key("ES256")
    built = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)).not_valid_after(datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC))
        .sign(signer, hashes.SHA256())
    )  # fmt: skip
    with pytest.raises(UnusableKey):
        key_from_pem("k", built.public_bytes(Encoding.PEM).decode())


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_for_a_certificate_are_unusable_or_a_key(data: bytes, at: int) -> None:
    der = base64.b64decode("".join(pem(private_key("EdDSA")).splitlines()[1:-1]))
    mutated = base64.encodebytes(der[:at] + data + der[at + len(data) :]).decode()
    try:
        key_from_pem("k", f"-----BEGIN CERTIFICATE-----\n{mutated}-----END CERTIFICATE-----\n")
    except UnusableKey:
        return
