"""Key separation: of all that the server computes with one key, nothing shows what another use of it hides.

Every pair of functions stands in VERDICTS, by families. The functions come from the code's own tables, so that a new
technique, method, mode or operation fails here until somebody has said what separates it from all others.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import struct

import pytest
from cryptography.hazmat.primitives import serialization

from kms_tornado.crypto.encryption import ciphers, key_wrapping
from kms_tornado.crypto.encryption.key_wrapping import WrapAlgorithm
from kms_tornado.crypto.encryption.rsa_encryption import choose_rsa_encryption, rsa_decrypt
from kms_tornado.crypto.encryption.suites import SUITES, CipherKind
from kms_tornado.crypto.hashes import HASHES
from kms_tornado.crypto.mac import HMACS, MACSuite, compute_mac
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.policy import Technique
from kms_tornado.crypto.signing.schemes import SignatureAlgorithm
from kms_tornado.crypto.signing.signatures import Signer
from kms_tornado.errors import CryptographicFailure
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    MaskGenerator,
    Operation,
    PaddingMethod,
)
from kms_tornado.kmip.structures import CryptographicParameters
from kms_tornado.operations.common.derivation_methods import METHODS
from kms_tornado.service.catalogue import select_operations

from ..keys import rsa_key
from ..kmip_items import attributes, flag, name, number, octets, structure, uid
from ..rows import each_row
from .deriving import a_key, a_secret, attribute, cryptographic, data, derived, wanted
from .new_objects import told
from .objects.wrapping import under

KEY = bytes(range(32))
MATERIAL = KeyMaterial(KEY)
M, T = CryptographicUsageMask, Technique
DERIVE = int(M.DERIVE_KEY)
UNRESTRICTED = int(M.UNRESTRICTED)

# --- all functions, from the code's tables ------------------------------------------------------

#: What is computed with a secret key → its techniques.
FAMILIES = {
    "derivation": {rule.technique for rule in METHODS.values()},
    "HMAC": {T.HMAC},
    "CMAC": {T.AES_CMAC},
    "blocks": {each.technique for each in SUITES.values() if each.kind is CipherKind.BLOCKS},
    "key stream": {each.technique for each in SUITES.values() if each.has_nonce} | {T.CHACHA20},
    "wrapping": {T.AES_KW, T.AES_KWP, T.AES_GCM},
    "digest": set(),
    "signature": {T.RSA_PSS, T.RSA_PKCS1_V1_5_SIGNATURE, T.ECDSA, T.EDDSA},
    "RSA decryption": {T.RSA_OAEP, T.RSA_PKCS1_V1_5_ENCRYPTION},
}
#: They compute nothing: they restrict a technique, or have no key.
NO_FUNCTION = {
    T.GCM_SHORT_TAG, T.GCM_SHORT_IV, T.GCM_LONG_IV, T.TDES, T.SHA_1_SIGNATURE, T.HASH
}  # fmt: skip

#: Operation → what it computes with the key that it is for. Get and Export wrap, Import and Register unwrap.
COMPUTES = {
    Operation.ENCRYPT: {"blocks", "key stream"},
    Operation.DECRYPT: {"blocks", "key stream", "RSA decryption"},
    Operation.SIGN: {"signature"},
    Operation.SIGNATURE_VERIFY: set(),
    Operation.MAC: {"HMAC", "CMAC"},
    Operation.MAC_VERIFY: {"HMAC", "CMAC"},
    Operation.DERIVE_KEY: {"derivation"},
    Operation.GET: {"wrapping"},
    Operation.EXPORT: {"wrapping", "digest"},
    Operation.GET_ATTRIBUTES: {"digest"},
    Operation.GET_ATTRIBUTE_LIST: set(),
    Operation.IMPORT: {"wrapping", "RSA decryption"},
    Operation.REGISTER: {"wrapping", "RSA decryption"},
    Operation.CREATE: {"wrapping"},
    **dict.fromkeys(
        (
            Operation.CREATE_KEY_PAIR, Operation.LOCATE, Operation.ADD_ATTRIBUTE,
            Operation.SET_ATTRIBUTE, Operation.MODIFY_ATTRIBUTE, Operation.DELETE_ATTRIBUTE,
            Operation.ADJUST_ATTRIBUTE, Operation.GET_USAGE_ALLOCATION, Operation.ARCHIVE, Operation.RECOVER,
            Operation.CHECK, Operation.OBTAIN_LEASE, Operation.ACTIVATE, Operation.REVOKE, Operation.DESTROY,
            Operation.RE_KEY, Operation.RE_KEY_KEY_PAIR, Operation.QUERY, Operation.DISCOVER_VERSIONS,
            Operation.HASH, Operation.RNG_RETRIEVE, Operation.RNG_SEED,
        ),
        frozenset(),
    ),
}  # fmt: skip

SYMMETRIC = ["derivation", "HMAC", "CMAC", "blocks", "key stream", "wrapping", "digest"]
PRIVATE = ["signature", "RSA decryption", "digest"]

#: Pair of families → what keeps their results apart.
VERDICTS = {
    ("derivation", "derivation"): "both hidden",
    **{("derivation", each): "not with one key" for each in SYMMETRIC[1:-1]},
    ("derivation", "digest"): "no digest",
    ("HMAC", "HMAC"): "other results",
    ("HMAC", "CMAC"): "other results",
    ("HMAC", "blocks"): "other results",
    ("HMAC", "key stream"): "other results",
    ("HMAC", "wrapping"): "other results",
    ("CMAC", "CMAC"): "one function",
    ("CMAC", "blocks"): "other results",
    ("CMAC", "key stream"): "other results",
    ("CMAC", "wrapping"): "other results",
    ("blocks", "blocks"): "both rights",
    ("blocks", "key stream"): "both rights",
    ("blocks", "wrapping"): "wraps only",
    ("key stream", "key stream"): "one nonce",
    ("key stream", "wrapping"): "wraps only",
    ("wrapping", "wrapping"): "other results",
    **{(each, "digest"): "no digest" for each in SYMMETRIC[1:]},
    ("signature", "signature"): "other results",
    ("signature", "RSA decryption"): "padding",
    ("RSA decryption", "RSA decryption"): "padding",
    ("signature", "digest"): "no digest",
    ("RSA decryption", "digest"): "no digest",
}


def test_every_technique_is_in_a_family():
    assert set(Technique) == NO_FUNCTION | set().union(*FAMILIES.values())


def test_every_operation_says_what_it_computes():
    assert set(select_operations(kmip_interop=False)) == set(COMPUTES)
    assert set().union(*COMPUTES.values()) == set(FAMILIES)


def test_every_way_to_wrap_and_to_sign_is_known():
    assert {each.name for each in WrapAlgorithm} == {"KW", "KWP", "GCM", "RSA", "RSA_AES"}
    assert {each.name for each in SignatureAlgorithm} == {
        "PSS", "PKCS1", "ECDSA", "ED25519", "ED448",
    }  # fmt: skip


def test_every_pair_of_families_has_a_verdict():
    pairs = {
        pair
        for families in (SYMMETRIC, PRIVATE)
        for pair in itertools.combinations_with_replacement(families, 2)
    }
    assert set(VERDICTS) == pairs


# --- derivation and the rest: not with one key --------------------------------------------------

#: Method → what it takes besides the hash. A new method belongs here, and into COINCIDING.
GIVEN = {
    DerivationMethod.PBKDF2: [octets("Salt", b"salt"), number("IterationCount", 1)],
    DerivationMethod.HASH: [],
    DerivationMethod.HMAC: [data(b"data")],
    DerivationMethod.ENCRYPT: [cryptographic(mode="ECB"), data(bytes(32))],
    DerivationMethod.NIST800_108_C: [data(b"data")],
    DerivationMethod.HKDF: [data(b"info")],
}
NAMES = {
    DerivationMethod.NIST800_108_C: "NIST800_108_C", **{
        each: each.name for each in GIVEN if each is not DerivationMethod.NIST800_108_C
    },
}  # fmt: skip
HIDDEN = {"Sensitive": flag("Sensitive", True), "not Extractable": flag("Extractable", False)}
METHOD_ROWS = [pytest.param(each, id=NAMES[each]) for each in GIVEN]


def test_every_method_is_in_the_tables():
    assert set(METHODS) == set(GIVEN) == set(COINCIDING)


def how(method, **more):
    return {"method": NAMES[method], "given": GIVEN[method], **more}


@each_row("method", METHOD_ROWS)
@each_row(
    "mask",
    [
        *(pytest.param(DERIVE | int(bit), id=bit.name) for bit in M if bit is not M.DERIVE_KEY),
        pytest.param(UNRESTRICTED, id="Unrestricted alone"),
    ],
)
def test_hidden_object_is_derived_from_no_key_that_does_anything_else(carol, method, mask):
    base = a_key(carol, KEY, mask)
    for hiding in HIDDEN.values():
        line = carol.refused("DeriveKey", *wanted(base, **how(method, more=[hiding])))
        assert line.startswith(("Incompatible_Cryptographic_Usage_Mask: ", "Sensitive: "))
    for hiding in HIDDEN.values():
        base = a_key(carol, KEY, mask, hiding)
        line = carol.refused("DeriveKey", *wanted(base, **how(method)))
        assert line.startswith(("Incompatible_Cryptographic_Usage_Mask: ", "Sensitive: "))


@each_row("method", METHOD_ROWS)
@each_row("hiding", HIDDEN.values(), ids=HIDDEN)
def test_key_that_derives_alone_makes_hidden_objects_by_every_method_but_the_hash(
    carol, method, hiding
):
    for base, more in (
        (a_key(carol, KEY, DERIVE, hiding), []),
        (a_key(carol, KEY, DERIVE), [hiding]),
    ):
        items = wanted(base, **how(method, more=more))
        if method is DerivationMethod.HASH:
            line = carol.refused("DeriveKey", *items)
            assert line.startswith(
                "Sensitive: a Sensitive object, or one that is not Extractable, is"
            )
        else:
            made = carol.do("DeriveKey", *items).uid
            assert carol.refused("Get", uid(made)).startswith(("Sensitive: ", "Not_Extractable: "))


#: What else a key may be used for → the request, which a key that derives alone refuses.
USES = {
    "HMAC": ("MAC", [cryptographic(algorithm="HMACSHA256"), octets("Data", b"x")]),
    "CMAC": ("MAC", [octets("Data", b"x")]),
    "MACVerify": ("MACVerify", [octets("Data", b"x"), octets("MACData", bytes(16))]),
    "blocks": ("Encrypt", [cryptographic(mode="ECB"), octets("Data", bytes(16))]),
    "key stream": ("Encrypt", [octets("Data", b"x")]),
    "Decrypt": ("Decrypt", [cryptographic(mode="ECB"), octets("Data", bytes(16))]),
}


@pytest.mark.parametrize("use", USES)
def test_key_that_derives_alone_does_nothing_else(carol, use):
    operation, items = USES[use]
    line = carol.refused(operation, uid(a_key(carol)), *items)
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_key_that_derives_alone_wraps_nothing(carol):
    line = carol.refused("Get", uid(carol.create()), under(a_key(carol)))
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def mac(user, key, message, algorithm="HMACSHA256"):
    more = [] if algorithm is None else [cryptographic(algorithm=algorithm)]
    return user.do("MAC", uid(key), *more, octets("Data", message)).octets("MACData")


def encrypt_blocks(user, key, message):
    items = [cryptographic(mode="ECB"), octets("Data", message)]
    return user.do("Encrypt", uid(key), *items).octets("Data")


#: Method → the same bytes by another function with the same key; None: no other function gives them.
COINCIDING = {
    DerivationMethod.PBKDF2: lambda user, key: mac(user, key, b"salt" + struct.pack(">I", 1)),
    DerivationMethod.HASH: lambda user, key: bytes.fromhex(told(user, key)),
    DerivationMethod.HMAC: lambda user, key: mac(user, key, b"data"),
    DerivationMethod.ENCRYPT: lambda user, key: encrypt_blocks(user, key, bytes(32)),
    DerivationMethod.NIST800_108_C: lambda user, key: mac(
        user, key, struct.pack(">I", 1) + b"data"
    ),
    DerivationMethod.HKDF: None,
}


@pytest.mark.parametrize("method", METHOD_ROWS)
def test_readable_results_of_a_mixed_base_are_what_the_standards_say(carol, method):
    """So the rules above are needed: of these pairs one shows the other."""
    base = a_key(carol, KEY, DERIVE | int(M.MAC_GENERATE | M.ENCRYPT))
    made = carol.key_of(derived(carol, base, **how(method)))
    same = COINCIDING[method]
    if same is None:
        extracted = hmac.digest(bytes(32), KEY, "sha256")
        assert made == hmac.digest(extracted, b"info\x01", "sha256")
    else:
        assert made == same(carol, base)


# --- derivation and derivation: both hidden -----------------------------------------------------


@each_row("hiding", HIDDEN.values(), ids=HIDDEN)
@each_row("first", [each for each in GIVEN if each is not DerivationMethod.HASH])
@each_row("second", GIVEN)
def test_one_base_gives_hidden_or_readable_objects_never_both(carol, first, second, hiding):
    base = a_key(carol)
    assert carol.do("DeriveKey", *wanted(base, **how(first, more=[hiding])))
    line = carol.refused("DeriveKey", *wanted(base, **how(second)))
    assert line.startswith("Sensitive: what was derived from this base is Sensitive")
    other = a_key(carol)
    assert carol.key_of(derived(carol, other, **how(second)))
    line = carol.refused("DeriveKey", *wanted(other, **how(first, more=[hiding])))
    assert line.startswith("Sensitive: what was derived from this base can be read")


def test_base_that_becomes_sensitive_after_readable_results_derives_no_more(alice):
    base = a_key(alice)
    items = how(DerivationMethod.HMAC)
    assert derived(alice, base, **items)
    alice.do("SetAttribute", uid(base), structure("NewAttribute", flag("Sensitive", True)))
    line = alice.refused("DeriveKey", *wanted(base, **items))
    assert line.startswith("Sensitive: what was derived from this base can be read")


def test_hidden_results_go_on_being_derived(alice):
    for base, more in (
        (a_key(alice, KEY, DERIVE, HIDDEN["Sensitive"]), []),
        (a_key(alice), [HIDDEN["Sensitive"]]),
    ):
        for _ in range(3):
            assert derived(alice, base, **how(DerivationMethod.HKDF, more=more))


def test_record_of_a_base_is_no_tag_of_the_users(alice):
    base = a_key(alice)
    derived(alice, base, **how(DerivationMethod.HKDF, more=[HIDDEN["Sensitive"]]))
    assert alice.do("GetAttributes", uid(base)).tags("Attributes") is None


@pytest.mark.parametrize("hiding", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("whose", ["base", "result"])
def test_right_to_derive_gives_no_twin_of_a_hidden_object(kms, alice, hiding, whose):
    """With a mask of its own choice, the twin would decrypt what the owner's key may only encrypt."""
    base = a_key(alice, KEY, DERIVE, *([hiding] if whose == "base" else []))
    more = [hiding] if whose == "result" else []
    given = how(DerivationMethod.HKDF, more=more)
    bob = kms.user()
    alice.grant(base, bob, "derive_key")
    line = bob.refused("DeriveKey", *wanted(base, **given))
    assert line.startswith(
        "Permission_Denied: a Sensitive object, or one that is not Extractable, is"
    )
    made = derived(alice, base, **given)
    for each in ([], [hiding]):
        line = bob.refused("DeriveKey", *wanted(base, **how(DerivationMethod.HKDF, more=each)))
        assert line.startswith(("Permission_Denied: ", "Sensitive: "))
    alice.grant(made, bob, "encrypt")
    assert bob.encrypt(made, b"x"), "the owner grants the use of what was derived"


def test_right_to_derive_gives_nothing_hidden_with_secret_data_of_others(kms, alice):
    secret, bob = a_secret(alice, b"context" * 4, HIDDEN["Sensitive"]), kms.user()
    alice.grant(secret, bob, "derive_key")
    line = bob.refused("DeriveKey", *wanted(a_key(bob), secret))
    assert line.startswith("Permission_Denied: ")
    assert derived(alice, a_key(alice), secret)


@pytest.mark.parametrize("more", [[], [HIDDEN["Sensitive"]]], ids=["readable", "hidden"])
def test_first_step_of_hkdf_is_given_to_nobody_as_an_hmac_of_the_base(kms, alice, more):
    """HMAC with the salt as its key and the base as its data: from there on HKDF needs no secret."""
    base, salt, bob = a_secret(alice, b"base" * 8), b"salt" * 8, kms.user()
    alice.grant(base, bob, "derive_key")
    hkdf = {"method": "HKDF", "given": [octets("Salt", salt), data(b"info")]}
    assert derived(alice, base, **hkdf, more=[HIDDEN["Sensitive"]])
    for user in (alice, bob):
        items = wanted(a_key(user, salt), base, more=more)
        if user is alice and more:
            assert user.do("DeriveKey", *items), "her own hidden object"
        else:
            assert user.refused("DeriveKey", *items).startswith(
                ("Sensitive: ", "Permission_Denied")
            )


def test_base_whose_hmac_was_given_out_gives_nothing_hidden(kms, alice):
    base, salt, bob = a_secret(alice, b"base" * 8), b"salt" * 8, kms.user()
    alice.grant(base, bob, "derive_key")
    extracted = bob.key_of(derived(bob, a_key(bob, salt), base))
    assert extracted == hmac.digest(salt, b"base" * 8, "sha256")
    hkdf = {"method": "HKDF", "given": [octets("Salt", salt), data(b"info")]}
    line = alice.refused("DeriveKey", *wanted(base, **hkdf, more=[HIDDEN["Sensitive"]]))
    assert line.startswith("Sensitive: what was derived from this base can be read")
    opened = alice.key_of(derived(alice, base, **hkdf))
    assert opened == hmac.digest(extracted, b"info\x01", "sha256")


def test_secret_data_that_hides_the_result_derives_alone(alice):
    mask = number("CryptographicUsageMask", DERIVE | int(M.MAC_GENERATE))
    both = alice.do(
        "Register",
        name("ObjectType", "SecretData"),
        structure("Attributes", mask, HIDDEN["Sensitive"]),
        structure(
            "Object",
            name("SecretDataType", "Password"),
            structure(
                "KeyBlock",
                name("KeyFormatType", "Raw"),
                structure("KeyValue", structure("KeyMaterial", octets("ByteString", bytes(16)))),
            ),
        ),
    ).uid
    line = alice.refused("DeriveKey", *wanted(a_key(alice), both))
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_secret_data_without_a_mask_derives_and_makes_no_mac(alice):
    secret = alice.do(
        "Register",
        name("ObjectType", "SecretData"),
        attributes(HIDDEN["Sensitive"], algorithm=None),
        structure(
            "Object",
            name("SecretDataType", "Password"),
            structure(
                "KeyBlock",
                name("KeyFormatType", "Raw"),
                structure("KeyValue", structure("KeyMaterial", octets("ByteString", b"secret"))),
            ),
        ),
    ).uid
    assert attribute(alice, secret, "CryptographicUsageMask") == DERIVE
    assert derived(alice, secret, **how(DerivationMethod.HKDF))
    operation, items = USES["HMAC"]
    line = alice.refused(operation, uid(secret), *items)
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


@pytest.mark.parametrize("hiding", HIDDEN.values(), ids=HIDDEN)
def test_hidden_object_is_too_long_to_guess_also_where_only_the_request_hides_it(alice, hiding):
    for bits, is_made in ((104, False), (112, True)):
        asked = how(DerivationMethod.HKDF, kind="SecretData", bits=bits, more=[hiding])
        answer = alice.send(structure("DeriveKey", *wanted(a_key(alice), **asked)))
        assert (answer.status == 200) is is_made


def test_who_derives_by_encryption_reads_no_key_stream(permissive, carol):
    """Counter blocks, encrypted, are the key stream of the owner's GCM under the same key."""
    both, alone = a_key(carol, KEY, DERIVE | int(M.ENCRYPT)), a_key(carol)
    bob, given = permissive.user(), how(DerivationMethod.ENCRYPT)
    for base in (both, alone):
        carol.grant(base, bob, "derive_key")
        assert derived(carol, base, **given)
    line = bob.refused("DeriveKey", *wanted(both, **given))
    assert line.startswith("Permission_Denied: derivation by encryption")
    assert derived(bob, alone, **given)


# --- no digest ----------------------------------------------------------------------------------


@each_row("mask", [DERIVE, int(M.MAC_GENERATE), int(M.ENCRYPT), int(M.WRAP_KEY)])
@each_row("hiding", HIDDEN.values(), ids=HIDDEN)
def test_hidden_key_has_no_digest_whatever_its_use(alice, mask, hiding):
    assert told(alice, a_key(alice, KEY, mask, hiding)) is None
    assert told(alice, a_key(alice, KEY, mask)) == hashlib.sha256(KEY).hexdigest().upper()


def test_digest_is_no_key_of_any_hmac(carol):
    """An HMAC would hash a longer key, to what its Digest is: RFC 2104 §2."""
    long = bytes(range(65))
    digest = carol.import_key("", hashlib.sha256(long).digest(), algorithm="HMACSHA256")
    assert mac(carol, digest, b"x", None) == hmac.digest(long, b"x", "sha256")
    key = carol.import_key(
        "", long, number("CryptographicUsageMask", UNRESTRICTED), algorithm="HMACSHA256"
    )
    refused = "Unsupported_Cryptographic_Parameters: an HMAC with SHA_256 takes keys of at most 64"
    for operation, items in (USES["HMAC"], USES["MACVerify"]):
        assert carol.refused(operation, uid(key), *items).startswith(refused)
    for method in (DerivationMethod.HMAC, DerivationMethod.PBKDF2, DerivationMethod.NIST800_108_C):
        line = carol.refused("DeriveKey", *wanted(key, **how(method)))
        assert line.startswith(refused)
    assert derived(carol, key, **how(DerivationMethod.HKDF)), "there it is no key of the HMAC"
    assert mac(carol, key, b"x", "HMACSHA512") == hmac.digest(long, b"x", "sha512")


# --- other results ------------------------------------------------------------------------------


def mac_results(message):
    suites = {name_.name: MACSuite(hash_) for name_, hash_ in HMACS.items()} | {
        "CMAC": MACSuite(None)
    }
    return {label: compute_mac(suite, MATERIAL, message) for label, suite in suites.items()}


def cipher_results(message):
    """Of each suite with a key of 32 bytes, under an IV of zeros and, where there is a counter, at 0."""
    return {
        f"{algorithm.name} {mode}": ciphers.encrypt(
            suite, MATERIAL, message, b"", bytes(suite.new_iv_bytes) or None
        ).ciphertext
        for (algorithm, mode), suite in SUITES.items()
        if 32 in suite.key_lengths
    }


def wrap_results(message):
    """Without the nonce of GCM, which is random."""
    return {
        "KW": key_wrapping.wrap_kw(MATERIAL, message),
        "KWP": key_wrapping.wrap_kwp(MATERIAL, message),
    }


#: Two blocks that a caller would choose to meet another function's first step.
MESSAGES = [
    bytes(32),
    bytes(12) + struct.pack(">I", 1) + bytes(12) + struct.pack(">I", 2),  # GCM's counter blocks
    b"\xa6" * 8 + bytes(24),  # the first step of AES-KW (RFC 3394 §2.2.3.1)
    b"\xa6\x59\x59\xa6\0\0\0\x20" + bytes(24),  # of AES-KWP (RFC 5649 §3)
    b"\x80" + bytes(31),  # padding of CMAC and of the hashes
]


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
def test_macs_give_no_bytes_of_each_other_or_of_a_cipher(message):
    """No prefix, and no block, so that no truncated result coincides either."""
    macs = mac_results(message)
    others = {**cipher_results(message), **wrap_results(message)}
    for one, other in itertools.combinations(macs, 2):
        assert macs[one][:8] != macs[other][:8], (one, other)
    for label, other in itertools.product(macs, others):
        blocks = [others[other][n : n + 16] for n in range(0, len(others[other]), 16)]
        assert macs[label][:16] not in blocks, (label, other)


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
def test_wrapping_gives_no_block_of_the_other_wrapping(message):
    wrapped = wrap_results(message)
    assert wrapped["KW"][:8] != wrapped["KWP"][:8]


def test_hashes_of_one_length_differ():
    """SHA-512/256 is not the start of SHA-512, nor is SHA-224 that of SHA-256, and so with their HMACs."""
    for first, second in itertools.combinations(HASHES, 2):
        results = [compute_mac(MACSuite(each), MATERIAL, b"x") for each in (first, second)]
        size = min(map(len, results))
        assert results[0][:size] != results[1][:size]


def test_one_aes_key_makes_one_cmac():
    assert {suite for suite in map(MACSuite, [None, *HMACS.values()]) if suite.hash is None} == {
        MACSuite(None)
    }


# --- both rights, one nonce, wraps only ---------------------------------------------------------


@pytest.mark.parametrize("mode", ["ECB", "CBC"])
def test_blocks_of_ones_choice_are_encrypted_for_those_who_may_decrypt(permissive, carol, mode):
    """ECB of a counter block is the key stream of GCM and CTR (see also test_nonces)."""
    sealed = SUITES[CryptographicAlgorithm.AES, None]
    stream = ciphers.encrypt(sealed, MATERIAL, bytes(16), b"", bytes(12)).ciphertext
    ecb = next(
        suite
        for (algorithm, _), suite in SUITES.items()
        if suite.technique is T.AES_ECB and algorithm is CryptographicAlgorithm.AES
    )
    block = bytes(12) + struct.pack(">I", 2)
    assert ciphers.encrypt(ecb, MATERIAL, block, b"", None).ciphertext == stream
    key, bob = carol.import_key("", KEY), permissive.user()
    carol.grant(key, bob, "encrypt")
    items = [cryptographic(mode=mode), octets("Data", block)]
    assert bob.refused("Encrypt", uid(key), *items).startswith("Permission_Denied: ")
    bound = carol.import_key("", KEY, cryptographic(mode="GCM"))
    line = carol.refused("Encrypt", uid(bound), *items)
    assert line.startswith("Bad_Cryptographic_Parameters: ")


@pytest.mark.parametrize("first", ["GCM", "CTR"])
def test_ciphers_of_one_key_share_their_nonces(carol, first):
    """GCM counts its blocks as CTR does, so that each would show the plaintext of the other."""
    key, nonce = carol.import_key("", bytes(range(1, 33))), b"nonce of 12."
    items = {
        "GCM": [cryptographic(mode="GCM"), octets("IvCounterNonce", nonce)],
        "CTR": [cryptographic(mode="CTR"), octets("IvCounterNonce", nonce + struct.pack(">I", 2))],
    }
    second = "CTR" if first == "GCM" else "GCM"
    assert carol.do("Encrypt", uid(key), *items[first], octets("Data", bytes(16)))
    assert carol.refused("Encrypt", uid(key), *items[second], octets("Data", bytes(16)))


@each_row("mask", [bit for bit in M if bit not in {M.WRAP_KEY, M.EXPORT, M.UNWRAP_KEY}])
def test_what_is_sensitive_leaves_under_keys_that_wrap_only(alice, mask):
    """Decrypt would unwrap it, as AES-GCM wraps by encryption, and AES-KW is made of single blocks."""
    secret = alice.create(flag("Sensitive", True))
    both = alice.create(flag("Sensitive", True), mask=int(M.WRAP_KEY | mask))
    assert alice.refused("Get", uid(secret), under(both)).startswith("Sensitive: ")
    alone = alice.create(flag("Sensitive", True), mask=int(M.WRAP_KEY))
    assert alice.do("Get", uid(secret), under(alone))


# --- private keys: padding ----------------------------------------------------------------------

RSA = rsa_key(2048)
RSA_PRIVATE = KeyMaterial(
    RSA.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
)
SCHEMES = {
    "PSS": CryptographicParameters(
        padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256
    ),
    "PKCS#1": CryptographicParameters(
        padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=HashingAlgorithm.SHA_256
    ),
}
DECRYPTIONS = {
    "OAEP": CryptographicParameters(
        padding_method=PaddingMethod.OAEP,
        hashing_algorithm=HashingAlgorithm.SHA_256,
        mask_generator=MaskGenerator.MGF1,
    ),
    "PKCS#1": CryptographicParameters(padding_method=PaddingMethod.PKCS1_V1_5),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("decryption", DECRYPTIONS)
def test_decryption_of_what_a_signature_encodes_is_no_signature(scheme, decryption):
    """The raw power is the same, but decryption returns only what was padded for it."""
    signature = Signer(RSA_PRIVATE, SCHEMES[scheme]).sign(b"pay 12 EUR")
    numbers = RSA.public_key().public_numbers()
    encoded = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    for ciphertext in (encoded, signature):
        try:
            plain = rsa_decrypt(
                RSA_PRIVATE, choose_rsa_encryption(DECRYPTIONS[decryption]), ciphertext
            )
        except CryptographicFailure:
            continue
        # OpenSSL answers PKCS#1 v1.5 with bytes that look like a plaintext and tell nothing.
        assert plain not in {signature, encoded}
        assert len(plain) < 246


def test_signatures_by_two_schemes_differ():
    signer = {each: Signer(RSA_PRIVATE, parameters) for each, parameters in SCHEMES.items()}
    assert signer["PSS"].sign(b"x") != signer["PKCS#1"].sign(b"x")


def test_rsa_key_that_may_sign_decrypts_nothing_unless_its_mask_says_so(carol):
    made = carol.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "RSA")),
        structure("PrivateKeyAttributes", number("CryptographicUsageMask", int(M.SIGN))),
    )
    private = made["PrivateKeyUniqueIdentifier"]
    assert carol.do("Sign", uid(private), octets("Data", b"x"))
    line = carol.refused("Decrypt", uid(private), octets("Data", bytes(384)))
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


# --- derivation by encryption, of another object ------------------------------------------------


def test_derivation_by_encryption_does_not_show_an_object_to_who_knows_the_base(permissive):
    """The result is readable, and whoever knows the key of the base decrypts it."""
    owner, other = permissive.user(), permissive.user()
    secret = a_secret(owner, KEY)
    made = derived(owner, secret, given=[data(b"label")], more=[flag("Sensitive", True)])
    assert made
    owner.grant(secret, other, "derive_key")
    base = a_key(other)
    asked = wanted(base, secret, method="Encrypt", given=[cryptographic(mode="ECB")])
    assert other.refused("DeriveKey", *asked) == (
        "Permission_Denied: encrypting what another object has needs the right get as well"
    )
    readable = a_secret(owner, KEY)
    owner.grant(readable, other, "derive_key", "get")  # who may read it may encrypt it, too
    given = [cryptographic(mode="ECB")]
    other.do("DeriveKey", *wanted(base, readable, method="Encrypt", given=given))
