"""PKCS#12 files (RFC 7292), written: a private key, its certificate and those above it, under a password."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from ...errors import BadPassword, KeyFormatTypeNotSupported
from ..keys.formats import read_private
from ..keys.numbers import RSAPrivate
from ..material import KeyMaterial

#: Rounds of PBKDF2 for each of key, certificates and MAC: some 50 ms in all. openssl writes 2,048, Java 10,000.
_ROUNDS = 100_000

#: The types of keys for which the library can make such files.
_TYPES = (
    rsa.RSAPrivateKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)


def write_pkcs12(
    private: KeyMaterial, certificates: Sequence[bytes], friendly_name: str, password: bytes
) -> bytes:
    """The file: PBES2 with AES-256 and SHA-256, which every program reads that is not older than 2018.

    certificates: DER, the key's own first. Takes as long as _ROUNDS say, and for RSA the tests of its primes.
    Raises KeyFormatTypeNotSupported for a key or certificate that the library does not take, BadPassword.
    """
    key = _load(private)
    if not password:
        raise BadPassword("the secret that PKCS12PasswordLink names is empty")
    try:
        password.decode()
    except UnicodeDecodeError:
        raise BadPassword("the secret that PKCS12PasswordLink names is no text in UTF-8") from None
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password)
    )
    try:
        own, *above = [x509.load_der_x509_certificate(each) for each in certificates]
        return pkcs12.serialize_key_and_certificates(
            friendly_name.encode(), key, own, above, encryption
        )
    except (
        ValueError
    ) as exc:  # a certificate that is not as strict as the library reads them, or another key's
        raise KeyFormatTypeNotSupported(
            "the certificate does not go with the key into a PKCS#12"
        ) from exc


def _load(private: KeyMaterial) -> pkcs12.PKCS12PrivateKeyTypes:
    numbers = read_private(private)
    # The library would write one of RSASSA-PSS as a key of rsaEncryption, which is not the certificate's.
    if not (isinstance(numbers, RSAPrivate) and numbers.pss is not None):
        try:
            key = serialization.load_der_private_key(private.reveal(), None)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, _TYPES):
            return key
    raise KeyFormatTypeNotSupported(
        "keys of this kind are not given out as PKCS#12: ask for PKCS_8"
    )
