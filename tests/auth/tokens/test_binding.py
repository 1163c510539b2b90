"""What tokens are bound to, and the comparison to a client certificate."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from kms_tornado.auth.tokens.binding import Binding, check_certificate, encode_digest, read_binding
from kms_tornado.errors import CertificateMissing, UnboundToken, UnknownBinding, WrongCertificate

from ...rows import each_row

DIGEST = encode_digest(b"certificate")
JKT = encode_digest(b"key")


@each_row(
    ("claims", "expected"),
    [
        pytest.param({}, None, id="bound to nothing"),
        pytest.param(
            {"cnf": {"x5t#S256": DIGEST}}, Binding(certificate=DIGEST), id="a certificate"
        ),
        pytest.param({"cnf": {"jkt": JKT}}, Binding(key=JKT), id="a key"),
        pytest.param({"cnf": {"jkt": JKT, "x5t#S256": DIGEST}}, Binding(DIGEST, JKT), id="both"),
        pytest.param({"cnf": None}, UnknownBinding, id="null"),
        pytest.param({"cnf": {}}, UnknownBinding, id="nothing in it"),
        pytest.param({"cnf": []}, UnknownBinding, id="a list"),
        pytest.param({"cnf": JKT}, UnknownBinding, id="a text"),
        pytest.param({"cnf": {"jwk": {"kty": "EC"}}}, UnknownBinding, id="a whole key"),
        pytest.param({"cnf": {"kid": "k"}}, UnknownBinding, id="the name of a key"),
        pytest.param({"cnf": {"jkt": JKT, "kid": "k"}}, UnknownBinding, id="one of two unknown"),
        pytest.param({"cnf": {"x5t": DIGEST}}, UnknownBinding, id="SHA-1 of a certificate"),
        pytest.param({"cnf": {"jkt": None}}, UnknownBinding, id="a key that is null"),
        pytest.param({"cnf": {"jkt": [JKT]}}, UnknownBinding, id="a list of keys"),
        pytest.param({"cnf": {"jkt": f"{JKT}="}}, UnknownBinding, id="padding"),
        pytest.param({"cnf": {"jkt": JKT[:-1]}}, UnknownBinding, id="one character less"),
        pytest.param({"cnf": {"jkt": f"{'A' * 42}B"}}, UnknownBinding, id="another spelling"),
        pytest.param({"cnf": {"x5t#S256": DIGEST.lower() + "/"}}, UnknownBinding, id="base64"),
    ],
)
def test_bindings_are_read_or_refused(claims: dict[str, Any], expected: Any) -> None:
    refuses = isinstance(expected, type)
    with pytest.raises(expected) if refuses else nullcontext():
        assert read_binding(claims, "checked") == expected


def test_tokens_without_a_binding_are_refused_where_one_is_required() -> None:
    with pytest.raises(UnboundToken):
        read_binding({"sub": "alice"}, "required")
    assert read_binding({"cnf": {"jkt": JKT}}, "required") == Binding(key=JKT)


@each_row("confirmation", [{"jkt": JKT}, {}, {"kid": "k"}, None])
def test_no_binding_counts_where_they_are_off(confirmation: Any) -> None:
    assert read_binding({"cnf": confirmation}, "off") is None


def test_the_certificate_is_compared_to_its_digest() -> None:
    binding = Binding(certificate=DIGEST)
    check_certificate(binding, b"certificate")
    with pytest.raises(WrongCertificate):
        check_certificate(binding, b"certificate of somebody else")
    with pytest.raises(CertificateMissing):
        check_certificate(binding, None)
    with pytest.raises(WrongCertificate):
        check_certificate(binding, b"")


def test_a_token_that_is_bound_to_a_key_alone_needs_no_certificate() -> None:
    check_certificate(Binding(key=JKT), None)
