"""What the model of two users found, move by move: each test ends in no Leak and no Overreach.

The moves are those of `two_users`, which hold every success against the model; so a test need not say what
is wrong about an answer. Its good twin, where alice does the same with her own, is beside it.
"""

from __future__ import annotations

import contextlib

import pytest

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    DerivationMethod,
    EncodingOption,
    Operation,
    State,
    UsageLimitsUnit,
)
from kms_tornado.kmip.structures import CryptographicParameters

from .. import postgres
from ..store.conftest import DATABASES
from .inside import ALICE, BOB, START
from .two_users import requests as r
from .two_users.database import Impossible
from .two_users.message_play import by_name
from .two_users.model import DATES, EVERYONE
from .two_users.world import World
from .two_users.writer_play import WriterPlay

A, B, M, Op = r.A, BlockCipherMode, CryptographicUsageMask, Operation
D = DerivationMethod

CIPHER = M.ENCRYPT | M.DECRYPT
WRAPPING = M.WRAP_KEY | M.UNWRAP_KEY
SECRET = b"what alice encrypts is 40 bytes long ..."
PLAIN_NONCE = b"nonce of 12."
GCM, ECB = CryptographicParameters(B.GCM), CryptographicParameters(B.ECB)
CTR = CryptographicParameters(B.CTR)


@pytest.fixture(scope="module", params=DATABASES)
def world(request, tmp_path_factory):
    if request.param == "sqlite":
        place = tmp_path_factory.mktemp("two-users")
    else:
        place = postgres.empty_database()
    with World(place) as world:
        yield world


@pytest.fixture
def play(world):
    return WriterPlay(world)


@pytest.fixture
def conservative(tmp_path):
    with World(tmp_path, "conservative") as world:
        yield WriterPlay(world)


def hidden(play, *rights, mask=CIPHER, **more):
    """alice's Sensitive key, made by the server, and bob's rights on it."""
    uid = play.create(ALICE, r.wanted(mask=mask, sensitive=True, **more))
    if rights:
        assert play.grant(ALICE, uid, BOB, rights)
    return uid


# --- S1: nonces ----------------------------------------------------------------------------------


def test_nonce_of_the_servers_is_not_taken_from_who_may_encrypt(play):
    uid = hidden(play, Op.ENCRYPT)
    box = play.encrypt(ALICE, uid, SECRET)
    assert play.encrypt(BOB, uid, bytes(32))
    assert play.encrypt(BOB, uid, bytes(40), iv=box.iv) is None


def test_nonce_of_the_servers_is_not_taken_from_the_owner(play):
    uid = hidden(play)
    box = play.encrypt(ALICE, uid, SECRET)
    assert play.encrypt(ALICE, uid, bytes(40), iv=box.iv) is None
    assert play.encrypt(ALICE, uid, bytes(40), iv=PLAIN_NONCE) is None, "it has the server's nonces"


def test_server_makes_no_nonce_for_a_key_with_nonces_of_a_caller(play):
    uid = hidden(play)
    assert play.encrypt(ALICE, uid, SECRET, iv=PLAIN_NONCE)
    assert play.encrypt(ALICE, uid, SECRET) is None
    assert play.encrypt(ALICE, uid, SECRET, iv=PLAIN_NONCE) is None


@pytest.mark.parametrize("iv", [bytes(16), bytes(32)], ids=["16 bytes", "32 bytes"])
def test_caller_without_the_right_to_decrypt_chooses_no_nonce_of_any_length(play, iv):
    uid = hidden(play, Op.ENCRYPT)
    assert play.encrypt(BOB, uid, bytes(32), iv=iv) is None


def test_same_material_under_two_identifiers_shares_its_nonces(conservative):
    play, known = conservative, b"material of 32 bytes, known to a"
    first, second, third = (play.import_(ALICE, uid, known, r.wanted(mask=CIPHER)) for uid in "123")
    assert play.encrypt(ALICE, first, SECRET, iv=PLAIN_NONCE)
    assert play.encrypt(ALICE, second, bytes(40), iv=PLAIN_NONCE) is None
    assert play.encrypt(ALICE, third, bytes(40)) is None
    assert play.encrypt(ALICE, third, bytes(40), iv=b"nonce of 13.")


def test_nonce_of_a_first_part_counts_as_that_of_whole_data(play):
    uid = hidden(play)
    assert play.begin_stream(ALICE, Op.ENCRYPT, uid, SECRET, PLAIN_NONCE)
    assert play.encrypt(ALICE, uid, bytes(40), iv=PLAIN_NONCE) is None


def test_nonce_of_a_wrapped_key_is_not_taken_for_data(play):
    kek = play.create(ALICE, r.wanted(mask=WRAPPING | M.ENCRYPT))
    uid = play.create(ALICE, r.wanted(mask=CIPHER))
    assert play.get(ALICE, uid, by=kek, mode=B.GCM)
    assert play.grant(ALICE, kek, BOB, [Op.ENCRYPT])
    assert play.encrypt(BOB, kek, bytes(48), iv=play.nonces[-1]) is None


# --- S2, S4: values that coincide ----------------------------------------------------------------


def test_digest_of_a_hidden_key_is_told_to_nobody(play):
    uid = hidden(play, Op.GET_ATTRIBUTES, mask=M.DERIVE_KEY)
    assert play.attributes_of(BOB, uid)
    assert play.attributes_of(ALICE, uid)


@pytest.mark.parametrize("method", [D.HMAC, D.NIST800_108_C, D.PBKDF2])
def test_mac_gives_no_derived_key(play, method):
    base = play.create(ALICE, r.wanted(A.HMAC_SHA256, mask=M.DERIVE_KEY | M.MAC_GENERATE))
    assert play.grant(ALICE, base, BOB, [Op.MAC])
    data = b"label" if method is D.HMAC else b"\0\0\0\1label"
    derived = r.wanted(mask=CIPHER, sensitive=True)
    play.derive(ALICE, base, method, b"label", derived)
    play.mac(BOB, base, b"label\0\0\0\1" if method is D.PBKDF2 else data)


def test_encryption_gives_no_derived_key(play):
    base = play.create(ALICE, r.wanted(mask=M.DERIVE_KEY | M.ENCRYPT))
    assert play.grant(ALICE, base, BOB, [Op.ENCRYPT])
    derived = r.wanted(mask=CIPHER, sensitive=True, length=16)
    play.derive(ALICE, base, D.ENCRYPT, b"a label of 16 b.", derived)
    play.encrypt(BOB, base, b"a label of 16 b.", iv=bytes(16), parameters=CryptographicParameters(B.CBC))  # fmt: skip


def test_hidden_key_is_derived_from_a_base_that_does_nothing_else(play):
    """The twin of those above."""
    base = play.create(ALICE, r.wanted(mask=M.DERIVE_KEY, sensitive=True))
    derived = r.wanted(mask=CIPHER, sensitive=True)
    uid = play.derive(ALICE, base, D.HMAC, b"label", derived)
    assert uid
    assert play.encrypt(ALICE, uid, SECRET)


def test_key_without_a_mask_does_not_do_everything(play):
    base = play.create(ALICE, r.wanted(sensitive=True))
    assert play.grant(ALICE, base, BOB, [Op.MAC, Op.ENCRYPT])
    uid = play.derive(ALICE, base, D.HMAC, b"label", r.wanted(mask=CIPHER, sensitive=True))
    assert play.mac(BOB, base, b"label", CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA256)) is None or uid is None  # fmt: skip


def test_right_to_derive_gives_no_use_of_what_others_derived(play):
    """bob derives the same key as alice, with rights of his own choice."""
    base = hidden(play, Op.DERIVE_KEY, mask=M.DERIVE_KEY)
    uid = play.derive(ALICE, base, D.HMAC, b"label", r.wanted(mask=CIPHER, sensitive=True))
    box = play.encrypt(ALICE, uid, SECRET)
    same = play.derive(BOB, base, D.HMAC, b"label", r.wanted(mask=CIPHER, sensitive=True))
    assert same is None or play.decrypt(BOB, box, same) is None


# --- S5: names -----------------------------------------------------------------------------------


def stranger(play, *rights, grantee=EVERYONE, **more):
    """bob's key, which he knows, granted to others."""
    uid = play.import_(BOB, "strangers", b"material of 32 bytes, bob's own.", r.wanted(**more))
    assert play.grant(BOB, uid, grantee, rights)
    return uid


def test_tag_list_does_not_mean_a_strangers_key_when_ones_own_is_revoked(play):
    uid = play.create(ALICE, r.wanted(tags=("a",)))
    assert play.revoke(ALICE, uid)
    stranger(play, Op.ENCRYPT, grantee=ALICE, tags=("a",))
    assert play.encrypt(ALICE, '["a"]', SECRET) is None


def test_tag_list_does_not_mean_what_is_granted_to_everyone(play):
    stranger(play, Op.ENCRYPT, tags=("a",))
    assert play.encrypt(ALICE, '["a"]', SECRET) is None
    own = play.create(ALICE, r.wanted(tags=("a",)))
    assert play.encrypt(ALICE, '["a"]', SECRET).uid == own


def test_placeholder_does_not_become_a_strangers_key_of_the_same_name(play):
    stranger(play, Op.ENCRYPT, name="payroll")
    assert play.locate_and_encrypt(ALICE, by_name("payroll"), frozenset(), SECRET) is None
    own = play.create(ALICE, r.wanted(name="payroll"))
    assert play.locate(ALICE, by_name("payroll"))[0] == own


def test_removed_identifier_is_not_taken_by_another(play):
    uid = play.create(ALICE, r.wanted(uid="the payroll's key"))
    assert play.revoke(ALICE, uid)
    assert play.destroy(ALICE, uid, remove=True)
    assert play.import_(BOB, uid, b"material of 32 bytes, bob's own.", r.wanted()) is None
    assert play.import_(ALICE, uid, b"material of 32 bytes, alice's ..", r.wanted()) == uid


# --- S6: the key's own parameters ----------------------------------------------------------------


def test_key_for_gcm_encrypts_in_no_other_mode(play):
    uid = hidden(play, Op.ENCRYPT, parameters=GCM)
    box = play.encrypt(ALICE, uid, SECRET)
    assert play.encrypt(BOB, uid, bytes(32), parameters=GCM)
    assert play.encrypt(BOB, uid, box.iv + b"\0\0\0\2", parameters=ECB) is None


@pytest.mark.parametrize("way", ["add", "set", "modify"])
def test_parameters_are_changed_by_the_owner_alone(play, way):
    rights = [Op.ADD_ATTRIBUTE, Op.SET_ATTRIBUTE, Op.MODIFY_ATTRIBUTE]
    uid = hidden(play, *rights, **({} if way == "add" else {"parameters": GCM}))
    assert not play.change(BOB, uid, way, "cryptographic_parameters", ECB)
    assert play.change(ALICE, uid, way, "cryptographic_parameters", CTR)


def test_parameters_are_not_changed_by_a_replacement(play):
    uid = hidden(play, Op.RE_KEY, parameters=GCM)
    assert play.re_key(BOB, uid, Attributes(cryptographic_parameters=ECB)) is None
    assert play.re_key(BOB, uid, Attributes())


# --- S7: what goes out wrapped -------------------------------------------------------------------


def test_sensitive_key_does_not_leave_under_a_key_of_the_grantees(play):
    uid = hidden(play, Op.EXPORT, mask=M.ENCRYPT)
    kek = play.create(BOB, r.wanted(mask=WRAPPING, sensitive=True))
    blob = play.get(BOB, uid, by=kek, is_export=True)
    assert blob is None


def test_sensitive_key_that_left_comes_back_with_its_rules(play):
    uid = hidden(play, mask=M.ENCRYPT)
    kek = play.create(ALICE, r.wanted(mask=WRAPPING, sensitive=True))
    blob = play.get(ALICE, uid, by=kek)
    assert blob
    new = play.bring(ALICE, blob, "back", mask=CIPHER)
    assert new is None or play.keys[new].mask == M.ENCRYPT


def test_sensitive_key_leaves_without_its_rules_under_no_encoding(play):
    uid = hidden(play, mask=M.ENCRYPT)
    kek = play.create(ALICE, r.wanted(mask=WRAPPING, sensitive=True))
    blob = play.get(ALICE, uid, by=kek, encoding=EncodingOption.NO_ENCODING)
    assert blob is None or play.bring(ALICE, blob, "back", mask=CIPHER) is None


def test_sensitive_key_that_left_does_not_come_back_to_another(play):
    uid = hidden(play, Op.EXPORT, mask=M.ENCRYPT)
    kek = play.create(ALICE, r.wanted(mask=WRAPPING, sensitive=True))
    assert play.grant(ALICE, kek, BOB, [Op.ENCRYPT, Op.DECRYPT])
    blob = play.get(BOB, uid, by=kek, is_export=True)
    if blob:
        assert play.bring(BOB, blob, "bob's", mask=CIPHER) is None


def test_sensitive_key_that_is_stored_wrapped_is_used_by_its_rules(play):
    uid = hidden(play, Op.EXPORT, mask=M.ENCRYPT)
    box = play.encrypt(ALICE, uid, SECRET)
    kek = play.create(ALICE, r.wanted(mask=WRAPPING, sensitive=True))
    assert play.grant(ALICE, kek, BOB, [Op.ENCRYPT, Op.DECRYPT])
    blob = play.get(BOB, uid, by=kek, is_export=True)
    if blob:
        bobs = play.bring(BOB, blob, "bob's", mask=CIPHER, keeps=True)
        assert bobs is None or play.decrypt(BOB, box, bobs) is None


# --- S8, and rules that are loosened -------------------------------------------------------------


def test_search_compares_no_attribute_that_the_caller_may_not_read(play):
    hidden(play, Op.ENCRYPT)
    assert play.locate(BOB, Attributes(cryptographic_usage_mask=int(CIPHER))) == []


def test_date_in_the_past_does_not_revoke_without_the_right(play):
    uid = hidden(play, Op.SET_ATTRIBUTE)
    assert not play.change(BOB, uid, "set", "deactivation_date", START)


@pytest.mark.parametrize("field", ["sensitive", "extractable"])
def test_flags_are_the_owners(play, field):
    uid = play.create(ALICE, r.wanted())
    assert play.grant(ALICE, uid, BOB, [Op.SET_ATTRIBUTE])
    assert not play.change(BOB, uid, "set", field, field == "sensitive")


def test_message_of_no_bytes_and_its_additional_data_count_against_the_limit(play):
    uid = hidden(play, Op.ENCRYPT, limit=(4, UsageLimitsUnit.BYTE))
    assert play.encrypt(BOB, uid, b"", aad=b"more")
    assert play.encrypt(BOB, uid, b"") is None


def test_limit_is_not_lifted_by_who_may_change_attributes(play):
    rights = [Op.ENCRYPT, Op.DELETE_ATTRIBUTE, Op.MODIFY_ATTRIBUTE]
    uid = hidden(play, *rights, limit=(16, UsageLimitsUnit.BYTE))
    assert not play.delete(BOB, uid, "UsageLimits", "usage_limits")


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("protect_stop_date", 5, 9),
        ("process_start_date", 5, 1),
        ("deactivation_date", 5, 9),
        ("activation_date", 5, -1),
    ],
)
@pytest.mark.parametrize("way", ["set", "modify"])
def test_dates_are_not_loosened_by_who_may_change_attributes(play, field, before, after, way):
    dates = tuple(before if each == field else None for each in DATES)
    rights = [Op.ENCRYPT, Op.SET_ATTRIBUTE, Op.MODIFY_ATTRIBUTE]
    uid = hidden(play, *rights, dates=dates)
    assert not play.change(BOB, uid, way, field, START + after)
    assert play.change(ALICE, uid, way, field, START + after)


@pytest.mark.parametrize("requested", [{"tags": ("a",)}, {"name": "payroll"}], ids=["tags", "name"])
def test_replacement_by_another_takes_no_tags_and_no_name_of_the_others_choice(play, requested):
    uid = hidden(play, Op.RE_KEY)
    wanted = r.wanted(**requested)
    asked = Attributes(names=wanted.names, vendor_attributes=wanted.vendor_attributes)
    assert play.re_key(BOB, uid, asked) is None
    assert play.re_key(ALICE, uid, asked)


@pytest.mark.parametrize("name", ["tags", "names"])
def test_tags_and_names_of_anothers_key_are_not_chosen_by_who_may_change_attributes(play, name):
    uid = hidden(play, *r.WEAK)
    wanted = r.wanted(tags=("a",), name="payroll")
    values = wanted.vendor_attributes if name == "tags" else wanted.names
    field = "vendor_attributes" if name == "tags" else "names"
    assert not play.change(BOB, uid, "add", field, values[0])


def test_withdrawn_right_ends_data_in_parts(play):
    uid = hidden(play, Op.ENCRYPT)
    stream = play.begin_stream(BOB, Op.ENCRYPT, uid, bytes(16))
    assert play.feed(stream, bytes(16))
    assert play.withdraw(ALICE, uid, BOB, [Op.ENCRYPT])
    assert not play.feed(stream, bytes(16))


# --- S3: the database writer, who helps bob ------------------------------------------------------


def test_right_that_nobody_gave_is_of_no_use(play):
    uid = play.create(ALICE, r.wanted(mask=CIPHER))
    before = play.ask([uid])
    play.tamper(play.world.database.grant(0, BOB, Op.GET), before, [uid])


@pytest.mark.parametrize("column", ["sensitive", "state", "usage_mask", "attributes", "owner", "tags"])  # fmt: skip
def test_edited_column_changes_no_answer(play, column):
    uid = hidden(play, Op.ENCRYPT, Op.GET_ATTRIBUTES, mask=M.ENCRYPT, tags=("a",))
    database, table = play.world.database, play.world.database.objects
    place = [each.name for each in table.columns].index(column)
    answers = play.ask([uid])
    for value in range(min(24, database.values_of(table, table.columns[column]))):
        with contextlib.suppress(Impossible):
            play.tamper(database.edit(0, place, value), answers, [uid], is_last=False)
    play.compare_again(answers, play.ask([uid]))


def test_replayed_row_is_taken_for_the_present_one(play):
    """Left to the audit chain: who writes the database can put a whole old row back, seal and all."""
    uid = play.create(ALICE, r.wanted(mask=CIPHER))
    database, table = play.world.database, play.world.database.objects
    (old,) = database.rows(table)
    assert play.revoke(ALICE, uid)
    (new,) = database.rows(table)
    database.put_back(table, new, old)
    assert play.world.known(uid).state is State.ACTIVE
