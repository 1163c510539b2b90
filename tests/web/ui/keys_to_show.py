"""Keys with something to see, for tests and pictures of the page's views: of each state, shared, used and refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ...kmip_items import attributes, date, long_number, name, octets, structure, tagged, text, uid
from ...kms import User

BOB = "bob@example.com"
#: A name that does something in a page that takes it for markup.
HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


def make_keys(alice: User, bob: User, *, is_hostile: bool = True) -> None:
    """Keys of Alice's; some are shared with Bob, who uses what he may, and is refused the rest."""
    create(alice, "invoices-2026", tagged("billing", "production"), named="Invoices")
    create(alice, "backups", ends_in(9), named="Backups of the ERP")
    create(alice, "next-year", date("ActivationDate", in_days(33)), named="Invoices, next year")
    limits = long_number("UsageLimitsTotal", 20), name("UsageLimitsUnit", "Object")
    create(alice, "tokens", structure("UsageLimits", *limits), named="Signing of tokens")
    create(alice, "old", named="Archive 2019")
    create(alice, "leaked", named="Web shop")
    if is_hostile:
        create(alice, "hostile", named=HOSTILE)
        foreign = (text("VendorIdentification", "x"), text("AttributeName", "tag"))
        value = octets("AttributeValue", b"null")
        alice.do(
            "AddAttribute",
            uid("hostile"),
            structure("NewAttribute", structure("Attribute", *foreign, value)),
        )
    for number in range(1, 4):
        create(alice, f"customer-{number}", named=f"Customer {number}")
    revoke(alice, "leaked", "KeyCompromise")
    revoke(alice, "old", "CessationOfOperation")
    alice.do("Destroy", uid("old"))
    grant(alice, "invoices-2026", BOB, "encrypt", "decrypt", "get_attributes")
    grant(alice, "tokens", BOB, "get")
    grant(alice, "backups", "*", "encrypt")
    alice.do("ReKey", uid("customer-3"))
    for user, key, uses in (
        (alice, "invoices-2026", 6),
        (bob, "invoices-2026", 3),
        (alice, "tokens", 18),
    ):
        for _ in range(uses):
            user.do("Encrypt", uid(key), octets("Data", b"something"))
    bob.refused("Get", uid("invoices-2026"))
    bob.refused("Encrypt", uid("customer-1"), octets("Data", b"something"))
    alice.refused("Encrypt", uid("next-year"), octets("Data", b"something"))
    create(bob, "bobs-own", named="Bob's notes")


def create(user: User, key: str, *more: Any, named: str) -> None:
    kind = name("NameType", "UninterpretedTextString")
    named_so = structure("Name", text("NameValue", named), kind)
    fields = attributes(text("UniqueIdentifier", key), named_so, *more, bits=256, mask=12)
    user.do("Create", name("ObjectType", "SymmetricKey"), fields)


def grant(user: User, key: str, to: str, *operations: str) -> None:
    body = {"unique_identifier": key, "user_id": to, "operation_types": [*operations]}
    data = json.dumps(body).encode()
    answer = user.exchange("POST", "/access/grant", data, content_type="application/json")
    assert answer.status == 200, answer.text


def revoke(user: User, key: str, reason: str) -> None:
    user.do("Revoke", uid(key), structure("RevocationReason", name("RevocationReasonCode", reason)))


def ends_in(days: int) -> Any:
    return date("DeactivationDate", in_days(days))


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
