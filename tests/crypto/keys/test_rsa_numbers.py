"""RSA private keys of which numbers are missing: every set of KMIP 2.1 §3.7, and what makes no key."""

from __future__ import annotations

import dataclasses
import itertools
import time
from math import gcd, lcm

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys import rsa_numbers
from kms_tornado.crypto.keys.loading import load_private
from kms_tornado.crypto.keys.numbers import RSAPrivate
from kms_tornado.crypto.keys.rsa_numbers import (
    MAX_SEARCHED_BITS,
    complete_rsa_private,
    is_complete,
    is_consistent,
)
from kms_tornado.crypto.keys.transparent import parse_transparent, render_transparent
from kms_tornado.errors import InvalidField, MissingData
from kms_tornado.kmip.enums import KeyFormatType as F
from kms_tornado.kmip.key_material import TransparentRSAPrivateKey

from ...keys import rsa_key
from ...rows import each_row

#: Our short names of the fields, as RFC 8017 has them.
FIELDS = {
    "n": "modulus",
    "d": "private_exponent",
    "e": "public_exponent",
    "p": "p",
    "q": "q",
    "dp": "prime_exponent_p",
    "dq": "prime_exponent_q",
    "qi": "crt_coefficient",
}
_NUMBERS = rsa_key(2048).private_numbers()
P, Q, E = _NUMBERS.p, _NUMBERS.q, 65537
N, PERIOD, PHI = P * Q, lcm(P - 1, Q - 1), (P - 1) * (Q - 1)
D = pow(E, -1, PERIOD)
WHOLE = {
    "n": N,
    "e": E,
    "d": D,
    "p": P,
    "q": Q,
    "dp": D % (P - 1),
    "dq": D % (Q - 1),
    "qi": pow(Q, -1, P),
}


def key_of(**numbers) -> TransparentRSAPrivateKey:
    return TransparentRSAPrivateKey(**{FIELDS[name]: value for name, value in numbers.items()})


def part(*names, **changes):
    return key_of(**{name: WHOLE[name] for name in names} | changes)


@each_row(
    "names",
    [
        "n d e", "n d", "n p q e", "n p q d", "n p q", "n p q dp dq", "n dp dq qi p q", "n dp dq e",
        "n dp dq", "n dp dq qi", "n dp dq qi e", "n p e", "n q e", "n q d", "n d e qi", "n d e dp dq",
        "n d e p q dp dq", "n e p q dp dq qi", "n d p q dp dq qi",
    ],
)  # fmt: skip
def test_every_set_makes_the_whole_key(names):
    key = complete_rsa_private(part(*names.split()))
    assert (key.n, key.e, {key.p, key.q}) == (N, E, {P, Q})
    assert is_consistent(key)
    assert key.d in ({D} if "d" in names.split() else {pow(E, -1, PERIOD)})
    assert load_private(key_formats.encode_canonical(key)).private_numbers().p == key.p
    again = render_transparent(key, F.TRANSPARENT_RSA_PRIVATE_KEY)
    assert is_complete(again)
    assert parse_transparent(again) == key


@each_row("names", ["n d", "n d e", "n p q d", "n p q d dp dq qi", "n d e p q dp dq qi"])
@each_row("period", ["lambda", "phi"])
def test_private_exponent_modulo_lambda_or_phi_is_kept_as_it_came(names, period):
    d = pow(E, -1, {"lambda": PERIOD, "phi": PHI}[period])
    key = parse_transparent(part(*names.split(), d=d))
    assert (key.d, key.e, {key.p, key.q}) == (d, E, {P, Q})


def test_missing_private_exponent_is_computed_modulo_lambda():
    assert complete_rsa_private(part("n", "p", "q", "e")).d == pow(E, -1, PERIOD)


def test_missing_public_exponent_follows_from_either_private_exponent():
    """Modulo φ, the inverse of an exponent modulo λ is a number of 2048 bits."""
    e = 257
    p, q = find_primes(e, [(1 << 256) + 297, (1 << 257) + 155])
    for period in (lcm(p - 1, q - 1), (p - 1) * (q - 1)):
        key = complete_rsa_private(key_of(n=p * q, p=p, q=q, d=pow(e, -1, period)))
        assert key.e == e


def find_primes(e, starts):
    """The next ones. Those who start at one are quick."""
    found = []
    for start in starts:
        candidate = start | 1
        while not (pow(3, candidate - 1, candidate) == 1 and gcd(candidate - 1, e) == 1):
            candidate += 2
        found.append(candidate)
    return found


@each_row("e", [3, 17, 257, 65537])
@each_row("names", ["n d", "n dp dq"])
def test_usual_public_exponent_is_found_out(names, e):
    p, q = find_primes(e, [(1 << 256) + 297, (1 << 257) + 155])
    d = pow(e, -1, lcm(p - 1, q - 1))
    numbers = {"n": p * q, "d": d, "dp": d % (p - 1), "dq": d % (q - 1)}
    key = complete_rsa_private(key_of(**{name: numbers[name] for name in names.split()}))
    assert (key.e, {key.p, key.q}) == (e, {p, q})


def test_unusual_public_exponent_is_asked_for():
    p, q = find_primes(65539, [(1 << 256) + 297, (1 << 257) + 155])
    d = pow(65539, -1, lcm(p - 1, q - 1))
    with pytest.raises(MissingData, match="PublicExponent is missing"):
        complete_rsa_private(key_of(n=p * q, d=d))
    assert complete_rsa_private(key_of(n=p * q, d=d, e=65539)).p in {p, q}


OTHER = rsa.generate_private_key(E, 2048).private_numbers()
PRIMES = find_primes(E, [(1 << 256) + 297, (1 << 257) + 155, (1 << 258) + 73])
OF_THREE = PRIMES[0] * PRIMES[1] * PRIMES[2]
D_OF_THREE = pow(E, -1, lcm(*(prime - 1 for prime in PRIMES)))
SQUARE = PRIMES[0] ** 2


@each_row(
    "key",
    [
        pytest.param(part("e", "d", n=OTHER.public_numbers.n), id="d of another modulus"),
        pytest.param(part("n", "e", d=D + 2), id="d is wrong"),
        pytest.param(part("n", "e", d=0), id="d is zero"),
        pytest.param(part("n", "e", d=1), id="d is one"),
        pytest.param(part("n", "e", d=D + N), id="d above n"),
        pytest.param(part("n", d=D + 2, e=3), id="e of another key"),
        pytest.param(part("n", "p", "e", q=OTHER.q), id="q of another key"),
        pytest.param(part("n", "e", p=OTHER.p), id="p divides nothing"),
        pytest.param(part("n", "e", p=0), id="p is zero"),
        pytest.param(part("n", "e", p=1), id="p is one"),
        pytest.param(part("n", "e", p=1, q=N - 2), id="p is one, q is nearly n"),
        pytest.param(part("n", "e", p=N, q=1), id="p is n"),
        pytest.param(part("n", "p", "q", "e", dp=5), id="dp is wrong"),
        pytest.param(part("n", "p", "q", "d", dq=5), id="dq is wrong"),
        pytest.param(part("n", "p", "q", "d", "e", qi=5), id="qi is wrong"),
        pytest.param(part("n", "p", "q", "d", e=3), id="e is wrong"),
        pytest.param(part("n", "e", "dq", dp=5), id="dp of no key"),
        pytest.param(part("n", "e", "dp", dq=5), id="dq of no key"),
        pytest.param(part("n", "d", e=1), id="e is one"),
        pytest.param(part("n", "p", "q", e=1), id="e is one, with primes"),
        pytest.param(part("n", "p", "q", e=0), id="e is zero"),
        pytest.param(part("n", "p", "q", e=65536), id="e is even"),
        pytest.param(part("n", "p", "q", e=(1 << 300) + 1), id="e is long"),
        pytest.param(part("e", "d", n=N + 1), id="n is even"),
        pytest.param(key_of(n=35, d=5, e=5), id="n is tiny"),
        pytest.param(key_of(n=0, d=5, e=5), id="n is zero"),
        pytest.param(part("n", "e", d=-D), id="d is negative"),
        pytest.param(part("d", "e", n=-N), id="n is negative"),
        pytest.param(key_of(n=OF_THREE, d=D_OF_THREE, e=E), id="three primes"),
        pytest.param(key_of(n=OF_THREE, p=PRIMES[0], q=PRIMES[1], e=E), id="two primes of three"),
        pytest.param(key_of(n=SQUARE, d=pow(E, -1, PRIMES[0] * (PRIMES[0] - 1)), e=E), id="a square"),
        pytest.param(key_of(n=SQUARE, p=PRIMES[0], q=PRIMES[0], e=E), id="p is q"),
        pytest.param(
            key_of(n=(prime := find_primes(E, [(1 << 520) + 513])[0]), d=pow(E, -1, prime - 1), e=E),
            id="n is prime",
        ),
        pytest.param(key_of(n=(1 << 4096) + 1, d=5, e=E), id="n of 4097 bits"),
        pytest.param(key_of(n=(1 << 8192) + 1, p=5, e=E), id="n of 8193 bits"),
        pytest.param(key_of(n=(1 << 16383) + 1, d=5, e=E), id="n of 16384 bits"),
        pytest.param(key_of(n=(1 << 100_000) + 1, d=5, e=E), id="n of 100,000 bits"),
        pytest.param(part("n", "e", d=1 << 100_000), id="d of 100,000 bits"),
        pytest.param(part("n", "e", "p", q=1 << 100_000), id="q of 100,000 bits"),
        pytest.param(part(*WHOLE, q=1 << 100_000), id="whole set, q of 100,000 bits"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_key_are_refused(key):
    with pytest.raises(InvalidField) as caught:
        parse_transparent(key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", ["n", "n e", "n dp", "n dq e", "n qi", "n dp qi e"])
def test_set_that_says_too_little_is_told_what_is_missing(names):
    with pytest.raises(MissingData, match="needs PrivateExponent, or P and Q, or PrimeExponentP"):
        complete_rsa_private(part(*names.split()))


def test_key_of_which_the_primes_are_none_is_kept_where_the_numbers_fit():
    """As that of profile case BL-M-9. Only the use of such a key shows it."""
    p, q = PRIMES[0] * 3, PRIMES[1] * 5
    e = 65537
    key = complete_rsa_private(key_of(n=p * q, p=p, q=q, e=e))
    assert is_consistent(key)
    assert (key.p, key.q) == (p, q)


def test_secret_numbers_are_in_no_error():
    with pytest.raises(InvalidField) as caught:
        complete_rsa_private(part("n", "e", d=D + 2))
    assert str(D + 2) not in str(caught.value)


@pytest.mark.parametrize("names", ["n d e", "n d", "n dp dq e", "n dp dq"])
def test_other_threads_have_their_turn_while_primes_are_computed(names, monkeypatch):
    """With the longest modulus; exponents that take a tenth of a second do, as the steps are as long."""
    numbers = {
        "n": (1 << MAX_SEARCHED_BITS) - 1,
        "d": (1 << 300) + 1,
        "dp": 3 << 300,
        "dq": 5,
        "e": E,
    }
    key = key_of(**{name: numbers[name] for name in names.split()})
    turns = [time.thread_time()]  # what this thread worked, whatever else runs on the machine
    monkeypatch.setattr(rsa_numbers.time, "sleep", lambda _: turns.append(time.thread_time()))
    with pytest.raises((InvalidField, MissingData)):
        complete_rsa_private(key)
    turns.append(time.thread_time())
    assert len(turns) > 30
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) < 0.02


def test_whole_set_is_kept_as_it_came():
    """Its use shows what it is worth: see `loading`."""
    assert parse_transparent(part(*WHOLE, d=D + 2)).d == D + 2


def test_numbers_of_a_whole_set_are_checked_in_milliseconds():
    p, q = (1 << 8191) + 1, (1 << 8190) + 1
    key = RSAPrivate(p * q, E, p * q - 2, p, q, 3, 3, 3)
    before = time.process_time()
    assert not is_consistent(key)
    assert not is_consistent(dataclasses.replace(key, dp=key.d % (p - 1), dq=key.d % (q - 1)))
    assert time.process_time() - before < 0.05
