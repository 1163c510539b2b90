"""Locate by every attribute: what has it is found, what has another value or none is not."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from kms_tornado.domain import dates
from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    NameType,
    ObjectType,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
)
from kms_tornado.kmip.payloads import DateRange
from kms_tornado.kmip.schema import tag_of
from kms_tornado.kmip.structures import (
    AlternativeName,
    ApplicationSpecificInformation,
    CryptographicDomainParameters,
    CryptographicParameters,
    Digest,
    KeyValueLocation,
    Link,
    Name,
    RandomNumberGenerator,
    RevocationReason,
    RotateName,
    UsageLimits,
    VendorAttribute,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from kms_tornado.kmip.ttlv import ItemType, Node, structure
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.sql.search import searches as search
from kms_tornado.store.sql.search.searches import SearchStatements
from kms_tornado.store.sql.statements import SQLITE

from .... import postgres
from ....rows import each_row
from ...conftest import DATABASES
from ...helpers import ALICE, BOB, an_object, locate, run, seeking, with_store

LONG = "x" * 5000

#: field → a value that matches, one that does not; of a list, one element of it.
VALUES = {
    "activation_date": (1_700_000_000, 1_700_000_001),
    "alternative_names": (AlternativeName("a", 1), AlternativeName("a", 2)),
    "always_sensitive": (True, False),
    "application_specific_information": (
        ApplicationSpecificInformation("ssl", "www.example.com"),
        ApplicationSpecificInformation("ssl", "www.example.org"),
    ),
    "archive_date": (0, 1),
    "certificate_length": (1000, 1001),
    "certificate_type": (CertificateType.X509, CertificateType.PGP),
    "comment": ("50 %", "50 _"),
    "compromise_date": (-1, 1),
    "compromise_occurrence_date": (5, 6),
    "contact_information": ("o'hara", "o''hara"),
    "cryptographic_algorithm": (CryptographicAlgorithm.AES, CryptographicAlgorithm.RSA),
    "cryptographic_domain_parameters": (
        CryptographicDomainParameters(256, 7),
        CryptographicDomainParameters(256, 8),
    ),
    "cryptographic_length": (128, 256),
    "cryptographic_parameters": (
        CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256, random_iv=True),
        CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256, random_iv=False),
    ),
    "cryptographic_usage_mask": (0xC, 0x8),
    "deactivation_date": (10**10, 10**10 + 1),
    "description": (LONG, LONG + "y"),
    "destroy_date": (7, 8),
    "digests": (
        Digest(HashingAlgorithm.SHA_256, b"\0\1", KeyFormatType.RAW),
        Digest(HashingAlgorithm.SHA_256, b"\0\2", KeyFormatType.RAW),
    ),
    "digital_signature_algorithms": (3, 4),
    "extractable": (False, True),
    "fresh": (True, False),
    "initial_date": (1, 2),
    "key_format_type": (KeyFormatType.RAW, KeyFormatType.PKCS1),
    "key_value_location": (KeyValueLocation("here", 1), KeyValueLocation("there", 1)),
    "key_value_present": (True, False),
    "last_change_date": (3, 4),
    "lease_time": (60, 61),  # 3600 is found, too, where none is stored
    "links": (Link(LinkType.PRIVATE_KEY_LINK, "k"), Link(LinkType.PUBLIC_KEY_LINK, "k")),
    "names": (Name("n"), Name("n", NameType.URI)),
    "never_extractable": (True, False),
    "nist_key_types": (1, 2),
    "object_groups": ("payroll", "pay_oll"),
    "opaque_data_type": (0x80000001, 0x80000002),
    "original_creation_date": (9, 10),
    "pkcs_12_friendly_name": ("é", "e"),
    "process_start_date": (11, 12),
    "protect_stop_date": (13, 14),
    "protection_level": (1, 2),
    "protection_period": (60, 61),
    "protection_storage_mask": (1, 2),
    "quantum_safe": (True, False),
    "random_number_generator": (RandomNumberGenerator(2), RandomNumberGenerator(3)),
    "revocation_reason": (
        RevocationReason(RevocationReasonCode.SUPERSEDED, "old"),
        RevocationReason(RevocationReasonCode.SUPERSEDED, "OLD"),
    ),
    "rotate_automatic": (True, False),
    "rotate_date": (15, 16),
    "rotate_generation": (0, 1),
    "rotate_interval": (100, 101),
    "rotate_latest": (True, False),
    "rotate_name": (RotateName("r", 1), RotateName("R", 1)),
    "rotate_offset": (1, 2),
    "sensitive": (True, False),
    "short_unique_identifier": (b"\0" * 8, b"\0" * 9),
    "usage_limits": (
        UsageLimits(100, 50, UsageLimitsUnit.BYTE),
        UsageLimits(100, 50, UsageLimitsUnit.OBJECT),
    ),
    "x_509_certificate_identifier": (
        X509CertificateIdentifier(b"ca", b"\1"),
        X509CertificateIdentifier(b"ca", b"\2"),
    ),
    "x_509_certificate_issuer": (
        X509CertificateIssuer(b"ca", (b"alt",)),
        X509CertificateIssuer(b"ca", (b"tla",)),
    ),
    "x_509_certificate_subject": (X509CertificateSubject(b"me"), X509CertificateSubject(b"you")),
    "vendor_attributes": (
        VendorAttribute.of_bytes("me", "colour", b"red"),
        VendorAttribute.of_bytes("me", "colour", b"blue"),
    ),
}  # fmt: skip
VALUES |= {
    each.name: ("a", "b")
    for each in dataclasses.fields(Attributes)
    if each.name.startswith(("certificate_issuer_", "certificate_subject_"))
}
#: These have columns or tables of their own, and tests in test_search.py.
KEPT_APART = {"object_group_member", "object_type", "state", "unique_identifier"}


def attributes_with(field, value):
    is_repeated = isinstance(getattr(Attributes(), field), tuple)
    return Attributes(**{field: (value,) if is_repeated else value})


DATES = [field for field in VALUES if field.endswith("_date")]
CAROL = "carol@example.com"


def stock():
    """Alice has of each attribute what matches and what does not, Bob what matches, Carol dates."""
    yield an_object("none", attributes=Attributes())
    for field, (value, another) in VALUES.items():
        yield an_object(field, attributes=attributes_with(field, value))
        yield an_object(f"{field}/another", attributes=attributes_with(field, another))
        yield an_object(f"{field}/bob's", attributes=attributes_with(field, value), owner=BOB)
    for field in DATES:
        for date in (5, 10, 15, 20, 25):
            held = attributes_with(field, date)
            yield an_object(f"{field} {date}", attributes=held, owner=CAROL)


async def found_in(store, wanted, principal=ALICE):
    """The names of those that are found, in the order of the alphabet."""
    total, found = await locate(
        store, LocateSearch(wanted, principal=principal, offset=0, maximum=100)
    )
    assert total == len(found)
    return " ".join(sorted(found))


def located(place, stock, wanted):
    async def body(store):
        await store.commit([Insert(each) for each in stock])
        return await found_in(store, wanted)

    return with_store(place, body)


def test_every_attribute_is_in_the_table():
    assert set(VALUES) == {each.name for each in dataclasses.fields(Attributes)} - KEPT_APART


RANGES = {
    "both ends belong to it": (10, 20, "10 15 20"),
    "inside": (11, 19, "15"),
    "open": (21, 2**63 - 1, "25"),
    "beyond": (26, 30, ""),
}


@pytest.fixture(scope="module", params=DATABASES)
def answers(request, tmp_path_factory):
    """What was found by each attribute, and in each range of each date, on one filled database."""

    async def body(store):
        await store.commit([Insert(each) for each in stock()])
        found = {}
        for field, (value, _) in VALUES.items():
            wanted = attributes_with(field, value)
            names = {each.name: getattr(wanted, each.name) for each in dataclasses.fields(wanted)}
            found[field] = await found_in(store, seeking(archived=None, **names))
        for field in DATES:
            for name, (earliest, latest, _) in RANGES.items():
                one = DateRange(tag_of(Attributes, field), earliest, latest)
                wanted = ObjectFilter(ranges=(one,), archived=None)
                found[field, name] = await found_in(store, wanted, CAROL)
        return found

    if request.param == "sqlite":
        return with_store(tmp_path_factory.mktemp("search") / "kms.db", body)
    return with_store(postgres.empty_database(), body)


def test_what_has_the_value_is_found_and_nothing_else(answers):
    assert {field: answers[field] for field in VALUES} == {field: field for field in VALUES}


@pytest.mark.parametrize("name", RANGES)
def test_two_dates_are_a_range(answers, name):
    expected = {
        field: " ".join(f"{field} {date}" for date in RANGES[name][2].split()) for field in DATES
    }
    assert {field: answers[field, name] for field in DATES} == expected


@pytest.mark.parametrize("archived", [True, False])
def test_destroyed_object_is_found_whatever_its_archive_date(place, archived):
    """One may have been imported with an Archive Date; it is destroyed, and neither archived nor on-line."""
    gone = {"state": State.DESTROYED, "sealed": None}
    stock = [
        an_object("dated", attributes=Attributes(archive_date=1), **gone),
        an_object("undated", **gone),
        an_object("archived", attributes=Attributes(archive_date=1)),
        an_object("on-line"),
    ]
    found = located(place, stock, seeking(states=frozenset(State), archived=archived))
    assert found.split() == sorted(["dated", "undated", "archived" if archived else "on-line"])


def of(tag, *children):
    return ObjectFilter(attributes=(structure(tag, *children),))


def text(tag, value):
    return Node(tag, ItemType.TEXT_STRING, value)


def choice(tag, value):
    return Node(tag, ItemType.ENUMERATION, value)


TWO_LINKS = Attributes(
    links=(Link(LinkType.PRIVATE_KEY_LINK, "a"), Link(LinkType.PUBLIC_KEY_LINK, "b"))
)
LINKED = [
    an_object("two", attributes=TWO_LINKS),
    an_object("one", attributes=Attributes(links=(Link(LinkType.PRIVATE_KEY_LINK, "b"),))),
    an_object("none", attributes=Attributes()),
]
KIND = choice("LinkType", int(LinkType.PRIVATE_KEY_LINK))
TO_B = text("LinkedObjectIdentifier", "b")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(of("Link", TO_B), "one two", id="by its object"),
        pytest.param(of("Link", KIND), "one two", id="by its type"),
        pytest.param(of("Link", KIND, TO_B), "one", id="both of the same link"),
        pytest.param(
            ObjectFilter(attributes=(structure("Link", TO_B), structure("Link", KIND))),
            "one two",
            id="two links, or one that is both",
        ),
        pytest.param(
            seeking(links=TWO_LINKS.links), "two", id="two links"
        ),
    ],
)  # fmt: skip
def test_a_structure_matches_by_the_fields_that_are_given(place, wanted, found):
    assert located(place, LINKED, wanted) == found


def test_a_link_given_twice_to_one_object_is_one_match(place):
    twice = (Link(LinkType.PRIVATE_KEY_LINK, "b"), Link(LinkType.PUBLIC_KEY_LINK, "b"))
    assert (
        located(place, [an_object("1", attributes=Attributes(links=twice))], of("Link", TO_B))
        == "1"
    )


LIMITED = [
    an_object(f"{total}-{left}", attributes=Attributes(usage_limits=UsageLimits(total, left)))
    for total, left in ((100, 100), (100, 10), (1000, 10))
]


@pytest.mark.parametrize(
    ("total", "left", "found"),
    [(100, None, "100-10 100-100 1000-10"), (101, None, "1000-10"), (100, 11, "100-100")],
)
def test_usage_limits_match_what_is_as_large_or_larger(place, total, left, found):
    assert located(place, LIMITED, seeking(usage_limits=UsageLimits(total, left))) == found


def dated(state, activation, deactivation):
    dates = Attributes(activation_date=activation, deactivation_date=deactivation)
    return an_object(f"{state.name}-{activation}-{deactivation}", state=state, attributes=dates)


#: What becomes of its dates → an object, and its state at 10.
DATED = {
    "no dates": (dated(State.PRE_ACTIVE, None, None), State.PRE_ACTIVE),
    "to be activated": (dated(State.PRE_ACTIVE, 11, None), State.PRE_ACTIVE),
    "activated": (dated(State.PRE_ACTIVE, 10, None), State.ACTIVE),
    "not over yet": (dated(State.PRE_ACTIVE, 10, 11), State.ACTIVE),
    "over": (dated(State.PRE_ACTIVE, 9, 10), State.DEACTIVATED),
    "never activated": (dated(State.PRE_ACTIVE, None, 10), State.PRE_ACTIVE),
    "active and over": (dated(State.ACTIVE, None, 10), State.DEACTIVATED),
    "active before its time": (dated(State.ACTIVE, 11, 11), State.ACTIVE),
    "compromised": (dated(State.COMPROMISED, 9, 9), State.COMPROMISED),
    "destroyed": (dated(State.DESTROYED, 9, None), State.DESTROYED),
}


def test_dates_that_have_passed_count_for_the_state(place):
    assert {name: dates.state_at(one, 10) for name, (one, _) in DATED.items()} == {
        name: at_10 for name, (_, at_10) in DATED.items()
    }

    async def body(store):
        await store.commit([Insert(one) for one, _ in DATED.values()])
        for state in State:
            expected = {one.uid: one for one, at_10 in DATED.values() if at_10 is state}
            wanted = ObjectFilter(states=frozenset({state}))
            total, found = await locate(
                store, LocateSearch(wanted, principal=ALICE, offset=0, maximum=99, now=10)
            )
            assert (total, set(found)) == (len(expected), set(expected)), state
            tagged = await store.find_tagged(
                TagSearch(frozenset({"_kk"}), principal=ALICE, states=frozenset({state}), now=10)
            )
            assert {each.uid: each for each in tagged} == expected, state
            assert len(tagged) == len(expected), state

    with_store(place, body)


HOSTILE = ["' OR '1'='1", "'; DROP TABLE objects; --", "%", "_", '"', "\\\\", "\0", "$1", ":x", "?"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_is_taken_for_sql(place, hostile):
    other = an_object(
        "other", attributes=replace(Attributes(), comment="plain", names=(Name("p"),))
    )
    same = Attributes(
        comment=hostile,
        names=(Name(hostile),),
        object_groups=(hostile,),
        vendor_attributes=(VendorAttribute.of_bytes(hostile, hostile, hostile.encode()),),
    )
    one = an_object("one", attributes=same)
    held = {each.name: getattr(same, each.name) for each in dataclasses.fields(Attributes)}

    async def body(store):
        await store.commit([Insert(other), Insert(one)])
        assert await found_in(store, seeking(**held)) == "one"
        assert await found_in(store, seeking(unique_identifier=hostile)) == ""
        assert await found_in(store, seeking(comment="plain")) == "other"

    with_store(place, body)


def test_object_types_are_told_apart(place):
    async def body(store):
        await store.commit([Insert(an_object(each.name, object_type=each)) for each in ObjectType])
        return {each: await found_in(store, seeking(object_type=each)) for each in ObjectType}

    assert with_store(place, body) == {each: each.name for each in ObjectType}


def shape_of(wanted, **asked):
    values = {"principal": ALICE, "offset": 0, "maximum": 10, "now": 1, **asked}
    return search.shape_locate(LocateSearch(wanted, **values))[0]


NAMED = seeking(names=(Name("n"),), cryptographic_length=128, tags={"t"})


@each_row(
    ("wanted", "asked", "is_same"),
    [
        pytest.param(
            seeking(names=(Name("m"),), cryptographic_length=256, tags={"u"}), {}, True, id="values"
        ),
        pytest.param(
            replace(NAMED, attributes=NAMED.attributes[::-1]), {}, True, id="order of attributes"
        ),
        pytest.param(
            NAMED, {"principal": BOB, "offset": 5, "maximum": 7, "now": 9}, True, id="page, moment"
        ),
        pytest.param(
            seeking(alternative_names=(AlternativeName("n", 1),), cryptographic_length=128, tags={"t"}),
            {}, True, id="another attribute of two texts",
        ),
        pytest.param(seeking(names=(Name("n"),), tags={"t"}), {}, False, id="one fewer"),
        pytest.param(
            replace(NAMED, tags=frozenset({"t", "u"})), {}, False, id="one tag more"
        ),
        pytest.param(
            replace(NAMED, states=frozenset({State.ACTIVE})), {}, False, id="state"
        ),
        pytest.param(NAMED, {"now": None}, False, id="no moment"),
    ],
)  # fmt: skip
def test_searches_that_differ_in_values_alone_are_one_statement(wanted, asked, is_same):
    assert (shape_of(wanted, **asked) == shape_of(NAMED)) is is_same


def test_as_many_statements_are_kept_as_are_of_use_whatever_clients_search_by(monkeypatch):
    monkeypatch.setattr(search, "_MAX_SHAPES", 2)
    statements = SearchStatements(SQLITE).locate
    shapes = [shape_of(ObjectFilter(tags=frozenset(map(str, range(n))))) for n in range(3)]

    async def body():
        first = [await statements.get(shape, principal="alice") for shape in shapes]
        assert [await statements.get(shape, principal="alice") for shape in shapes[1:]] == first[1:]
        again = await statements.get(shapes[0], principal="alice")
        assert again is not first[0]
        assert again.text == first[0].text

    run(body())
