"""PKCS#12 from Get and Export: the key, its certificate and those above it, under the secret that a link names."""

from __future__ import annotations

import subprocess

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.serialization import pkcs12

from ...kmip_items import ACTIVATED, batch_item, flag, name, octets, structure, text, uid
from ...outside_keys import of_openssl
from ..new_objects import key_block, registered
from .pkcs12_parts import CHAIN, FILE, PASSWORD, PKCS8, imported, links_of, password_link, secret


def ask(user, key, *more, operation="Get"):
    (result,) = user.ask(batch_item(operation, uid(key), name("KeyFormatType", "PKCS_12"), *more))
    return result


def given_out(user, key, operation="Get"):
    """The file."""
    result = ask(user, key, operation=operation)
    assert result["ResultStatus"] == "Success", result.item
    assert result["ResponsePayload", "ObjectType"] == "PrivateKey"
    block = result["ResponsePayload", "PrivateKey", "KeyBlock"]
    assert [each["tag"] for each in block] == ["KeyFormatType", "KeyValue"]
    assert block[0]["value"] == "PKCS_12"
    (material,) = block[1]["value"]
    return bytes.fromhex(material["value"])


def refused(user, key, *more):
    result = ask(user, key, *more)
    assert result["ResultStatus"] == "OperationFailed", result.item
    return result["ResultReason"], result["ResultMessage"]


def opened(file):
    """(PKCS#8, friendly name, certificates in DER, its own first)"""
    parts = pkcs12.load_pkcs12(file, PASSWORD.encode())
    key = parts.key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())
    certificates = [each.certificate for each in (parts.cert, *parts.additional_certs)]
    return (
        key,
        parts.cert.friendly_name,
        [each.public_bytes(s.Encoding.DER) for each in certificates],
    )


def link(kind, identifier):
    return structure("Link", name("LinkType", kind), text("LinkedObjectIdentifier", identifier))


def certificate(user, octets_of_it, *more):
    held = structure(
        "Certificate", name("CertificateType", "X_509"), octets("CertificateValue", octets_of_it)
    )
    return registered(user, "Certificate", held, *more)


def private_key(user, *more, material=PKCS8):
    held = structure("PrivateKey", key_block("PKCS_8", octets("KeyMaterial", material)))
    return registered(user, "PrivateKey", held, *more)


def public_key(user, *more):
    material = octets("KeyMaterial", of_openssl()["RSA"].public)
    held = structure("PublicKey", key_block("X_509", material))
    return registered(user, "PublicKey", held, *more)


@pytest.fixture
def password(alice):
    """The link to a secret of hers."""
    return password_link(secret(alice, PASSWORD.encode(), ACTIVATED))


@pytest.mark.parametrize("operation", ["Get", "Export"])
def test_file_comes_back_as_it_was_brought(alice, password, operation):
    key = imported(alice, FILE, password)
    file = given_out(alice, key, operation)
    assert opened(file) == (PKCS8, b"Billing", CHAIN)
    run = subprocess.run(
        ["openssl", "pkcs12", "-noenc", "-info", "-passin", f"pass:{PASSWORD}"],
        input=file, capture_output=True, check=True,
    )  # fmt: skip
    assert b"PBES2, PBKDF2, AES-256-CBC" in run.stderr
    again = imported(alice, file, password)
    assert links_of(alice, again).keys() == {"PKCS_12PasswordLink", "PKCS_12CertificateLink"}


@pytest.mark.parametrize("operation", ["Get", "Export"])
def test_file_may_be_asked_for_by_the_certificate(alice, password, operation):
    key = imported(alice, FILE, password)
    leaf = links_of(alice, key)["PKCS_12CertificateLink"]
    assert opened(given_out(alice, leaf, operation)) == (PKCS8, b"Billing", CHAIN)
    answer = ask(alice, leaf, operation=operation)
    assert answer["ResponsePayload", "UniqueIdentifier"] == key


def test_certificate_that_is_named_is_the_one_in_the_file(alice, password):
    """Whichever others the key has; its own link to the password counts, and one to the public key leads to the key."""
    key = private_key(alice)
    public = public_key(alice, link("PrivateKeyLink", key))
    root = certificate(alice, CHAIN[2])
    leaf = certificate(
        alice, CHAIN[0], password, link("PublicKeyLink", public), link("CertificateLink", root)
    )
    for each in (leaf, root):
        added = structure("NewAttribute", link("CertificateLink", each))
        alice.do("AddAttribute", uid(key), added)
    assert opened(given_out(alice, leaf)) == (PKCS8, b"alias", [CHAIN[0], CHAIN[2]])


def test_certificate_leads_to_no_key_that_the_caller_may_not_get(alice, bob, password):
    key = imported(alice, FILE, password)
    leaf = links_of(alice, key)["PKCS_12CertificateLink"]
    alice.grant(leaf, bob, "get")
    assert refused(bob, leaf)[0] == "ItemNotFound"
    assert refused(alice, certificate(alice, CHAIN[1])) == (
        "InvalidField",
        "the certificate has no link to its private key, which a PKCS#12 holds beside it",
    )


def test_chain_is_found_by_the_public_key_and_the_name_is_alias_by_default(alice, password):
    root = certificate(alice, CHAIN[2])
    middle = certificate(alice, CHAIN[1], link("CertificateLink", root))
    leaf = certificate(alice, CHAIN[0], link("PKCS_12CertificateLink", middle))
    public = public_key(alice, link("PKCS_12CertificateLink", leaf))
    key = private_key(alice, password, link("PublicKeyLink", public))
    assert opened(given_out(alice, key)) == (PKCS8, b"alias", CHAIN)


def test_link_to_the_certificate_itself_ends_the_chain(alice, password):
    """As some have it for a root."""
    root = certificate(alice, CHAIN[2])
    alice.do("AddAttribute", uid(root), structure("NewAttribute", link("CertificateLink", root)))
    leaf = certificate(alice, CHAIN[0], link("CertificateLink", root))
    key = private_key(alice, password, link("CertificateLink", leaf))
    assert opened(given_out(alice, key))[2] == [CHAIN[0], CHAIN[2]]


def test_chain_that_is_none_is_told(alice, password):
    leaf, other = certificate(alice, CHAIN[0]), certificate(alice, CHAIN[1])
    alone = private_key(alice, password)
    assert refused(alice, alone) == (
        "InvalidField", "the key has no link to its certificate, which a PKCS#12 holds beside it",
    )  # fmt: skip
    to_leaf, to_other = link("CertificateLink", leaf), link("CertificateLink", other)
    forked = private_key(alice, password, to_leaf, to_other)
    reason, message = refused(alice, forked)
    assert (reason, "a PKCS#12 holds one chain of certificates" in message) == (
        "InvalidField",
        True,
    )
    for one, added in ((leaf, to_other), (other, to_leaf)):
        alice.do("AddAttribute", uid(one), structure("NewAttribute", added))
    circle = private_key(alice, password, to_leaf)
    assert refused(alice, circle) == (
        "InvalidField", "the links of the certificates lead in a circle",
    )  # fmt: skip


def test_certificate_that_was_withdrawn_is_not_in_the_file(alice, bob, password):
    """Who gets the key gets what is beside it by rights of their own."""
    leaf = certificate(bob, CHAIN[0])
    bob.grant(leaf, alice, "get")
    key = private_key(alice, password, link("PKCS_12CertificateLink", leaf))
    assert opened(given_out(alice, key))[2] == [CHAIN[0]]
    bob.withdraw(leaf, alice, "get")
    assert refused(alice, key)[0] == "ItemNotFound"


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        pytest.param(0, "BadPassword", id="none"),
        pytest.param(2, "BadPassword", id="several"),
    ],
)
def test_password_is_one_link(alice, links, reason):
    leaf = certificate(alice, CHAIN[0])
    passwords = [password_link(secret(alice, b"x", ACTIVATED)) for _ in range(links)]
    key = private_key(alice, link("CertificateLink", leaf), *passwords)
    assert refused(alice, key)[0] == reason


@pytest.mark.parametrize(
    ("value", "more", "wording"),
    [
        pytest.param(b"x", [], "not Active", id="Pre-Active"),
        pytest.param(b"x", [ACTIVATED, flag("Sensitive", True)], "is Sensitive", id="Sensitive"),
        pytest.param(b"\xff", [ACTIVATED], "UTF-8", id="no text"),
    ],
)
def test_secret_that_is_no_password_is_told(alice, value, more, wording):
    leaf = certificate(alice, CHAIN[0])
    held = password_link(secret(alice, value, *more))
    reason, message = refused(alice, private_key(alice, link("CertificateLink", leaf), held))
    assert (reason, wording in message) == ("BadPassword", True)


def test_secret_that_a_grantee_may_not_get_protects_nothing_for_them(alice, bob, password):
    key = imported(alice, FILE, password)
    alice.grant(key, bob, "get")
    assert refused(bob, key) == (
        "BadPassword", "PKCS12PasswordLink names no SecretData that you may get",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([flag("Sensitive", True)], "Sensitive"),
        ([flag("Extractable", False)], "NotExtractable"),
    ],
)
def test_key_that_leaves_wrapped_only_leaves_in_no_file(alice, password, more, reason):
    assert refused(alice, imported(alice, FILE, password, *more))[0] == reason


def test_key_that_the_library_writes_into_no_file_is_told(alice, password):
    leaf = link("CertificateLink", certificate(alice, CHAIN[0]))
    for kind in ("RSA-PSS", "X25519", "brainpoolP160r1"):
        key = private_key(alice, password, leaf, material=of_openssl()[kind].private)
        reason, message = refused(alice, key)
        assert reason == "KeyFormatTypeNotSupported", kind
        assert message.endswith("ask for PKCS_8")


def test_certificate_of_another_key_is_refused(alice, password):
    key = private_key(alice, password, link("CertificateLink", certificate(alice, CHAIN[1])))
    assert refused(alice, key)[0] == "KeyFormatTypeNotSupported"
