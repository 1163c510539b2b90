"""Keys that sign tokens in tests, made once a process, and those of RSA from primes that are there already."""

from __future__ import annotations

import base64
import datetime
import functools
import itertools
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


#: Of 1,024 bits each. Two of them are a key at once, where to search for two takes 100 ms; nobody but tests may use them.
_PRIMES = (
    0xbd7a8606728cf391d8cf2eaccda907d6bf047154d7e047dc065d19f343055575f2187b5895609e2c40d9a6e39e287d493bc5a2a29eefb7e7102493745f97c0322498bc4256ee82e1dedad6950026f458bac18d1296e3eee17b1fabd8335b6bd8d5f722f0ef9e0b6a73adfe0f625f7727238e7058b39c7ceae96ed813ffd04d8b,
    0xcb65f66f08e4062088fa1f812f18e5adb9f2ffd6b8288e6b4c9e912bb55148848f3dad439b97ca38561010ed186fc227f4f2138c4deac6f5ad33c77aee1d4b3444745e175013ee22dc306558801714c6c5f85dd77840d61ff9161dd7569e5d28ee4dd26b4de4efd335d0f80bb134dc4aad2b04147814b99f9d09247289faa593,
    0xe40a357bc2351667c0dfd0b16ea8bcc18d2c50f4e6b7b0582ae128d555c598192d8ab8f0022f6b9bf461cf5a508ed3b2bf4805a0d55053259926411ac65cd4e7fe2f75dcda4a938e009c1b314a27b3061a762bc7e2cc2cedbb68141f653a64ce933efb5e99c0051bb36eeda10229a593bd56c87b8f6cf79403724fc45212b209,
    0xe46ece2a7b3f857558f5e5062201d4f595274598f7af7294e3bfd78564d84030f6382c04584886f172429d84765213fca72fd200871a2b233894b6376177ec00d6d5ac2a0c76e79e976c0ea096a0673804db8365d084effe4b65f911d377c6842f38c3564e42d78bf884359f9f0f2832f3fb0bd72b1a6ca370a2412f4fc08f3f,
    0xe75857e90e46ab2a86b919afbebf11434ad979fdb8250afcce99a1a9fea96fb85ab12e33ca058e0347aaccc0ed4e76a1f66934bbebfdeffa23a82b1acf026e4c88cf93bb8022f2b58e04afd45ec6a1267348b5e34301c2480fa9a60c019bbdeb348567cc236b6a872ff29423b21e0607ef066fe698925d74ed3c5cb9c1d4b491,
    0xebb2f2c3b4e00220375c4a5cad4edbc79855338eb233fba491c8d8aff9a621b765bc4e66a699b2ec6441f08e210e0c12a5bf165b18dcb751b299379924d5c2f85f4834a2a3597126694f3a17b29e1c0efa3cdc0dce0996db5a85673f5879b7b59681561cd4801418c6c61de478b90c8b5d2878ca3d9a6c62f40af86e1414232b,
    0xf3973320fac7a7ef925c28ee5a68ba6eb2b37aa700c8a04d55bcb6bfb205e20ff06bf3cdf71389a8737446e41bfe8cc312fd3386b43ee97a8afaf074a03251e87253ae1b8d35ab2ba331f4af56cd272dcf9ac16d022bcc54cae1fff49a45bd687f9e07225634ded3d3d40c9c59ba4af2ce2241364c54d356aa6fdb33ee4df7ad,
    0xf8682ee69ef666a9ff0beb8d779e0192f5e2fd0f37c143ed2c8686376a513170e6d1173ee478d47ff44cf3a7f9922caf1fb697e0bcc1ec99ba1f916d2cf8908e01f687764e129c0120e90e6b64b590002c57b2017f904eed8e53b8adb6d03d28e3660b5f8ac22a4a743a3a77a51438c362c49a69edd8fb93499e44937cb6547b,
)  # fmt: skip
_LONGER_PRIMES = (  # of 1,536 bits
    0xc9224abb9dee66c9d895785c411088eba18cbb2ff9815deec0114f23ddeea6fbaff9ff4309d76c22c86cbc83762f0eb58d587dea670e81a9a194287f9ea78f7b7c2a545d6cdf6744ec62953f7b0c2bb76a1d66a86a463da5d6e18aec5f6445d792dba066d5d9ea20195c064e12fbf2575b35350731350dfab45cd3ff5ec6a0fa3320866fcd56ed561c333305f8c6dbc59caeaa1574ce7a8c9240fd20fee8a36d1ec7b8b497fb2d052c63d096b74e39b5812112e98d7a77bba8411df411c71e41,
    0xc2837299af32b0c84e7e56b1b7306bd14b215bc8d149935711e0131e6c54c8c5c871c9033531db4d48894ebf21f5928eaf30a347801ff04501d15a4372eca9361d245e3df8cff06bae15296d453bc47e0968b281a2950fd90026ae5b17b2d214900f25511c5514b96214e1eb2ab9358574fae72f29d9e677a979cb8014dcc21717600cffddc8f34b752c4c303e7785763c70fcbf2dbd81d85af39a65caca12a9adfc61806f539584da2814d6127a1fefff4524b6a4cee65194867162631b04e1,
)  # fmt: skip
_unused_pairs = {2048: itertools.combinations(_PRIMES, 2), 3072: iter([_LONGER_PRIMES])}


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
    pair = next(_unused_pairs.get(bits, iter(())), None)
    return rsa.generate_private_key(65537, bits) if pair is None else _make_rsa_key(*pair)


def _make_rsa_key(p: int, q: int) -> rsa.RSAPrivateKey:
    exponent = rsa.rsa_recover_private_exponent(65537, p, q)
    return rsa.RSAPrivateNumbers(
        p, q, exponent, exponent % (p - 1), exponent % (q - 1), pow(q, -1, p),
        rsa.RSAPublicNumbers(65537, p * q),
    ).private_key(unsafe_skip_rsa_key_validation=True)  # fmt: skip


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
