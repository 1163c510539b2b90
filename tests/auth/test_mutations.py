"""Tokens changed in every way that a machine thinks of: none is accepted, all raise one type.

A few thousand in the normal run; 100,000 with ``tox -e soak``. The seed is fixed, so that a failure
comes again; the mutation's number is in the message.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable

import pytest

from kms_tornado.errors import InvalidToken

from ..keys import b64, jwk
from ..rows import each_row
from .samples import ISSUER, key_set, token, trust, verify

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
SETTINGS = trust()
KEYS = key_set(*(jwk(alg, f"k-{alg}") for alg in ALGORITHMS))
GOOD = [token(alg=alg, header={"kid": f"k-{alg}"}) for alg in ALGORITHMS]
OTHERS = [
    token(alg=alg, header={"kid": f"k-{alg}"}, claims={"sub": "mallory"}) for alg in ALGORITHMS
]

Mutation = Callable[[random.Random, str], str]


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def flip_character(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + chr(rng.choice([*range(33, 127), 0, 10, 233])) + text[at + 1 :]


def cut(rng: random.Random, text: str) -> str:
    start = rng.randrange(len(text))
    return text[:start] + text[start + rng.randrange(1, 40) :]


def repeat(rng: random.Random, text: str) -> str:
    start = rng.randrange(len(text))
    piece = text[start : start + rng.randrange(1, 60)]
    at = rng.randrange(len(text))
    return text[:at] + piece + text[at:]


def splice(rng: random.Random, text: str) -> str:
    """Parts of another token, good or not."""
    parts, others = text.split("."), rng.choice([*GOOD, *OTHERS]).split(".")
    return ".".join(rng.choice([mine, other]) for mine, other in zip(parts, others, strict=True))


def flip_byte(rng: random.Random, text: str) -> str:
    parts = text.split(".")
    index = rng.randrange(3)
    data = bytearray(decode(parts[index]))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    parts[index] = b64(bytes(data))
    return ".".join(parts)


def resize_signature(rng: random.Random, text: str) -> str:
    head, _, signature = text.rpartition(".")
    data = decode(signature)
    changed = rng.choice(
        [
            b"",
            data[:-1],
            data[1:],
            data + b"\0",
            b"\0" + data,
            data * 2,
            bytes(len(data)),
            data[::-1],
        ]
    )
    return f"{head}.{b64(changed)}"


def edit_json(rng: random.Random, text: str) -> str:
    """Another header or payload under the old signature."""
    parts = text.split(".")
    index = rng.randrange(2)
    members = json.loads(decode(parts[index]))
    name = rng.choice([*members, "crit", "b64", "jwk", "jku", "kid", "alg", "sub", "aud", "x5c"])
    members[name] = rng.choice(
        [None, True, 0, -1, 1e308, "", "none", "HS256", "RS256", "alice", [], {}, ["a"], "\u0000"]
    )
    parts[index] = b64(
        json.dumps(members, separators=rng.choice([(",", ":"), (", ", ": ")])).encode()
    )
    return ".".join(parts)


def respell_json(rng: random.Random, text: str) -> str:
    """The same members written otherwise: the signature is over the bytes, not over their meaning."""
    parts = text.split(".")
    index = rng.randrange(2)
    data = decode(parts[index])
    changed = rng.choice(
        [
            b" " + data,
            data + b"\n",
            data[:-1] + b',"sub":"mallory"}',
            data.replace(b":", b" :", 1),
            b"\xef\xbb\xbf" + data,
            data.decode().encode("utf-16"),
            b"[" * rng.randrange(1, 2000) + data,
        ]
    )
    parts[index] = b64(changed)
    return ".".join(parts)


def respell_base64(rng: random.Random, text: str) -> str:
    parts = text.split(".")
    index = rng.randrange(3)
    parts[index] = rng.choice(
        [
            parts[index] + "=",
            parts[index] + "==",
            parts[index].replace("-", "+").replace("_", "/") + "=",
            parts[index][:-1] + chr(ord(parts[index][-1]) ^ 1),
            parts[index][:7] + "\n" + parts[index][7:],
            "",
        ]
    )
    return rng.choice([".", ".", "..", " . "]).join(parts)


MUTATIONS: list[Mutation] = [
    flip_character,
    cut,
    repeat,
    splice,
    flip_byte,
    resize_signature,
    edit_json,
    respell_json,
    respell_base64,
]


def run(number: int) -> int:
    """Try so many mutations; how many differed from every good token."""
    rng = random.Random(20261123)
    good = {*GOOD, *OTHERS}
    tried = 0
    for index in range(number):
        text = rng.choice(GOOD)
        names = []
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            mutation = rng.choice(MUTATIONS)
            names.append(mutation.__name__)
            try:
                text = mutation(rng, text)
            except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
                break  # an earlier mutation left nothing for this one to work on
        if text in good:
            continue
        tried += 1
        try:
            verify(text, SETTINGS, {ISSUER: KEYS})
        except InvalidToken:
            continue
        except BaseException as exc:
            raise AssertionError(f"mutation {index} ({names}) raised {exc!r}") from exc
        raise AssertionError(f"mutation {index} ({names}) was accepted")
    return tried


@each_row("text", GOOD, ids=ALGORITHMS)
def test_token_that_was_not_changed_is_accepted(text: str) -> None:
    assert verify(text, SETTINGS, {ISSUER: KEYS}).name == "alice"


def test_no_mutation_is_accepted_and_all_raise_one_type() -> None:
    assert run(5_000) > 4_000


@pytest.mark.soak
def test_no_mutation_of_a_hundred_thousand_is_accepted() -> None:
    assert run(125_000) >= 100_000
