"""Private keys are loaded without tests of their primes, and those whose numbers contradict one another are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kms_tornado.client.key_files.loading import is_consistent, load_der, load_pem, load_ssh

from ...rows import each_row
from .samples import native

#: How a key is written → how it is loaded.
FORMS: dict[str, tuple[Encoding, PrivateFormat, Callable[[bytes, bytes | None], object]]] = {
    "PKCS#8": (Encoding.DER, PrivateFormat.PKCS8, load_der),
    "PKCS#1": (Encoding.DER, PrivateFormat.TraditionalOpenSSL, load_der),
    "PEM": (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, load_pem),
    "OpenSSH": (Encoding.PEM, PrivateFormat.OpenSSH, load_ssh),
}


@dataclasses.dataclass(frozen=True)
class Numbers:
    p: int
    q: int
    d: int
    dmp1: int
    dmq1: int
    iqmp: int
    e: int
    n: int

    def make(self) -> RSAPrivateNumbers:
        return RSAPrivateNumbers(
            self.p, self.q, self.d, self.dmp1, self.dmq1, self.iqmp, RSAPublicNumbers(self.e, self.n)
        )  # fmt: skip


def good() -> Numbers:
    key = native("rsa").private_numbers()
    public = key.public_numbers
    return Numbers(key.p, key.q, key.d, key.dmp1, key.dmq1, key.iqmp, public.e, public.n)


@each_row("form", FORMS)
def test_key_is_loaded_as_it_was_written(form: str) -> None:
    encoding, private_format, load = FORMS[form]
    octets = native("rsa").private_bytes(encoding, private_format, NoEncryption())
    loaded = load(octets, None)
    assert loaded.private_numbers() == native("rsa").private_numbers()  # type: ignore[attr-defined]


@each_row(
    ("form", "name"),
    [
        (form, field.name)
        for form in FORMS
        for field in dataclasses.fields(Numbers)
        if form != "OpenSSH" or field.name not in {"dmp1", "dmq1"}  # which it does not have
    ],
)
def test_key_with_one_number_of_another_is_refused(form: str, name: str) -> None:
    numbers = good()
    wrong = dataclasses.replace(numbers, **{name: getattr(numbers, name) + 2}).make()
    assert not is_consistent(wrong)
    encoding, private_format, load = FORMS[form]
    try:
        key = wrong.private_key(unsafe_skip_rsa_key_validation=True)
        octets = key.private_bytes(encoding, private_format, NoEncryption())
    except ValueError:
        return  # the library makes no such file
    with pytest.raises(ValueError, match=r"."):
        load(octets, None)


@each_row("prime", [1, 2])
def test_number_that_is_no_prime_of_a_key_is_refused(prime: int) -> None:
    numbers = good()
    assert not is_consistent(dataclasses.replace(numbers, p=prime).make())
    assert not is_consistent(dataclasses.replace(numbers, q=prime, n=numbers.p * prime).make())


def test_private_exponent_may_be_the_one_of_either_standard() -> None:
    """d is any inverse of e modulo the least common multiple; others have that of the product (RFC 8017 §3.2)."""
    numbers = good()
    larger = pow(numbers.e, -1, (numbers.p - 1) * (numbers.q - 1))
    assert is_consistent(dataclasses.replace(numbers, d=larger).make())
