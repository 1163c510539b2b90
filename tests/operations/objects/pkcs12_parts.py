"""A PKCS#12 file with a key and its chain, and what becomes of it."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from ...crypto.keys import pkcs12_files as files
from ...keys import private_key, rsa_key
from ...kmip_items import batch_item, name, number, octets, structure, text, uid
from ..new_objects import key_block, registered

RSA, EC = rsa_key(2048), private_key("ES256")
#: No other test has it: it must not be found anywhere.
PASSWORD = "Xk7-päss wörd-42"
ENCRYPTION = (
    s.PrivateFormat.PKCS12.encryption_builder()
    .kdf_rounds(2000)
    .hmac_hash(hashes.SHA256())
    .build(PASSWORD.encode())
)


def certificate(subject, key, issuer, issuer_key):
    now = datetime.datetime.now(datetime.UTC)
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (subject, issuer)
    ]
    return (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number(),
                                now, now + datetime.timedelta(days=9))
        .sign(issuer_key, hashes.SHA256())
    )  # fmt: skip


ROOT_KEY, MIDDLE_KEY = private_key("ES256", "root"), private_key("ES256", "middle")
ROOT = certificate("root", ROOT_KEY, "root", ROOT_KEY)
MIDDLE = certificate("middle", MIDDLE_KEY, "root", ROOT_KEY)
LEAF = certificate("leaf", RSA, "middle", MIDDLE_KEY)
CHAIN = [each.public_bytes(s.Encoding.DER) for each in (LEAF, MIDDLE, ROOT)]
FILE = pkcs12.serialize_key_and_certificates(b"Billing", RSA, LEAF, [ROOT, MIDDLE], ENCRYPTION)


PKCS8 = files.pkcs8(RSA)


def password_link(value):
    return structure("Link", name("LinkType", "PKCS12PasswordLink"),
                     text("LinkedObjectIdentifier", value))  # fmt: skip


def items(
    octets_of_file, *attributes, operation="Import", tag="PrivateKey", identifier="", more=()
):
    held = structure(tag, key_block("PKCS_12", octets("KeyMaterial", octets_of_file)))
    first = [uid(identifier)] if operation == "Import" else []
    return [
        *first,
        name("ObjectType", "PrivateKey"),
        *more,
        structure("Attributes", *attributes),
        held,
    ]


def ask(user, octets_of_file, *attributes, operation="Import", **more):
    (result,) = user.ask(
        batch_item(operation, *items(octets_of_file, *attributes, operation=operation, **more))
    )
    return result


def imported(user, octets_of_file, *attributes, **more):
    result = ask(user, octets_of_file, *attributes, **more)
    assert result["ResultStatus"] == "Success", result.item
    return result["ResponsePayload", "UniqueIdentifier"]


def refused(user, octets_of_file, *attributes, **more):
    """(reason, message); nothing is stored."""
    before = user.locate()
    result = ask(user, octets_of_file, *attributes, **more)
    assert result["ResultStatus"] == "OperationFailed", result.item
    assert user.locate() == before
    return result["ResultReason"], result["ResultMessage"]


def attributes_of(user, key):
    (result,) = user.ask(batch_item("GetAttributes", uid(key)))
    return result["ResponsePayload", "Attributes"]


def links_of(user, key):
    """{LinkType: identifier}."""
    found = {}
    for each in attributes_of(user, key):
        if each["tag"] == "Link":
            fields = {part["tag"]: part["value"] for part in each["value"]}
            found[fields["LinkType"]] = fields["LinkedObjectIdentifier"]
    return found


def secret(user, value, *more, key_format="Raw"):
    held = structure("SecretData", name("SecretDataType", "Password"),
                     key_block(key_format, octets("KeyMaterial", value)))  # fmt: skip
    return registered(user, "SecretData", held, number("CryptographicUsageMask", 0x200), *more)
