"""Each key takes its nonces from the server or from callers: the attack, and every way round the rule.

On two servers of one database, as users see them. `test_nonces` has what is refused among callers.
"""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from .. import postgres
from ..kmip_items import attributes, batch_item, flag, name, octets, structure, uid, vendor
from ..kms import KMS, two_issuers
from ..rows import each_row

NONCE = b"nonce of 12."
SECRET = b"launch code 0000, do not tell"
UNDO = name("BatchErrorContinuationOption", "Undo")
REASON = "Bad_Cryptographic_Parameters: "
LEAVE_OUT = f"{REASON}the server makes the nonces of this key: leave IVCounterNonce out"
SEND = f"{REASON}callers bring the nonces of this key: send IVCounterNonce"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two(request, tmp_path_factory):
    """Two servers of one database."""
    options = []
    if request.param == "postgresql":
        options = ["--database-url", postgres.cluster().new_database()]
    directory = tmp_path_factory.mktemp("nonces")
    with (
        two_issuers() as issuers,
        KMS(directory, *issuers, options=options) as one,
        KMS(directory, *issuers, options=options) as two,
    ):
        yield one, two


@pytest.fixture
def alice(two):
    return two[0].user()


@pytest.fixture
def bob(two):
    return two[1].user()


def iv(value=NONCE):
    return octets("IvCounterNonce", value)


def encrypt(user, key, *more, data=b"x" * 16):
    return user.send(structure("Encrypt", uid(key), octets("Data", data), *more))


def refusal(user, key, *more):
    answer = encrypt(user, key, *more)
    assert answer.status == 422, answer.text
    return answer.text


# --- the attack ---------------------------------------------------------------------------------


@each_row("algorithm", ["AES", "ChaCha20"])
@each_row("rights", [["encrypt"], ["encrypt", "decrypt"]])
def test_nonce_that_the_server_made_is_refused_from_everybody(alice, bob, algorithm, rights):
    """Zeros under the nonce of a message give its key stream."""
    key = alice.create(algorithm=algorithm)
    seen = alice.encrypt(key, SECRET)
    alice.grant(key, bob, *rights)
    for user in (bob, alice):
        for more in ([], [flag("InitIndicator", True)]):
            answer = encrypt(user, key, iv(seen.iv), *more, data=bytes(len(SECRET)))
            assert answer.status == 422
            assert SECRET.hex().upper() not in answer.text
    line = refusal(alice, key, iv(seen.iv))
    assert line.startswith(LEAVE_OUT)
    assert "ReKey" in line


@each_row("length", [8, 11, 13, 16, 32, 64])
def test_nonce_of_another_length_collides_with_none(alice, length):
    """Who knows the key of GCM's hash finds a long nonce that amounts to any short one."""
    line = refusal(alice, alice.create(), iv(bytes(length)))
    assert line.startswith("Unsupported_Cryptographic_Parameters: a GCM nonce")


def test_any_nonce_of_a_caller_is_refused_once_the_server_made_one(two, alice):
    key = alice.create()
    alice.encrypt(key, SECRET)
    for server in two:
        assert refusal(alice.on(server), key, iv()).startswith(LEAVE_OUT)


@pytest.mark.parametrize("algorithm", ["AES", "ChaCha20"])
def test_server_makes_none_once_a_caller_brought_one(two, alice, algorithm):
    key = alice.create(algorithm=algorithm)
    assert encrypt(alice, key, iv()).status == 200
    for server in two:
        line = refusal(alice.on(server), key)
        assert line.startswith(SEND)
        assert "ReKey" in line
        assert encrypt(alice.on(server), key, iv(server.port.to_bytes(12))).status == 200
    new = alice.do("ReKey", uid(key)).uid
    assert encrypt(alice, new).status == 200
    assert refusal(alice, new, iv(b"nonce of 13.")).startswith(LEAVE_OUT)


def test_refused_nonce_fixes_nothing(alice, bob):
    key = alice.create()
    alice.grant(key, bob, "encrypt")
    assert refusal(bob, key, iv()).startswith("Permission_Denied")
    assert refusal(alice, key, iv(bytes(16))).startswith("Unsupported")
    assert encrypt(alice, key).status == 200


# --- streams and wrapping -----------------------------------------------------------------------

FIRST = flag("InitIndicator", True)


def test_first_part_of_a_stream_fixes_the_source(alice):
    servers, callers = alice.create(), alice.create()
    assert encrypt(alice, servers, FIRST).status == 200
    assert refusal(alice, servers, iv()).startswith(LEAVE_OUT)
    assert encrypt(alice, callers, FIRST, iv()).status == 200
    assert refusal(alice, callers).startswith(SEND)
    assert refusal(alice, callers, FIRST).startswith(SEND)
    assert refusal(alice, callers, iv()) == f"{REASON}the nonce was used with this key before"


def wrapping(kek, block_cipher_mode):
    return structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure(
            "EncryptionKeyInformation",
            uid(kek),
            structure("CryptographicParameters", name("BlockCipherMode", block_cipher_mode)),
        ),
    )


def test_nonce_of_a_wrapped_key_is_refused_from_callers(alice):
    kek, key = alice.create(), alice.create()
    wrapped = alice.do("Export", uid(key), wrapping(kek, "GCM"))
    octets_wrapped = wrapped.octets("Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString")
    assert refusal(alice, kek, iv(octets_wrapped[:12])).startswith(LEAVE_OUT)
    assert encrypt(alice, kek).status == 200


def test_key_with_nonces_of_callers_wraps_by_kwp_and_not_by_gcm(alice):
    kek, key = alice.create(), alice.create()
    assert encrypt(alice, kek, iv()).status == 200
    line = alice.refused("Export", uid(key), wrapping(kek, "GCM"))
    assert line.startswith(f"{REASON}callers bring the nonces of this key: wrap with AES-KWP")
    assert alice.do("Export", uid(key), wrapping(kek, "AESKeyWrapPadding"))


def test_new_key_that_is_stored_wrapped_takes_no_nonce_of_its_wrapping_key(alice):
    kek = alice.create()
    stored = structure("VendorAttributes", vendor("wrapping_key_id", kek.encode()))
    key = alice.create(stored)
    assert encrypt(alice, kek, iv()).status == 200, "AES-KWP has none"
    assert encrypt(alice, key).status == 200
    assert refusal(alice, key, iv()).startswith(LEAVE_OUT)


def test_nonces_of_a_key_that_is_stored_wrapped_count_for_its_material(alice):
    kek = alice.create()
    stored = structure("VendorAttributes", vendor("wrapping_key_id", kek.encode()))
    key = alice.create(stored)
    assert encrypt(alice, key, iv()).status == 200
    material = alice.do("Get", uid(key), name("KeyWrapType", "NotWrapped")).octets(
        "Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString"
    )
    copy = alice.import_key(f"copy-{key}", material)
    assert refusal(alice, copy).startswith(SEND)
    assert refusal(alice, copy, iv()) == f"{REASON}the nonce was used with this key before"


# --- the same material --------------------------------------------------------------------------


def destroy(user, key, *, remove):
    user.revoke(key)
    user.destroy(key, remove=remove)


@each_row("fate", ["kept", "destroyed", "removed"])
@each_row("who", ["the same owner", "another owner"])
def test_same_material_shares_its_nonces(alice, bob, fate, who):
    material = alice.key_of(alice.create())
    other_material = alice.key_of(alice.create())
    first = alice.import_key(f"first-{material.hex()}", material)
    served = alice.import_key(f"served-{material.hex()}", other_material)
    assert encrypt(alice, first, iv()).status == 200
    seen = alice.encrypt(served, SECRET)
    if fate != "kept":
        for key in (first, served):
            destroy(alice, key, remove=fate == "removed")
    user = bob if who == "another owner" else alice
    second = user.import_key(f"second-{material.hex()}", material)
    assert refusal(user, second, iv()) == f"{REASON}the nonce was used with this key before"
    assert refusal(user, second).startswith(SEND)
    again = user.import_key(f"again-{material.hex()}", other_material)
    assert refusal(user, again, iv(seen.iv)).startswith(LEAVE_OUT)
    assert user.encrypt(again, b"x")


def test_identifier_that_gets_other_material_begins_anew(alice):
    one, two = [alice.key_of(alice.create()) for _ in range(2)]
    key = alice.import_key(f"replaced-{one.hex()}", one)
    assert encrypt(alice, key, iv()).status == 200
    alice.import_key(key, two, replace=True)
    assert encrypt(alice, key).status == 200
    alice.import_key(key, one, replace=True)
    assert refusal(alice, key, iv()) == f"{REASON}the nonce was used with this key before"


# --- batches ------------------------------------------------------------------------------------


def item(key, *more, number=b"1"):
    target = [] if key is None else [uid(key)]
    return batch_item("Encrypt", *target, octets("Data", b"x"), *more, item_id=number)


def own(nonce=NONCE):
    return octets("IVCounterNonce", nonce)


CREATE = batch_item(
    "Create",
    name("ObjectType", "SymmetricKey"),
    attributes(
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": "Encrypt|Decrypt"},
        {"tag": "ActivationDate", "type": "DateTime", "value": "2020-01-01T00:00:00Z"},
        bits=256,
    ),
    item_id=b"0",
)


def results(answers):
    return [each.get("ResultReason") or each["ResultStatus"] for each in answers]


@each_row("header", [[], [UNDO]], ids=["continue", "undo"])
@each_row("nonce", [[], [own()]], ids=["the server's", "the caller's"])
def test_key_is_made_and_used_in_one_batch(alice, header, nonce):
    made, done = alice.ask(CREATE, item(None, *nonce), header=header)
    assert results([made, done]) == ["Success", "Success"]
    key = made["ResponsePayload", "UniqueIdentifier"]
    other = [] if nonce else [iv(b"nonce of 13.")]
    assert refusal(alice, key, *other).startswith(SEND if nonce else LEAVE_OUT)
    assert encrypt(alice, key, *([iv(b"nonce of 13.")] if nonce else [])).status == 200


@each_row(
    ("first", "second", "expected"),
    [
        pytest.param([], [], ["Success", "Success"], id="server, server"),
        pytest.param([own()], [own(b"nonce of 13.")], ["Success", "Success"], id="two nonces"),
        pytest.param([own()], [own()], ["Success", "BadCryptographicParameters"], id="one nonce"),
        pytest.param([own()], [], ["Success", "BadCryptographicParameters"], id="caller, server"),
        pytest.param([], [own()], ["Success", "BadCryptographicParameters"], id="server, caller"),
    ],
)
@each_row("is_new", [False, True], ids=["existing", "made in the batch"])
def test_two_encryptions_of_one_batch(alice, first, second, expected, is_new):
    key = None if is_new else alice.create()
    items = [item(key, *first), item(key, *second, number=b"2")]
    answers = alice.ask(CREATE, *items) if is_new else alice.ask(*items)
    assert results(answers)[-2:] == expected


def test_undone_batch_fixes_nothing_that_a_caller_brought(alice):
    key = alice.create()
    broken = batch_item("Get", uid("absent"), item_id=b"2")
    undone, _ = alice.ask(item(key, own()), broken, header=[UNDO])
    assert undone["ResultStatus"] == "OperationUndone"
    assert encrypt(alice, key).status == 200


def test_key_of_an_undone_batch_is_gone_with_its_source(alice):
    broken = batch_item("Get", uid("absent"), item_id=b"2")
    answers = alice.ask(CREATE, item(None), broken, header=[UNDO])
    assert results(answers)[:2] == ["OperationUndone", "OperationUndone"]


# --- somebody writes to the database ------------------------------------------------------------


def test_emptied_tables_do_not_make_a_seen_nonce_new(two, alice):
    one = two[0]
    if not (one.data_dir / "kms.db").exists():
        pytest.skip("the same on SQLite; the store's tests edit both databases")
    key, unused = alice.create(), alice.create()
    seen = alice.encrypt(key, SECRET)
    database = sqlite3.connect(one.data_dir / "kms.db")
    with contextlib.closing(database):
        saved = {
            table: database.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("nonce_sources", "used_nonces")
        }
        with database:
            for table in saved:
                database.execute(f"DELETE FROM {table}")
            database.execute("UPDATE objects SET nonce_source = NULL WHERE uid = ?", (key,))
        for user in (alice, alice.on(two[1])):
            line = refusal(user, key, iv(seen.iv))
            assert line.startswith("General_Failure: the stored object cannot be used")
        line = refusal(alice, unused, iv())
        assert line.startswith("General_Failure: the stored object cannot be used")
        assert key in one.log
        with database:
            for table, rows in saved.items():
                database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
    assert encrypt(alice, unused, iv()).status == 200
