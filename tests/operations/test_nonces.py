"""A caller's nonce counts once per key: on both servers of a database, after a restart, for ever.

A second message under a nonce of GCM, CTR or ChaCha20 gives both away, and with GCM the key of its
tags. `test_nonce_sources` has the nonces that the server makes.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..kmip_items import batch_item, flag, name, octets, structure, uid
from ..kms import KMS, two_issuers
from ..rows import each_row

NONCE = b"nonce of 12."
REUSED = "Bad_Cryptographic_Parameters: the nonce was used with this key before"
LEAVE_OUT = "Bad_Cryptographic_Parameters: the server makes the nonces of this key"
SEND = "Bad_Cryptographic_Parameters: callers bring the nonces of this key"
UNDO = name("BatchErrorContinuationOption", "Undo")


def iv(value=NONCE):
    return octets("IvCounterNonce", value)


def mode(value):
    return structure("CryptographicParameters", name("BlockCipherMode", value))


def encrypt(user, key, *more):
    return user.send(structure("Encrypt", uid(key), octets("Data", b"x" * 16), *more))


@pytest.mark.parametrize("algorithm", ["AES", "ChaCha20"])
def test_nonce_is_taken_once_per_key(alice, algorithm):
    key, other = alice.create(algorithm=algorithm), alice.create(algorithm=algorithm)
    sealed = alice.encrypt(key, b"pay 12 EUR", iv())
    for _ in range(2):
        assert encrypt(alice, key, iv()).text == REUSED
    assert encrypt(alice, key, iv(b"nonce of 13.")).status == 200
    assert encrypt(alice, other, iv()).status == 200
    assert alice.decrypt(key, sealed) == b"pay 12 EUR", "decrypting takes nothing"
    assert alice.decrypt(key, sealed) == b"pay 12 EUR"


def test_what_was_refused_for_something_else_took_no_nonce(alice):
    key = alice.create()
    short_tag = structure(
        "CryptographicParameters", {"tag": "TagLength", "type": "Integer", "value": 1}
    )
    assert encrypt(alice, key, iv(), short_tag).status == 422
    assert encrypt(alice, key, iv()).status == 200


def test_nonce_of_a_granted_key_counts_for_everybody(kms, alice):
    key, bob = alice.create(), kms.user()
    alice.grant(key, bob, "encrypt", "decrypt")
    assert encrypt(bob, key, iv()).status == 200
    assert encrypt(alice, key, iv()).text == REUSED


def test_first_part_of_a_stream_takes_the_nonce(alice):
    key = alice.create()
    first = flag("InitIndicator", True)
    assert encrypt(alice, key, iv(), first).status == 200
    assert encrypt(alice, key, iv(), first).text == REUSED
    assert encrypt(alice, key, iv()).text == REUSED


def test_modes_that_share_a_key_stream_share_their_nonces(carol):
    key = carol.create()
    assert encrypt(carol, key, iv()).status == 200
    for counter in (b"\0\0\0\0", b"\0\0\0\2", b"\xff\0\0\0"):
        assert encrypt(carol, key, iv(NONCE + counter), mode("CTR")).text == REUSED
    assert encrypt(carol, key, iv(b"n" * 16), mode("CTR")).status == 200
    assert encrypt(carol, key, iv(b"n" * 12)).text == REUSED


@pytest.mark.parametrize(
    ("algorithm", "more", "nonce"),
    [
        pytest.param("AES", [mode("CTR")], NONCE + bytes(4), id="CTR"),
        pytest.param("AES", [], NONCE, id="GCM"),
        pytest.param("ChaCha20", [], NONCE, id="ChaCha20-Poly1305"),
        pytest.param("ChaCha20", [], b"8 bytes.", id="bare ChaCha20"),
    ],
)
def test_key_has_one_source_in_permissive_modes_too(carol, algorithm, more, nonce):
    servers, callers = carol.create(algorithm=algorithm), carol.create(algorithm=algorithm)
    made = carol.do("Encrypt", uid(servers), octets("Data", b"x" * 16), *more)
    same = made.octets("IvCounterNonce")
    for value in (same, nonce):
        assert encrypt(carol, servers, iv(value), *more).text.startswith(LEAVE_OUT)
    assert encrypt(carol, callers, iv(nonce), *more).status == 200
    assert encrypt(carol, callers, *more).text.startswith(SEND)


def test_nonces_count_by_object_in_permissive(permissive, carol):
    """The published cases register one key again and again, with the same nonces."""
    dave, material = permissive.user(), carol.key_of(carol.create())
    one, two = carol.import_key("", material), carol.import_key("", material)
    three = dave.import_key("", material)
    for user, key in ((carol, one), (carol, two), (dave, three)):
        assert encrypt(user, key, iv()).status == 200
        assert encrypt(user, key, iv()).text == REUSED
        assert encrypt(user, key).text.startswith(SEND)
    assert encrypt(carol, carol.import_key("", material)).status == 200


def test_iv_of_cbc_is_no_nonce(carol):
    key = carol.create()
    for _ in range(2):
        assert encrypt(carol, key, iv(b"i" * 16), mode("CBC")).status == 200


def test_two_items_of_one_message_cannot_share_a_nonce(alice):
    key = alice.create()
    items = [
        batch_item(
            "Encrypt", uid(key), octets("Data", b"x"), octets("IVCounterNonce", NONCE), item_id=each
        )
        for each in (b"1", b"2")
    ]
    one, two = alice.ask(*items)
    assert one["ResultStatus"] == "Success"
    assert two["ResultReason"] == "BadCryptographicParameters"


def test_undone_encryption_is_not_told_and_its_nonce_is_free(alice):
    key = alice.create()
    items = [
        batch_item(
            "Encrypt", uid(key), octets("Data", b"x"), octets("IVCounterNonce", NONCE), item_id=b"1"
        ),
        batch_item("Get", uid("absent"), item_id=b"2"),
    ]
    one, _ = alice.ask(*items, header=[UNDO])
    assert one["ResultStatus"] == "OperationUndone"
    assert one.get("ResponsePayload", "Data") is None
    assert encrypt(alice, key, iv()).status == 200


def test_random_nonces_are_never_refused(alice):
    key = alice.create()
    assert len({alice.encrypt(key, b"").iv for _ in range(200)}) == 200


# --- who may bring a nonce, or choose what a block cipher sees ----------------------------------

OWN_NONCE = "Permission_Denied: a nonce of your own needs the right decrypt as well"


@each_row(
    ("rights", "is_allowed"),
    [
        pytest.param(["encrypt"], False, id="encrypt alone"),
        pytest.param(["encrypt", "get_attributes", "locate"], False, id="and what is no help"),
        pytest.param(["encrypt", "decrypt"], True, id="decrypt too"),
        pytest.param(["get"], True, id="get, which covers both"),
    ],
)
@each_row("to_everybody", [False, True])
@each_row("first", [False, True], ids=["whole", "stream"])
def test_who_brings_a_nonce_may_decrypt(kms, alice, rights, is_allowed, to_everybody, first):
    key, bob = alice.create(tags=["ledger"]), kms.user()
    alice.grant(key, "*" if to_everybody else bob, *rights)
    more = [flag("InitIndicator", True)] if first else []
    answers = [encrypt(bob, key, iv(), *more)]
    if not to_everybody:
        answers.append(encrypt(bob, ["ledger"], iv(b"nonce of 13."), *more))
    for answer in answers:
        assert answer.status == 200 if is_allowed else answer.text == OWN_NONCE
    if not is_allowed:
        assert bob.encrypt(key, b"x"), "with a nonce of the server's"
    if to_everybody:
        alice.withdraw(key, "*", *rights)


def test_right_that_was_withdrawn_brings_no_nonce(kms, alice):
    key, bob = alice.create(), kms.user()
    alice.grant(key, bob, "encrypt", "decrypt")
    assert encrypt(bob, key, iv()).status == 200
    alice.withdraw(key, bob, "decrypt")
    assert encrypt(bob, key, iv(b"nonce of 13.")).text == OWN_NONCE


@pytest.mark.parametrize("block_mode", ["ECB", "CBC"])
def test_who_may_only_encrypt_chooses_no_mode_that_shows_key_streams(permissive, carol, block_mode):
    """Counter blocks, encrypted by ECB, are the key stream of somebody's GCM."""
    key, bob = carol.create(), permissive.user()
    carol.grant(key, bob, "encrypt")
    refusal = "Permission_Denied: this mode needs the right decrypt as well"
    assert encrypt(bob, key, mode(block_mode)).text == refusal
    assert encrypt(carol, key, mode(block_mode)).status == 200
    assert bob.encrypt(key, b"x")
    carol.grant(key, bob, "decrypt")
    assert encrypt(bob, key, mode(block_mode)).status == 200


@pytest.mark.parametrize("block_mode", ["ECB", "CBC"])
def test_mode_that_the_key_has_is_open_to_who_may_encrypt(permissive, carol, block_mode):
    key, bob = carol.create(mode(block_mode)), permissive.user()
    carol.grant(key, bob, "encrypt")
    assert encrypt(bob, key).status == 200


def test_who_may_only_encrypt_confirms_no_guess_of_a_block_by_cbc(permissive, carol):
    """With the block before a ciphertext block as IV, a right guess encrypts to that block."""
    key, bob = carol.create(mode("CBC")), permissive.user()
    carol.grant(key, bob, "encrypt")
    cases = {
        "an IV of your own": [iv(bytes(16))],
        "data in parts, in this mode,": [flag("InitIndicator", True)],
    }
    for subject, items in cases.items():
        refusal = f"Permission_Denied: {subject} needs the right decrypt as well"
        assert encrypt(bob, key, *items).text == refusal
        assert encrypt(carol, key, *items).status == 200
    carol.grant(key, bob, "decrypt")
    for items in cases.values():
        assert encrypt(bob, key, *items).status == 200


def test_right_to_decrypt_does_not_count_where_the_usage_mask_has_no_decrypt(permissive, carol):
    key, bob = carol.create(mask=4), permissive.user()
    carol.grant(key, bob, "encrypt", "decrypt")
    for items in ([mode("ECB")], [iv()]):
        answer = encrypt(bob, key, *items)
        assert answer.text.startswith("Incompatible_Cryptographic_Usage_Mask: ")
    assert encrypt(bob, key).status == 200
    assert encrypt(carol, key, mode("ECB")).status == 200


def test_who_may_only_decrypt_cannot_encrypt_by_decrypting_a_key_stream(permissive, carol):
    key, bob = carol.create(), permissive.user()
    carol.grant(key, bob, "decrypt")
    asked = [uid(key), octets("Data", bytes(16)), iv(NONCE + bytes(4)), mode("CTR")]
    refusal = "Permission_Denied: decryption in this mode needs the right encrypt as well"
    assert bob.refused("Decrypt", *asked) == refusal
    assert bob.refused("Decrypt", *asked, flag("InitIndicator", True)) == refusal
    assert carol.do("Decrypt", *asked)
    carol.grant(key, bob, "encrypt")
    assert bob.do("Decrypt", *asked)


def test_bare_chacha20_is_a_key_stream_too(permissive, carol):
    key, bob = carol.create(algorithm="ChaCha20"), permissive.user()
    carol.grant(key, bob, "decrypt")
    asked = [uid(key), octets("Data", bytes(16)), iv(b"8 bytes.")]
    assert bob.refused("Decrypt", *asked).startswith("Permission_Denied")
    assert carol.do("Decrypt", *asked)


# --- restarts and other servers -----------------------------------------------------------------


def test_nonce_stays_used_after_a_restart(tmp_path):
    with two_issuers() as issuers:
        with KMS(tmp_path, *issuers) as server:
            alice = server.user("alice")
            key = alice.create()
            assert encrypt(alice, key, iv()).status == 200
        with KMS(tmp_path, *issuers) as server:
            alice = server.user("alice")
            assert encrypt(alice, key, iv()).text == REUSED
            assert encrypt(alice, key, iv(b"nonce of 13.")).status == 200


def test_of_many_at_once_on_two_servers_one_gets_the_nonce(tmp_path):
    with (
        two_issuers() as issuers,
        KMS(tmp_path, *issuers) as one,
        KMS(tmp_path, *issuers) as two,
    ):
        alice = one.user()
        key = alice.create()
        users = [alice.on(server) for _ in range(4) for server in (one, two)]
        for turn in range(5):
            barrier = threading.Barrier(len(users))

            def send(user, turn=turn, barrier=barrier):
                user.send(b"{}")  # the connection is open
                barrier.wait(60)
                return encrypt(user, key, iv(b"same, turn %d" % turn))

            with ThreadPoolExecutor(len(users)) as pool:
                answers = Counter(each.text[:4] for each in pool.map(send, users))
            assert answers == {'{"ta': 1, "Bad_": len(users) - 1}
