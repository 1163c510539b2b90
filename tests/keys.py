"""Keys that sign tokens in tests, made once a process: RSA generation is slow."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
CURVE_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64int(number: int, size: int | None = None) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def private_key(alg: str, name: str = "first") -> Any:
    """A private key that serves `alg`; the same for the same arguments, RS* and PS* share."""
    if alg[:2] in {"RS", "PS"}:
        return rsa_key(2048, name)
    return _other_key(alg, name)


def rsa_key(bits: int, name: str = "first") -> rsa.RSAPrivateKey:
    return _rsa_key(bits, name)


# The caches take no defaults: functools.cache tells f(1) and f(1, "first") apart.
@functools.cache
def _rsa_key(bits: int, name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@functools.cache
def _other_key(alg: str, name: str) -> Any:
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg])
    return ed25519.Ed25519PrivateKey.generate()


def jwk(alg: str, kid: str | None = "k1", name: str = "first", **members: Any) -> dict[str, Any]:
    """The public JWK; `members` add to it, and take away where they are None."""
    public = private_key(alg, name).public_key()
    if alg[:2] in {"RS", "PS"}:
        numbers = public.public_numbers()
        key = {"kty": "RSA", "n": b64int(numbers.n), "e": b64int(numbers.e)}
    elif alg in CURVES:
        numbers = public.public_numbers()
        size = (CURVES[alg].key_size + 7) // 8
        key = {
            "kty": "EC",
            "crv": CURVE_NAMES[alg],
            "x": b64int(numbers.x, size),
            "y": b64int(numbers.y, size),
        }
    else:
        key = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
    key = {"use": "sig", "alg": alg, **key, **({"kid": kid} if kid is not None else {}), **members}
    return {name: value for name, value in key.items() if value is not None}


def sign(signing_input: bytes, alg: str, key: Any) -> bytes:
    if alg.startswith("RS"):
        return key.sign(signing_input, padding.PKCS1v15(), HASHES[alg[2:]])
    if alg.startswith("PS"):
        digest = HASHES[alg[2:]]
        return key.sign(
            signing_input, padding.PSS(padding.MGF1(digest), digest.digest_size), digest
        )
    if alg.startswith("ES"):
        r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(HASHES[alg[2:]])))
        size = (CURVES[alg].key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(signing_input)


def compact(
    header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, alg: str, key: Any
) -> str:
    """A signed token; bytes stand as they are, so that odd JSON can be signed, too."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signing_input = ".".join(parts)
    return signing_input + "." + b64(sign(signing_input.encode(), alg, key))


def certificate(
    key: Any,
    *,
    names: tuple[str, ...] = ("localhost",),
    addresses: tuple[str, ...] = ("127.0.0.1",),
    expired: bool = False,
    ends_in_days: int = 10,
) -> bytes:
    """A self-signed PEM certificate of the key."""
    import ipaddress

    now = datetime.datetime.now(datetime.UTC)
    start, end = (-20, -10) if expired else (-1, ends_in_days)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=start))
        .not_valid_after(now + datetime.timedelta(days=end))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM)


def private_pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
