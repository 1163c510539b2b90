"""Query and DiscoverVersions: what is there is claimed, and nothing else."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.tables import ENUMERATIONS, OPERATION_TAGS
from kms_tornado.service.catalogue import select_operations

from ..kmip_items import Fields, name, number, structure, uid
from ..rows import each_row

OPERATIONS = select_operations(kmip_interop=False)


def test_query_claims_the_operation_table_and_nothing_else(alice):
    found = alice.do("Query", name("QueryFunction", "QueryOperations"))
    claimed = {item["value"] for item in found.item["value"]}
    assert claimed == {OPERATION_TAGS[operation] for operation in OPERATIONS}


@each_row(
    ("function", "tags"),
    [
        ("QueryObjects", {"ObjectType"}),
        ("QueryServerInformation", {"VendorIdentification", "ServerInformation"}),
        ("QueryRNGs", {"RNGParameters"}),
        ("QueryProfiles", {"ProfileInformation"}),
        ("QueryCapabilities", {"CapabilityInformation"}),
        ("QueryStorageProtectionMasks", {"ProtectionStorageMask"}),
        *((f"Query{each}", set()) for each in (
            "ApplicationNamespaces", "ExtensionList", "ExtensionMap", "AttestationTypes",
            "Validations", "ClientRegistrationMethods", "DefaultsInformation",
        )),
    ],
)  # fmt: skip
def test_query_answers_each_question_and_no_other(alice, function, tags):
    found = alice.do("Query", name("QueryFunction", function))
    assert {item["tag"] for item in found.item["value"]} == tags


def test_query_answers_several_questions_at_once(alice):
    asked = [name("QueryFunction", each) for each in ("QueryObjects", "QueryRNGs")]
    found = alice.do("Query", *asked, *asked)
    assert [item["tag"] for item in found.item["value"]].count("RNGParameters") == 1
    assert found.get("RNGParameters")


def test_object_types_are_those_that_some_operation_works_on(alice):
    found = alice.do("Query", name("QueryFunction", "QueryObjects"))
    claimed = {item["value"] for item in found.item["value"]}
    held = {each for operation in OPERATIONS for each in OPERATIONS[operation].object_types}
    assert claimed == {ENUMERATIONS["ObjectType"].oasis[each] for each in held}


def test_profiles_that_need_the_permissive_policy_are_claimed_with_it_alone(alice):
    found = alice.do("Query", name("QueryFunction", "QueryProfiles"))
    claimed = [Fields(each)["ProfileName"] for each in found.item["value"]]
    assert "SymmetricKeyLifecycleServer" in claimed
    assert "BasicCryptographicServer" not in claimed


@each_row("tag", sorted(set(OPERATION_TAGS.values()) - {
    OPERATION_TAGS[operation] for operation in OPERATIONS
}))  # fmt: skip
def test_what_query_does_not_claim_is_refused_by_name(alice, tag):
    assert alice.refused(tag, uid("x")).startswith(f"Operation_Not_Supported: {tag}")


def version(major, minor):
    return structure(
        "ProtocolVersion",
        number("ProtocolVersionMajor", major),
        number("ProtocolVersionMinor", minor),
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(
            [], [(2, 1), (2, 0), (1, 4), (1, 3), (1, 2), (1, 1), (1, 0)], id="all, the newest first"
        ),
        pytest.param([version(2, 1)], [(2, 1)], id="ours"),
        pytest.param(
            [version(3, 0), version(1, 4), version(2, 1)], [(1, 4), (2, 1)], id="among others"
        ),
        pytest.param([version(2, 0)], [(2, 0)], id="an older one"),
        pytest.param([version(1, 5), version(2, 2)], [], id="others"),
    ],
)
def test_versions_of_both_sides_are_discovered(alice, asked, found):
    answer = alice.do("DiscoverVersions", *asked)
    assert answer.item["value"] == [version(*each) for each in found]


def test_questions_about_the_server_need_no_object_but_a_user(kms, alice):
    assert alice.locate() == (0, [])
    for operation in ("Query", "DiscoverVersions", "Locate"):
        assert kms.nobody().send(structure(operation)).status == 401
