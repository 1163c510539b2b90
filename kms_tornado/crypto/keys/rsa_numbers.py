"""The arithmetic of RSA private keys: whether the numbers fit together, and those that were not sent.

    sent                      what follows
    n, p, q (, e or d)        d = e⁻¹ or e = d⁻¹, modulo λ(n) = lcm(p - 1, q - 1); e is 65537 where nothing tells it
    n, d (, e)                p and q: a multiple of λ(n), such as e·d - 1, shows them
    n, dp, dq (, e)           p and q: g^(e·dp) and g are equal modulo p, and not modulo q

These are the sets of KMIP 2.1 §3.7, with the formulas of RFC 8017 §3.2. A private exponent may be given modulo
λ(n) or modulo φ(n): it fits either way, and is kept as it came. What was computed must fit together; a set in
which nothing is missing is stored as it came (see `transparent`). No prime is tested.

Python computes a power in one call, during which no other thread runs. So the powers here are computed in
steps of about a millisecond, and between two of them the event loop has its turn. What a request may cost
is bounded by the length of the modulus and by the number of powers: one for numbers that contradict each
other, and one more for a modulus that is a power of one prime.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import fields
from math import gcd, lcm

from ...errors import InvalidField, MissingData
from ...kmip.key_material import TransparentRSAPrivateKey
from .numbers import MAX_STORED_BITS, RSAPrivate

#: The least and the greatest length of a modulus, in bits. Shorter ones are no keys; for longer ones, a single step
#: takes over 20 ms.
MIN_COMPLETED_BITS, MAX_COMPLETED_BITS = 512, 8192
#: The longest modulus whose primes are searched for, in bits. A power then takes half a second, and with twice as
#: many bits four.
MAX_SEARCHED_BITS = 4096
MAX_EXPONENT_BITS = 256  # FIPS 186-5 §5.4

#: Public exponents that are tried where only private ones were sent, those in use first.
_USUAL_EXPONENTS = (65537, 3, 17, 5, 257, 35, 37, 41)
_DEFAULT_EXPONENT = _USUAL_EXPONENTS[0]

#: Half of the bases show the primes, or more. So many fail with a chance of 2^-64.
_MAX_BASES = 64


def is_complete(key: TransparentRSAPrivateKey) -> bool:
    return all(getattr(key, field.name) is not None for field in fields(key))


def has_primes(key: TransparentRSAPrivateKey) -> bool:
    return key.p is not None or key.q is not None


def _has_prime_exponents(key: TransparentRSAPrivateKey) -> bool:
    return None not in {key.prime_exponent_p, key.prime_exponent_q}


def check_can_be_completed(key: TransparentRSAPrivateKey) -> None:
    """Refuse, within microseconds, numbers from which no key can be made. Raises InvalidField, MissingData."""
    n, e = key.modulus, key.public_exponent
    numbers = [number for field in fields(key) if (number := getattr(key, field.name)) is not None]
    if any(number < 0 or number.bit_length() > MAX_STORED_BITS for number in numbers):
        raise InvalidField(
            f"a key's numbers have at most {MAX_STORED_BITS} bits and are not negative: a BigInteger is signed, so a"
            " number whose first bit is set begins with zeros"
        )
    if not MIN_COMPLETED_BITS <= n.bit_length() <= MAX_COMPLETED_BITS:
        raise InvalidField(
            f"an RSA key has {MIN_COMPLETED_BITS} to {MAX_COMPLETED_BITS} bits where numbers of it are missing:"
            " send all eight of another one"
        )
    if not has_primes(key) and n.bit_length() > MAX_SEARCHED_BITS:
        raise InvalidField(
            f"the primes of an RSA key of over {MAX_SEARCHED_BITS} bits are not searched for: send P and Q, too"
        )
    if not n & 1 or any(number >= n for number in numbers[1:]):
        raise _contradiction()
    if e is not None and (not e & 1 or e < 3 or e.bit_length() > MAX_EXPONENT_BITS):
        raise InvalidField(
            f"PublicExponent is an odd number from 3 on, of at most {MAX_EXPONENT_BITS} bits"
        )
    if not (has_primes(key) or key.private_exponent is not None or _has_prime_exponents(key)):
        raise MissingData(
            "an RSA private key needs PrivateExponent, or P and Q, or PrimeExponentP and PrimeExponentQ"
        )


def complete_rsa_private(key: TransparentRSAPrivateKey) -> RSAPrivate:
    """All eight numbers, which fit together.

    This can take seconds, so run it on a thread. Raises InvalidField, MissingData.
    """
    check_can_be_completed(key)
    try:
        if has_primes(key):
            return _complete(key, *_find_second_prime(key))
        if key.private_exponent is not None:
            return _complete_from_exponent(key, key.private_exponent)
        return _complete_from_prime_exponents(key)
    except (ValueError, ZeroDivisionError):  # no inverse
        raise _contradiction() from None


def is_consistent(key: RSAPrivate) -> bool:
    """Whether the numbers fit together, in a few multiplications."""
    p, q = key.p, key.q
    return (
        p * q == key.n
        and p != q
        and bool(p & q & 1)
        and min(p, q) > 2
        and 1 < key.d < key.n
        and key.d % (p - 1) == key.dp
        and key.d % (q - 1) == key.dq
        and key.dp * key.e % (p - 1) == 1
        and key.dq * key.e % (q - 1) == 1
        and key.qi < p
        and key.qi * q % p == 1
    )


# --- from the primes ----------------------------------------------------------------------------


def _find_second_prime(key: TransparentRSAPrivateKey) -> tuple[int, int]:
    p, q = key.p, key.q
    if p is None:
        assert q is not None
        return key.modulus // q, q
    return p, key.modulus // p if q is None else q


def _complete(key: TransparentRSAPrivateKey, p: int, q: int, e: int | None = None) -> RSAPrivate:
    """All eight numbers. e: the public exponent, if it was found.

    Raises InvalidField, ValueError, ZeroDivisionError.
    """
    if p * q != key.modulus or p == q or min(p, q) < 3:
        raise _contradiction()
    period = lcm(p - 1, q - 1)
    d, dp, dq, qi = (
        key.private_exponent, key.prime_exponent_p, key.prime_exponent_q, key.crt_coefficient,
    )  # fmt: skip
    e = e or key.public_exponent
    if e is None:
        if d is not None:
            e = pow(d, -1, period)
        else:
            e = _DEFAULT_EXPONENT if dp is None else pow(dp, -1, p - 1)
    d = pow(e, -1, period) if d is None else d
    dp = d % (p - 1) if dp is None else dp
    dq = d % (q - 1) if dq is None else dq
    qi = pow(q, -1, p) if qi is None else qi
    completed = RSAPrivate(key.modulus, e, d, p, q, dp, dq, qi)
    if e < 3 or not is_consistent(completed):
        raise _contradiction()
    return completed


# --- from exponents -----------------------------------------------------------------------------


def _complete_from_exponent(key: TransparentRSAPrivateKey, d: int) -> RSAPrivate:
    e = key.public_exponent or _find_public_exponent(key.modulus, d)
    p = _factor(key.modulus, e * d - 1)
    q = key.modulus // p
    try:
        return _complete(key, max(p, q), min(p, q), e)
    except (InvalidField, ValueError):  # the other numbers may be for the primes in the other order
        return _complete(key, min(p, q), max(p, q), e)


def _find_public_exponent(n: int, d: int) -> int:
    base = 2
    power = _power(base, d, n)
    for e in _USUAL_EXPONENTS:
        if pow(power, e, n) == base:
            return e
    raise MissingData("PublicExponent is missing, and is none of the usual ones")


def _factor(n: int, multiple: int) -> int:
    """One of the two prime factors of n. multiple: of λ(n), if the numbers belong to a key. Raises InvalidField."""
    odd, twos = multiple, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    for count, base in enumerate(_choose_bases(n)):
        if count == 1:
            _check_not_power_of_prime(n)
        power = _power(base, odd, n)
        for _ in range(twos):
            root, power = power, power * power % n
            if power == 1:
                break
        else:
            if power != 1:
                raise _contradiction()
            continue
        factor = gcd(root - 1, n)
        if 1 < factor < n:
            return factor
    raise _contradiction()


def _check_not_power_of_prime(n: int) -> None:
    """Refuse a prime or the power of a prime, of which no base shows a factor: the only roots of 1 are 1 and -1."""
    if gcd(_power(2, n, n) - 2, n) != 1:
        raise _contradiction()


def _complete_from_prime_exponents(key: TransparentRSAPrivateKey) -> RSAPrivate:
    n, dp = key.modulus, key.prime_exponent_p
    assert dp is not None
    base = 2
    power = _power(base, dp, n)
    known = key.public_exponent
    for e in (known,) if known is not None else _USUAL_EXPONENTS:
        factor = gcd(pow(power, e, n) - base, n)
        if 1 < factor < n:
            # Both exponents give d, by the Chinese remainder theorem; `_complete` compares them.
            return _complete(key, factor, n // factor, e)
    if known is None:
        raise MissingData("PublicExponent is missing, and is none of the usual ones")
    raise _contradiction()


# --- arithmetic ---------------------------------------------------------------------------------


def _choose_bases(n: int) -> Iterator[int]:
    for _ in range(_MAX_BASES):
        yield 2 + secrets.randbelow((1 << 30) - 2)  # short ones multiply fast


def _power(base: int, exponent: int, n: int) -> int:
    """pow(base, exponent, n), computed so that other threads can run. base: short.

    A thread that only releases the interpreter's lock has it back before another one has woken up. So this one sleeps,
    for a tenth of the time that it computes.
    """
    steps_at_once = max(1, (1 << 27) // n.bit_length() ** 2)  # about a millisecond
    result = 1
    for count, bit in enumerate(f"{exponent:b}"):
        result = result * result % n
        if bit == "1":
            result = result * base % n
        if count % steps_at_once == 0:
            time.sleep(0.00002)
    return result


def _contradiction() -> InvalidField:
    return InvalidField("the numbers of the RSA key contradict each other")
