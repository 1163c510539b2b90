"""The key that signs checkpoints: what is one, and what is refused as none."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kms_tornado.audit.signing import make_private_pem, parse_private_pem, parse_public_pem

_LOCKED = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
)
_CURVE = generate_private_key(SECP256R1())
_OTHER = _CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_OTHER_PUBLIC = _CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_public_half_is_read_from_either_half() -> None:
    pem = make_private_pem()
    public = parse_private_pem(pem).public
    assert parse_public_pem(pem).fingerprint == public.fingerprint
    assert parse_public_pem(public.to_pem()).fingerprint == public.fingerprint


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "no private key in PEM", id="nothing"),
        pytest.param(b"\xff\x00", "no private key in PEM", id="octets"),
        pytest.param(make_private_pem()[:60], "no private key in PEM", id="cut off"),
        pytest.param(_LOCKED, "without a password", id="under a password"),
        pytest.param(_OTHER, "no Ed25519 key", id="of another kind"),
        pytest.param(_OTHER_PUBLIC, "no private key in PEM", id="a public one"),
    ],
)
def test_what_is_no_signing_key_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_private_pem(content)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "no public key in PEM", id="nothing"),
        pytest.param(_OTHER_PUBLIC[:40], "no public key in PEM", id="cut off"),
        pytest.param(_OTHER_PUBLIC, "no Ed25519 key", id="of another kind"),
        pytest.param(_LOCKED, "is no", id="a private one under a password"),
    ],
)
def test_what_is_no_public_key_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_public_pem(content)
