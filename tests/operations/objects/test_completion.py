"""RSA private keys that lack numbers, registered and given out in every format, and completed on a thread."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import padding

from kms_tornado.crypto.keys.rsa_numbers import is_complete
from kms_tornado.errors import InvalidField, Unavailable
from kms_tornado.kmip.enums import KeyFormatType
from kms_tornado.kmip.key_material import TransparentRSAPrivateKey
from kms_tornado.kmip.objects import (
    KeyBlock,
    KeyValue,
    PrivateKey,
    PublicKey,
    encode_key_value,
)
from kms_tornado.operations.objects.completion import complete_numbers

from ...keys import rsa_key
from ...kmip_items import name, number, octets, structure, uid
from ..new_objects import big, got, key_block, refused, registered

NUMBERS = rsa_key(2048).private_numbers()
N, E = NUMBERS.public_numbers.n, NUMBERS.public_numbers.e
SETS = {
    "n, d": [big("PrivateExponent", NUMBERS.d)],
    "n, d, e": [big("PrivateExponent", NUMBERS.d), big("PublicExponent", E)],
    "n, p, q, e": [big("PublicExponent", E), big("P", NUMBERS.p), big("Q", NUMBERS.q)],
    "n, dp, dq": [big("PrimeExponentP", NUMBERS.dmp1), big("PrimeExponentQ", NUMBERS.dmq1)],
}


def private_key(*numbers, n=N):
    return structure(
        "PrivateKey",
        key_block(
            "TransparentRSAPrivateKey",
            big("Modulus", n),
            *numbers,
            algorithm="RSA",
            length=n.bit_length(),
        ),
    )


@pytest.mark.parametrize("numbers", SETS.values(), ids=SETS)
def test_key_that_lacks_numbers_is_given_out_whole_in_every_format(alice, numbers):
    key = registered(alice, "PrivateKey", private_key(*numbers))
    value = ("KeyBlock", "KeyValue", "KeyMaterial")
    transparent = got(alice, key)["ResponsePayload", "PrivateKey"]
    tags = {item["tag"] for item in _find(transparent, *value)}
    assert tags == {
        "Modulus", "PrivateExponent", "PublicExponent", "P", "Q", "PrimeExponentP", "PrimeExponentQ",
        "CRTCoefficient",
    }  # fmt: skip
    for key_format in ("PKCS_1", "PKCS_8"):
        block = got(alice, key, name("KeyFormatType", key_format))["ResponsePayload", "PrivateKey"]
        loaded = s.load_der_private_key(bytes.fromhex(_find(block, *value)), None)
        assert loaded.private_numbers().public_numbers == NUMBERS.public_numbers
        assert {loaded.private_numbers().p, loaded.private_numbers().q} == {NUMBERS.p, NUMBERS.q}


def _find(items, *tags):
    for tag in tags:
        (items,) = [item["value"] for item in items if item["tag"] == tag]
    return items


def test_key_made_of_its_private_exponent_signs(alice):
    key = registered(alice, "PrivateKey", private_key(*SETS["n, d"]))
    alice.do("Activate", uid(key))
    assert alice.do("Sign", uid(key), octets("Data", b"data")).octets("SignatureData")


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (private_key(big("PrivateExponent", NUMBERS.d + 2)), "PublicExponent is missing"),
        (private_key(big("PrivateExponent", NUMBERS.d), n=N - 2), "PublicExponent is missing"),
        (private_key(*SETS["n, d, e"], n=N - 2), "contradict each other"),
        (private_key(), "needs PrivateExponent, or P and Q"),
        (private_key(big("PrivateExponent", 5), n=35), "512 to 8192 bits"),
        (private_key(big("PrivateExponent", 5), n=(1 << 16383) + 1), "512 to 8192 bits"),
    ],
)
def test_numbers_that_make_no_key_are_refused_in_words(alice, held, words):
    reason, message = refused(alice, "PrivateKey", held)
    assert reason in {"InvalidField", "MissingData"}
    assert words in message


@pytest.mark.parametrize("wrap_type", ["NotWrapped", "AsRegistered"])
def test_key_that_was_wrapped_without_its_primes_signs(alice, wrap_type):
    """The TTLV of a KeyValue is what was wrapped; it may stay wrapped until it is used."""
    kek = alice.import_key("", bytes(32))
    value = encode_key_value(KeyValue(TransparentRSAPrivateKey(N, NUMBERS.d, E)))
    held = structure(
        "PrivateKey",
        structure(
            "KeyBlock",
            name("KeyFormatType", "TransparentRSAPrivateKey"),
            octets("KeyValue", keywrap.aes_key_wrap_with_padding(bytes(32), value)),
            name("CryptographicAlgorithm", "RSA"),
            number("CryptographicLength", 2048),
            structure(
                "KeyWrappingData",
                name("WrappingMethod", "Encrypt"),
                structure("EncryptionKeyInformation", uid(kek)),
                name("EncodingOption", "TTLVEncoding"),
            ),
        ),
    )
    mask = {"tag": "CryptographicUsageMask", "type": "Integer", "value": "Sign"}
    made = alice.do(
        "Import",
        uid(""),
        name("ObjectType", "PrivateKey"),
        name("KeyWrapType", wrap_type),
        structure("Attributes", mask),
        held,
    )
    signature = alice.do("Sign", uid(made.uid), octets("Data", b"data")).octets("SignatureData")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    rsa_key(2048).public_key().verify(signature, b"data", pss, hashes.SHA256())


class Threads:
    """A call that counts what it is asked to run on a thread."""

    def __init__(self, *, busy=False):
        self.jobs, self.busy = [], busy

    async def offload(self, function, *, heavy=False):
        self.jobs.append(heavy)
        if self.busy:
            raise Unavailable("busy")
        return function()


def completed(call, key, cls=PrivateKey):
    block = KeyBlock(KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY, key_value=KeyValue(key))
    coroutine = complete_numbers(call, cls(block))
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value.key_block.key_value.key_material


WHOLE = TransparentRSAPrivateKey(
    N, NUMBERS.d, E, NUMBERS.p, NUMBERS.q, NUMBERS.dmp1, NUMBERS.dmq1, NUMBERS.iqmp
)


@pytest.mark.parametrize(
    ("missing", "jobs"),
    [
        pytest.param((), [], id="none"),
        pytest.param(("public_exponent",), [False], id="an exponent"),
        pytest.param(("p", "q"), [True], id="the primes"),
    ],
)
def test_only_the_search_for_primes_is_heavy_work(missing, jobs):
    call = Threads()
    key = completed(call, dataclasses.replace(WHOLE, **dict.fromkeys(missing)))
    assert is_complete(key)
    assert call.jobs == jobs


def test_public_keys_and_octets_pass_as_they_are():
    call = Threads()
    assert completed(call, WHOLE, PublicKey) is WHOLE
    assert not call.jobs


def test_what_makes_no_key_is_refused_before_it_waits_for_a_thread():
    call = Threads(busy=True)
    with pytest.raises(InvalidField):
        completed(call, TransparentRSAPrivateKey(35, 5, 5))
    assert not call.jobs
    with pytest.raises(Unavailable):
        completed(call, dataclasses.replace(WHOLE, p=None, q=None))
