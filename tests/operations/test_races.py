"""Several writers at once, on one server and on two of one database: the answers agree."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from .. import postgres
from ..kmip_items import (
    attributes,
    batch_item,
    import_items,
    long_number,
    name,
    named,
    number,
    octets,
    structure,
    text,
    uid,
)
from ..kms import KMS, two_issuers


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two(request, tmp_path_factory):
    """Two servers of one database, and of one master key."""
    directory = tmp_path_factory.mktemp("two")
    options = []
    if request.param == "postgresql":
        options = ["--database-url", postgres.cluster().new_database()]
    with (
        two_issuers() as issuers,
        KMS(directory, *issuers, options=options) as one,
        KMS(directory, *issuers, options=options) as two,
    ):
        yield one, two


def at_once(users, send):
    """send(user, its number) for all of them, let go at the same moment."""
    barrier = threading.Barrier(len(users))

    def run(position):
        users[position].send(b"{}")  # the connection is open
        barrier.wait(60)
        return send(users[position], position)

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(run, range(len(users))))


def crowd(alice, two, number_of=8):
    return [alice.on(server) for _ in range(number_of // 2) for server in two]


def reasons(answers):
    return Counter(a.text.partition(":")[0] if a.status == 422 else "ok" for a in answers)


def test_what_one_server_answered_the_other_one_knows(two):
    here, there = (two[0].user("a-1").on(server) for server in two)
    for _ in range(20):
        key = here.create(tags=["t"])
        sealed = there.encrypt(key, b"x")
        here.revoke(key)
        line = there.refused("Encrypt", uid(key), octets("Data", b""))
        assert line.startswith("Wrong_Key_Lifecycle_State: ")
        assert there.decrypt(key, sealed) == b"x"
        there.destroy(key)
        assert here.refused("Decrypt", uid(key), *sealed.items()).startswith("Object_Destroyed: ")
        assert here.refused("Get", uid(key)).startswith("Object_Destroyed: ")


def test_of_many_imports_of_one_identifier_one_succeeds(two):
    alice = two[0].user()
    for turn in range(5):
        wanted = f"same-{turn}"
        answers = at_once(
            crowd(alice, two),
            lambda user, n, wanted=wanted: user.send(
                structure("Import", *import_items(wanted, bytes([n] * 16)))
            ),
        )
        assert reasons(answers) == {"ok": 1, "Object_Already_Exists": 7}
        winner = next(n for n, answer in enumerate(answers) if answer.status == 200)
        assert alice.key_of(wanted) == bytes([winner] * 16)


def test_replacing_imports_of_one_identifier_all_succeed(two):
    """The one that came second was told that the identifier is taken, though it may replace it."""
    alice = two[0].user()
    for turn in range(5):
        wanted = f"replaced-{turn}"
        answers = at_once(
            crowd(alice, two),
            lambda user, n, wanted=wanted: user.send(
                structure("Import", *import_items(wanted, bytes([n] * 16), replace=True))
            ),
        )
        assert reasons(answers) == {"ok": 8}
        key = alice.key_of(wanted)
        assert key == bytes([key[0]] * 16)
        assert alice.decrypt(wanted, alice.encrypt(wanted, b"x")) == b"x"


def test_replacing_import_of_two_owners_has_one_winner(two):
    for turn in range(5):
        alice, bob = two[0].user(), two[0].user()
        wanted = f"contested-{turn}"
        users = [alice.on(two[0]), bob.on(two[1]), alice.on(two[1]), bob.on(two[0])]
        answers = at_once(
            users,
            lambda user, n, wanted=wanted: user.send(
                structure("Import", *import_items(wanted, bytes(16), replace=True))
            ),
        )
        assert reasons(answers) == {"ok": 2, "Object_Already_Exists": 2}
        assert (answers[0].status == 200) == (answers[2].status == 200)


# --- what there is once ------------------------------------------------------------------------


def test_of_many_who_want_a_name_one_gets_it(two):
    alice, bob = two[0].user(), two[0].user()
    for turn in range(5):
        wanted = attributes(named(f"name-{turn}"), bits=256)
        create = structure("Create", name("ObjectType", "SymmetricKey"), wanted)
        users = [*crowd(alice, two), bob.on(two[1])]
        answers = at_once(users, lambda user, n, create=create: user.send(create))
        assert reasons(answers[:-1]) == {"ok": 1, "Non_Unique_Name_Attribute": 7}
        assert answers[-1].status == 200, "another owner's names are another's"


def test_of_many_who_use_a_nonce_one_may(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        items = [uid(key), octets("Data", b"x"), octets("IVCounterNonce", b"n" * 12)]
        answers = at_once(
            crowd(alice, two), lambda user, n, items=items: user.send(structure("Encrypt", *items))
        )
        assert reasons(answers) == {"ok": 1, "Bad_Cryptographic_Parameters": 7}
        again = alice.on(two[1]).refused("Encrypt", *items)
        assert again.startswith("Bad_Cryptographic_Parameters: ")


@pytest.mark.parametrize(("unit", "each"), [("Object", 1), ("Byte", 16)])
def test_no_limit_is_overspent(two, unit, each):
    alice = two[0].user()
    total = {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": f"0x{10 * each:016x}"}
    key = alice.create(structure("UsageLimits", total, name("UsageLimitsUnit", unit)))

    def send(user, n):
        return [
            user.send(structure("Encrypt", uid(key), octets("Data", b"x" * 16))) for _ in "12345"
        ]

    answers = [answer for each in at_once(crowd(alice, two, 4), send) for answer in each]
    found = reasons(answers)
    assert found["ok"] == 10, found
    assert set(found) <= {"ok", "Permission_Denied"}


def test_no_limit_is_overspent_by_those_who_allocate_beside_those_who_encrypt(two):
    alice = two[0].user()
    total = {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000000064"}
    key = alice.create(structure("UsageLimits", total, name("UsageLimitsUnit", "Byte")))
    requests = [
        (structure("Encrypt", uid(key), octets("Data", bytes(10))), 10),
        (structure("GetUsageAllocation", uid(key), long_number("UsageLimitsCount", 7)), 7),
    ]

    def send(user, n):
        body, units = requests[n // 2 % 2]  # of each on both servers
        return [(user.send(body), units) for _ in "12345"]

    answers = [answer for each in at_once(crowd(alice, two, 4), send) for answer in each]
    assert set(reasons([answer for answer, _ in answers])) <= {
        "ok", "Permission_Denied", "Usage_Limit_Exceeded",
    }  # fmt: skip
    given = sum(units for answer, units in answers if answer.status == 200)
    told = alice.do("GetAttributes", uid(key), name("AttributeReference", "UsageLimits"))
    left = int(told["Attributes", "UsageLimits", "UsageLimitsCount"], 16)
    assert given == 100 - left
    assert left < 10, "none was refused that there was enough for"


def test_of_many_who_adjust_a_number_each_is_counted(two):
    alice = two[0].user()
    key = alice.create()
    reference = name("AttributeReference", "RotateInterval")
    up = structure("AdjustAttribute", uid(key), reference, name("AdjustmentType", "Increment"))
    answers = at_once(crowd(alice, two), lambda user, n: [user.send(up) for _ in range(3)])
    assert reasons([answer for each in answers for answer in each]) == {"ok": 24}
    told = alice.do("GetAttributes", uid(key), reference)
    assert told["Attributes", "RotateInterval"] == 24


@pytest.mark.parametrize("option", ["Continue", "Stop", "Undo"])
def test_no_limit_is_overspent_by_batches(two, option):
    """Of a batch with Undo all uses count, or none: it is run again where others came first."""
    alice = two[0].user()
    total = {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x000000000000000b"}
    key = alice.create(structure("UsageLimits", total, name("UsageLimitsUnit", "Object")))

    def send(user, n):
        items = [batch_item("Encrypt", uid(key), octets("Data", b"x"), item_id=b"1")] * 2
        header = [name("BatchErrorContinuationOption", option)]
        return [user.ask(*items, header=header) for _ in "123"]

    rounds = [each for answers in at_once(crowd(alice, two, 4), send) for each in answers]
    successes = [sum(item["ResultStatus"] == "Success" for item in each) for each in rounds]
    assert sum(successes) == (10 if option == "Undo" else 11)
    if option == "Undo":
        assert set(successes) == {0, 2}


# --- states -------------------------------------------------------------------------------------


def test_revoking_at_once_is_revoking_once(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        answers = at_once(
            crowd(alice, two),
            lambda user, n, key=key: user.send(
                structure("Revoke", uid(key), text("RevocationReason", f"reason {n}"))
            ),
        )
        assert reasons(answers) == {"ok": 8}
        assert alice.state_of(key) == "Deactivated"


def test_compromise_wins_over_revocation_whoever_was_first(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        answers = at_once(
            crowd(alice, two),
            lambda user, n, key=key: user.send(
                structure("Revoke", uid(key), number("RevocationReason", 1 + n % 2))
            ),
        )
        assert reasons(answers) == {"ok": 8}
        assert alice.state_of(key) == "Compromised"


def test_destroying_at_once_is_destroying_once(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        alice.revoke(key)
        answers = at_once(
            crowd(alice, two), lambda user, n, key=key: user.send(structure("Destroy", uid(key)))
        )
        assert reasons(answers) == {"ok": 8}
        assert alice.state_of(key) == "Destroyed"


def test_archiving_at_once_is_archiving_once(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        answers = at_once(
            crowd(alice, two), lambda user, n, key=key: user.send(structure("Archive", uid(key)))
        )
        assert reasons(answers) == {"ok": 1, "Object_Archived": 7}
        answers = at_once(
            crowd(alice, two), lambda user, n, key=key: user.send(structure("Recover", uid(key)))
        )
        assert reasons(answers) == {"ok": 8}
        alice.on(two[1]).encrypt(key, b"x")


def test_nothing_is_decrypted_after_destroy_was_answered(two):
    """Requests that begin after the answer; those on their way may end either way."""
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()
        sealed = alice.encrypt(key, b"x" * 1000)
        alice.revoke(key)
        destroyed = threading.Event()
        late = []

        def send(user, n, key=key, sealed=sealed, destroyed=destroyed, late=late):
            if n == 0:
                user.destroy(key)
                destroyed.set()
                return
            for _ in range(1000):
                began_late = destroyed.is_set()
                answer = user.send(structure("Decrypt", uid(key), *sealed.items()))
                if began_late:
                    late.append(answer.status)
                    return
                assert answer.status == 200 or answer.text.startswith("Object_Destroyed")

        at_once(crowd(alice, two, 6), send)
        assert late == [422] * 5


def test_encryption_beside_revocation_is_whole_or_refused(two):
    alice = two[0].user()
    for _ in range(5):
        key = alice.create()

        def send(user, n, key=key):
            if n == 0:
                return user.send(structure("Revoke", uid(key)))
            return user.send(structure("Encrypt", uid(key), octets("Data", b"x" * 300_000)))

        found = reasons(at_once(crowd(alice, two), send))
        assert set(found) <= {"ok", "Wrong_Key_Lifecycle_State"}
        assert found["ok"] >= 1


def test_nothing_is_decrypted_after_a_withdrawal_was_answered(two):
    """Requests that begin after the answer, on either server, by name and through `*`."""
    alice, bob = two[0].user(), two[0].user()
    for grantee in (bob.name, "*", bob.name, "*"):
        key = alice.create(tags=["w"])
        sealed = alice.encrypt(key, b"x" * 1000)
        alice.grant(key, grantee, "decrypt")
        withdrawn = threading.Event()
        late = []

        def send(user, n, key=key, sealed=sealed, grantee=grantee, withdrawn=withdrawn, late=late):
            if n == 0:
                user.withdraw(key, grantee, "decrypt")
                withdrawn.set()
                return
            identifier = uid(key) if n % 2 else uid(["w"])
            for _ in range(1000):
                began_late = withdrawn.is_set()
                answer = user.send(structure("Decrypt", identifier, *sealed.items()))
                if began_late:
                    late.append(answer.status)
                    return
                assert answer.status == 200 or answer.text.startswith("Item_Not_Found: ")

        at_once([alice, *crowd(bob, two, 6)[1:]], send)
        assert late == [422] * 5


def test_a_grantee_changes_nothing_after_a_withdrawal_was_answered(two):
    alice, bob = two[0].user(), two[0].user()
    for _ in range(20):
        key = alice.create()
        alice.grant(key, bob, "revoke")
        states = []

        def send(user, n, key=key, states=states):
            if n == 0:
                user.withdraw(key, bob, "revoke")
                states.append(user.state_of(key))
                return None
            return user.send(structure("Revoke", uid(key)))

        at_once([alice, bob.on(two[1])], send)
        states.append(alice.state_of(key))
        assert states[0] == states[1], "what was withdrawn did nothing later"


def test_granting_at_once_is_granting_once(two):
    alice, bob = two[0].user(), two[0].user()
    key = alice.create()
    at_once(crowd(alice, two), lambda user, n: user.grant(key, bob, "get", "encrypt"))
    assert alice.grants_on(key) == {bob.name: ["encrypt", "get"]}
    at_once(crowd(alice, two), lambda user, n: user.withdraw(key, bob, "get"))
    assert alice.grants_on(key) == {bob.name: ["encrypt"]}


def test_an_identifier_does_not_change_hands_while_its_object_is_removed(two):
    """The owner removes it and grants, while somebody else keeps trying to import it."""
    alice, carol, bob = (two[0].user() for _ in range(3))
    for turn in range(5):
        wanted = f"hands-{turn}"
        alice.import_key(wanted, bytes(16))
        alice.revoke(wanted)
        get_for_bob = {"unique_identifier": wanted, "user_id": bob.name, "operation_type": "get"}
        removed = threading.Event()

        def send(user, n, wanted=wanted, removed=removed, get_for_bob=get_for_bob):
            if n == 0:
                user.destroy(wanted, remove=True)
                removed.set()
                return
            left = 5  # once it is removed
            while left:
                left -= removed.is_set()
                if n == 1:
                    line = user.refused("Import", *import_items(wanted, bytes(16)))
                    assert line.startswith("Object_Already_Exists: ")
                else:
                    user.change_access("grant", get_for_bob)

        at_once([alice, carol, alice.on(two[1]), alice.again()], send)
        assert bob.refused("Get", uid(wanted)).startswith("Item_Not_Found: ")
        assert alice.import_key(wanted, bytes(16)) == wanted
        assert alice.grants_on(wanted) == {}, "nor does it take a grant along"


@pytest.mark.parametrize("is_message", [False, True], ids=["bare", "message"])
@pytest.mark.parametrize("operation", ["Encrypt", "DeriveKey"])
def test_of_many_at_once_on_one_object_all_succeed(two, operation, is_message):
    """Each changes the object (its limit, its links), so that each meets the others' conflicts."""
    alice = two[0].user()
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000000018"},
        name("UsageLimitsUnit", "Object"),
    )
    key = alice.create(limits, mask=0x204)
    items = [octets("Data", b"x")]
    if operation == "DeriveKey":
        items = [
            name("ObjectType", "SymmetricKey"),
            name("DerivationMethod", "HMAC"),
            structure("DerivationParameters", octets("DerivationData", b"x")),
            attributes(bits=256),
        ]

    def send(user, position):
        if is_message:
            (answer,) = user.ask(batch_item(operation, uid(key), *items))
            assert answer["ResultStatus"] == "Success", answer.item
        else:
            user.do(operation, uid(key), *items)

    at_once([alice.again() for _ in range(24)], send)
    assert alice.refused("Encrypt", uid(key), octets("Data", b"x")).startswith("Permission_Denied")
