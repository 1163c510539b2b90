"""Sealed material opens for its own object under its own master key, and for nothing else."""

from __future__ import annotations

import itertools
import pickle

import pytest

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import (
    EnvelopeContext,
    KeyRing,
    MasterKey,
    SealBroken,
    _encode_context,
    open_sealed,
    seal,
)
from kms_tornado.domain.managed_object import SealedMaterial
from kms_tornado.errors import ConfigurationError, GeneralFailure

from ...rows import each_row

MASTER = MasterKey(KeyMaterial(bytes(range(32))))
OTHER_MASTER = MasterKey(KeyMaterial(bytes(range(1, 33))))
RING = KeyRing([MASTER], MASTER.own_bundle)
OTHER_RING = KeyRing([OTHER_MASTER], MASTER.own_bundle)
CANARY = KeyMaterial(b"canary-of-32-bytes-in-plain-text")
CONTEXT = EnvelopeContext(uid="billing-1", owner="alice@example.com", object_type=2, version=1)
SEALED = seal(RING, CANARY, CONTEXT)


@pytest.mark.parametrize("length", [0, 1, 16, 32, 4096])
def test_sealed_material_opens_again(length):
    material = KeyMaterial(bytes(length))
    assert open_sealed(RING, seal(RING, material, CONTEXT), CONTEXT) == material


def test_sealing_twice_gives_nothing_in_common_but_the_header():
    one, two = seal(RING, CANARY, CONTEXT), seal(RING, CANARY, CONTEXT)
    assert one[:9] == two[:9]
    starts = range(9, len(one) - 7)
    assert not any(one[start : start + 8] == two[start : start + 8] for start in starts)


def test_sealed_material_does_not_contain_the_plaintext():
    assert CANARY.reveal() not in SEALED


@each_row(
    "context",
    [
        pytest.param(CONTEXT._replace(uid="billing-2"), id="uid"),
        pytest.param(CONTEXT._replace(uid=""), id="no uid"),
        pytest.param(CONTEXT._replace(owner="bob@example.com"), id="owner"),
        pytest.param(CONTEXT._replace(owner="Alice@example.com"), id="owner in another case"),
        pytest.param(CONTEXT._replace(object_type=7), id="object type"),
        pytest.param(CONTEXT._replace(version=2), id="version"),
        pytest.param(CONTEXT._replace(object_type=1, version=2), id="type and version swapped"),
        pytest.param(
            CONTEXT._replace(uid=CONTEXT.owner, owner=CONTEXT.uid), id="uid and owner swapped"
        ),
        pytest.param(
            CONTEXT._replace(uid="billing-1a", owner="lice@example.com"), id="border moved"
        ),
    ],
)
def test_sealed_material_of_another_object_does_not_open(context):
    with pytest.raises(SealBroken):
        open_sealed(RING, SEALED, context)
    assert open_sealed(RING, SEALED, CONTEXT) == CANARY


def test_sealed_material_of_another_master_key_does_not_open():
    with pytest.raises(SealBroken):
        open_sealed(OTHER_RING, SEALED, CONTEXT)


def test_sealed_material_does_not_open_under_another_master_key_that_claims_the_same_id():
    forged = SealedMaterial(SEALED[:1] + OTHER_MASTER.key_id + SEALED[9:])
    with pytest.raises(SealBroken):
        open_sealed(OTHER_RING, forged, CONTEXT)


def test_a_flipped_bit_anywhere_breaks_the_seal():
    for position, bit in itertools.product(range(len(SEALED)), (0x01, 0x80)):
        changed = bytearray(SEALED)
        changed[position] ^= bit
        with pytest.raises(SealBroken):
            pytest.fail(f"{open_sealed(RING, SealedMaterial(bytes(changed)), CONTEXT)}: {position}")


def test_sealed_material_cut_short_does_not_open():
    for length in range(len(SEALED)):
        with pytest.raises(SealBroken):
            open_sealed(RING, SealedMaterial(SEALED[:length]), CONTEXT)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(SEALED + b"\0", id="a byte more"),
        pytest.param(b"\0" + SEALED, id="a byte in front"),
        pytest.param(SEALED + SEALED, id="twice"),
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(len(SEALED)), id="zeros"),
        pytest.param(b"\2" + SEALED[1:], id="a later format"),
    ],
)
def test_sealed_material_with_something_added_does_not_open(changed):
    with pytest.raises(SealBroken):
        open_sealed(RING, SealedMaterial(changed), CONTEXT)


def test_parts_of_two_envelopes_do_not_make_a_third():
    other = seal(RING, CANARY, CONTEXT)
    for border in (21, 69, 81):
        with pytest.raises(SealBroken):
            open_sealed(RING, SealedMaterial(SEALED[:border] + other[border:]), CONTEXT)


def test_every_fault_reads_alike_to_the_caller_and_says_nothing_internal():
    messages = set()
    for sealed, ring in (
        (SEALED[:5], RING),
        (SEALED + b"x", RING),
        (SEALED, OTHER_RING),
    ):
        with pytest.raises(SealBroken) as caught:
            open_sealed(ring, SealedMaterial(sealed), CONTEXT)
        messages.add(str(caught.value))
        assert caught.value.detail
        assert isinstance(caught.value, GeneralFailure)
        assert caught.value.__cause__ is None
    assert messages == {"the stored object cannot be used; tell the operator of the server"}


def test_no_two_contexts_share_an_encoding():
    texts = ["", "a", "b", "ab", "a\0", "\0a", "\ud800", "é", "e\u0301", "\0\0\0\1"]
    contexts = [
        EnvelopeContext(uid, owner, object_type, version)
        for uid in texts
        for owner in texts
        for object_type, version in ((1, 2), (2, 1), (0, 0))
    ]
    encoded = [_encode_context(context) for context in contexts]
    assert all(one != two for one, two in itertools.combinations(encoded, 2))


# --- the master key -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_master_key_of_another_length_is_refused(length):
    with pytest.raises(ConfigurationError):
        MasterKey(KeyMaterial(bytes(length)))


def test_what_is_derived_from_a_master_key_belongs_to_it_alone():
    same = MasterKey(KeyMaterial(bytes(range(32))))
    for derive in DERIVED.values():
        assert derive(MASTER) == derive(same) != derive(OTHER_MASTER)
    assert len({derive(MASTER) for derive in DERIVED.values()}) == len(DERIVED)


DERIVED = {
    "check value": lambda key: key.check_value,
    "former check value": lambda key: key.former_check_value,
    "row MAC": lambda key: key.own_bundle.row_mac(b"message"),
    "identity of material": lambda key: key.own_bundle.identify(b"message"),
    "kept keys": lambda key: key.own_bundle.kept_keys_mac(b"message"),
}


def test_what_is_derived_from_a_master_key_never_changes_between_releases():
    assert MASTER.key_id.hex() == "361527f1fff86758"
    assert MASTER.former_check_value.hex() == (
        "275de019444cef42dc3fcaf938f17776d60b1a8ffa58e589c93e9d4901c8cef0"
    )
    assert MASTER.check_value.hex() == (
        "a8e80b1114bd8badfa246e8b21ea4ee03c5097ceac8334e858c8e1a01409d0df"
    )
    assert MASTER.own_bundle.row_mac(b"row").hex() == (
        "d92c55ab1f14e2cf95e05f14aff2fbcc2ad5fcca84bbb3c29e5800b54aa5eb87"
    )
    assert MASTER.own_bundle.identify(b"material").hex() == (
        "e958ee1a2ea41bd7d60939870a46161548755287c90ba494933b2625263e723e"
    )


def test_an_envelope_of_the_first_release_opens():
    sealed = SealedMaterial(
        bytes.fromhex(
            "01361527f1fff86758e629b51de7c7a34a2c4048bab7652559768991540d63096d59f510714b4398"
            "5ebfa6c0c757908ada8cc83a429b327ae813fd7ce13ac5179c61cfcb28821bfb6afc12fe92ec7d32"
            "748502c6f8dda9034cd0d8a4e91291fa973b3896bc32d471f0137697721980f5df6b544bda93ddd7"
            "87ee0386c877863270"
        )
    )
    assert open_sealed(RING, sealed, CONTEXT) == CANARY


def test_a_master_key_hides_itself():
    secret = bytes(range(32))
    for shown in (repr(MASTER), str(MASTER), f"{MASTER}"):
        assert shown == f"MasterKey(key_id={MASTER.key_id.hex()})"
    assert MASTER.key_id not in secret
    assert MASTER.check_value != secret
    with pytest.raises(TypeError):
        pickle.dumps(MASTER)


# --- several master keys ------------------------------------------------------------------------

BOTH = KeyRing([OTHER_MASTER, MASTER], MASTER.own_bundle)


def test_newest_key_of_a_ring_seals_and_each_opens_what_it_sealed():
    sealed = seal(BOTH, CANARY, CONTEXT)
    assert sealed[1:9] == OTHER_MASTER.key_id
    assert open_sealed(BOTH, sealed, CONTEXT) == open_sealed(BOTH, SEALED, CONTEXT) == CANARY
    assert open_sealed(OTHER_RING, sealed, CONTEXT) == CANARY
    with pytest.raises(SealBroken):
        open_sealed(RING, sealed, CONTEXT)


def test_key_that_is_read_again_opens_and_does_not_seal():
    asked = []

    def read_again():
        asked.append(True)
        return [OTHER_MASTER, MASTER]

    ring = KeyRing([MASTER], MASTER.own_bundle, read_again)
    sealed = seal(BOTH, CANARY, CONTEXT)
    assert open_sealed(ring, SEALED, CONTEXT) == CANARY
    assert asked == []
    assert open_sealed(ring, sealed, CONTEXT) == CANARY
    assert open_sealed(ring, sealed, CONTEXT) == CANARY
    assert asked == [True]
    assert seal(ring, CANARY, CONTEXT)[1:9] == MASTER.key_id


def test_ring_shows_identifiers_alone():
    assert repr(BOTH) == f"KeyRing({OTHER_MASTER.key_id.hex()}, {MASTER.key_id.hex()})"


# --- the key bundle -----------------------------------------------------------------------------

BUNDLE, CHECK = MASTER.own_bundle, MASTER.check_value


def test_sealed_bundle_opens_under_its_master_key_for_its_database():
    sealed = OTHER_MASTER.seal_bundle(BUNDLE, CHECK)
    assert OTHER_MASTER.open_bundle(sealed, CHECK).is_same_as(BUNDLE)
    assert not OTHER_MASTER.own_bundle.is_same_as(BUNDLE)
    assert BUNDLE.reveal()[:16] not in sealed
    for key, check in ((MASTER, CHECK), (OTHER_MASTER, OTHER_MASTER.check_value)):
        with pytest.raises(SealBroken):
            key.open_bundle(sealed, check)


def test_altered_bundle_does_not_open():
    sealed = OTHER_MASTER.seal_bundle(BUNDLE, CHECK)
    altered = [sealed[:length] for length in range(len(sealed))]
    altered += [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))
    ]
    for each in (*altered, sealed + b"x"):
        with pytest.raises(SealBroken):
            OTHER_MASTER.open_bundle(each, CHECK)


def test_bundle_hides_itself():
    assert repr(BUNDLE) == "KeyBundle(***)"
    with pytest.raises(TypeError):
        pickle.dumps(BUNDLE)
