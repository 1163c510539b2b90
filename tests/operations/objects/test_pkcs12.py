"""PKCS#12 in Register and Import: its parts become objects, and its password is nowhere afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import KeyFormatType, LinkType, ObjectType, Operation
from kms_tornado.kmip.key_material import KeyMaterialField
from kms_tornado.kmip.objects import KeyBlock, KeyValue, PrivateKey
from kms_tornado.kmip.payloads import RegisterRequest
from kms_tornado.kmip.structures import Link
from kms_tornado.operations.objects import pkcs12 as parts

from ...crypto.keys import pkcs12_files as files
from ...kmip_items import (
    ACTIVATED,
    batch_item,
    flag,
    name,
    named,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from .. import inside
from ..new_objects import key_block
from .pkcs12_parts import (
    CHAIN,
    EC,
    FILE,
    PASSWORD,
    PKCS8,
    RSA,
    attributes_of,
    imported,
    links_of,
    password_link,
    refused,
    secret,
)


def certificate_of(user, key):
    (result,) = user.ask(batch_item("Get", uid(key)))
    fields = {e["tag"]: e["value"] for e in result["ResponsePayload", "Certificate"]}
    return bytes.fromhex(fields["CertificateValue"])


def key_of(user, key):
    (result,) = user.ask(batch_item("Get", uid(key), name("KeyFormatType", "PKCS_8")))
    block = {e["tag"]: e["value"] for e in result["ResponsePayload", "PrivateKey", "KeyBlock"]}
    return bytes.fromhex(block["KeyValue"][0]["value"])


@pytest.mark.parametrize("operation", ["Import", "Register"])
def test_file_becomes_its_parts_linked_to_one_another(alice, operation):
    key = imported(alice, FILE, password_link(PASSWORD), operation=operation)
    assert key_of(alice, key) == PKCS8
    uids = [links_of(alice, key)["PKCS_12CertificateLink"]]
    assert links_of(alice, uids[0])["PrivateKeyLink"] == key
    for _ in range(2):
        uids.append(links_of(alice, uids[-1])["CertificateLink"])
    assert [certificate_of(alice, each) for each in uids] == CHAIN
    assert links_of(alice, uids[-1]) == {}
    assert alice.locate()[0] == 4


def test_cosmian_s_client_brings_one(alice):
    """A bare Import, with the password in the attributes."""
    block = structure("Object", key_block("PKCS12", octets("KeyMaterial", FILE)))
    link = structure("Link", *[structure("Link", *password_link(PASSWORD)["value"])])
    key = alice.do("Import", uid("p12"), name("ObjectType", "PrivateKey"),
                   structure("Attributes", link, tagged("mail")), block).uid  # fmt: skip
    assert key == "p12"
    assert alice.state_of(key) == "Active"
    assert alice.do("Get", uid(["mail", "_cert"]))["ObjectType"] == "Certificate"
    assert alice.locate()[0] == 4


def test_what_describes_the_key_is_the_key_s(alice):
    key = imported(alice, FILE, password_link(PASSWORD), ACTIVATED, flag("Sensitive", True),
                   named("billing"))  # fmt: skip
    assert alice.state_of(key) == "Active"
    leaf = links_of(alice, key)["PKCS_12CertificateLink"]
    assert certificate_of(alice, leaf) == CHAIN[0]
    assert alice.state_of(leaf) == "Active"
    fields = {each["tag"]: each["value"] for each in attributes_of(alice, key)}
    assert fields["PKCS_12FriendlyName"] == "Billing"
    assert fields["KeyFormatType"] == "PKCS_8"
    assert fields["CryptographicAlgorithm"] == "RSA"


def test_key_that_is_named_is_taken_with_its_own_certificates(alice):
    both = files.pfx(files.safe(
        files.key_bag(RSA, files.named("a")), files.key_bag(EC, files.named("b")),
        files.certificate_bag(CHAIN[0]), files.certificate_bag(files.certificate_of(EC)),
    ))  # fmt: skip
    reason, message = refused(alice, both)
    assert (reason, "2 private keys: say which by PKCS12FriendlyName" in message) == (
        "InvalidField",
        True,
    )
    key = imported(alice, both, text("PKCS_12FriendlyName", "B"))
    assert key_of(alice, key) == files.pkcs8(EC)
    assert alice.locate()[0] == 2


def test_file_without_certificates_is_a_key(alice):
    key = imported(alice, files.pfx(files.safe(files.key_bag(EC))))
    assert links_of(alice, key) == {}
    assert alice.locate()[0] == 1


@pytest.mark.parametrize("length", [1000, 100, 40, 1, 0])
def test_file_that_is_cut_off_leaves_nothing(alice, length):
    reason, _ = refused(alice, FILE[:length], password_link(PASSWORD))
    assert reason in {"InvalidField", "BadPassword"}


def test_certificate_that_is_none_leaves_nothing(alice):
    bad = files.pfx(files.safe(files.key_bag(EC), files.certificate_bag(b"none")))
    assert refused(alice, bad)[0] == "InvalidField"


def test_name_that_is_taken_leaves_nothing(alice):
    held = named("taken")
    imported(alice, files.pfx(files.safe(files.key_bag(EC))), held)
    assert refused(alice, FILE, password_link(PASSWORD), held)[0] == "NonUniqueNameAttribute"


def test_import_replaces_the_key_where_that_is_asked_for(alice):
    key = imported(alice, files.pfx(files.safe(files.key_bag(EC))))
    assert refused(alice, FILE, password_link(PASSWORD), identifier=key)[0] == "ObjectAlreadyExists"
    again = imported(alice, FILE, password_link(PASSWORD), identifier=key,
                     more=[flag("ReplaceExisting", True)])  # fmt: skip
    assert again == key
    assert key_of(alice, key) == PKCS8
    assert alice.locate()[0] == 4


def test_file_that_asks_for_endless_work_is_refused(alice):
    bomb = files.pfx(mac=files.mac(10**8))
    assert refused(alice, bomb)[0] == "InvalidField"


def test_key_that_is_no_pkcs12_is_told_what_it_looks_like(alice):
    reason, message = refused(alice, PKCS8)
    assert (reason, "state KeyFormatType PKCS_8" in message) == ("InvalidField", True)


@pytest.mark.parametrize("object_type", ["PublicKey", "SymmetricKey"])
def test_other_objects_are_no_pkcs12(alice, object_type):
    held = structure(
        object_type, key_block("PKCS_12", octets("KeyMaterial", FILE), algorithm="AES", length=128)
    )
    (result,) = alice.ask(
        batch_item("Register", name("ObjectType", object_type), structure("Attributes"), held)
    )
    assert result["ResultReason"] == "KeyFormatTypeNotSupported"


def test_certificates_are_read_off_the_event_loop(tmp_path, monkeypatch):
    """A file may have dozens, each with hundreds of names."""

    async def on_a_thread(function, *, principal, heavy=False, size=0):
        return await asyncio.to_thread(function)

    def spy(function):
        def called(*args):
            assert threading.current_thread() is not threading.main_thread()
            read.append(function.__name__)
            return function(*args)

        return called

    read = []
    monkeypatch.setattr(inside, "at_once", on_a_thread)
    for function in (parts.find_issuers, parts.describe_certificate):
        monkeypatch.setattr(parts, function.__name__, spy(function))
    key = PrivateKey(KeyBlock(KeyFormatType.PKCS12, key_value=KeyValue(KeyMaterialField(FILE))))
    password = Attributes(links=(Link(LinkType.PKCS12_PASSWORD_LINK, PASSWORD),))
    with inside.Inside(tmp_path) as kms:
        request = RegisterRequest(ObjectType.PRIVATE_KEY, password, key)
        kms.do(inside.ALICE, Operation.REGISTER, request)
    assert read == ["find_issuers"] + 3 * ["describe_certificate"]


# --- the password -------------------------------------------------------------------------------


@pytest.mark.parametrize("key_format", ["Raw", "Opaque"])
def test_password_may_be_a_secret_that_the_link_names(alice, key_format):
    """As the specification has it: the link stays, for who gets the key."""
    held = secret(alice, PASSWORD.encode(), ACTIVATED, key_format=key_format)
    key = imported(alice, FILE, password_link(held))
    assert links_of(alice, key)["PKCS_12PasswordLink"] == held


@pytest.mark.parametrize(
    ("more", "wording"),
    [
        pytest.param([], "not Active", id="Pre-Active"),
        pytest.param([ACTIVATED, flag("Sensitive", True)], "is Sensitive", id="Sensitive"),
        pytest.param([ACTIVATED, flag("Extractable", False)], "not Extractable", id="kept inside"),
    ],
)
def test_secret_that_cannot_be_used_is_told(alice, more, wording):
    held = secret(alice, PASSWORD.encode(), *more)
    reason, message = refused(alice, FILE, password_link(held))
    assert (reason, wording in message) == ("BadPassword", True)


def test_secret_of_somebody_else_is_none(alice, bob):
    held = secret(bob, PASSWORD.encode(), ACTIVATED)
    reason, message = refused(alice, FILE, password_link(held))
    assert (reason, "does not open" in message) == ("BadPassword", True)
    assert held not in message


def test_several_passwords_are_none(alice):
    links = [password_link(PASSWORD), password_link("other")]
    assert refused(alice, FILE, *links)[0] == "BadPassword"


@pytest.mark.parametrize("wrong", ["xk7", '["a"]', "[", "x" * 5000])
def test_wrong_password_is_told_and_not_repeated(alice, wrong):
    reason, message = refused(alice, FILE, password_link(wrong))
    assert reason == "BadPassword"
    assert wrong not in message


def test_missing_password_is_told(alice):
    reason, message = refused(alice, FILE)
    assert (reason, message) == (
        "BadPassword", "the PKCS#12 is encrypted, and no password came with it",
    )  # fmt: skip


def test_password_is_in_no_log_no_attribute_and_no_database(alice, kms):
    imported(alice, FILE, password_link(PASSWORD))
    refused(alice, FILE[:-1] + b"\1", password_link(PASSWORD))
    assert PASSWORD not in str([attributes_of(alice, each) for each in alice.locate()[1]])
    assert PASSWORD not in kms.log
    with sqlite3.connect(kms.data_dir / "kms.db") as database:
        assert PASSWORD not in "\n".join(database.iterdump())
