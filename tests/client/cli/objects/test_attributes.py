"""attributes get, set, modify, delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.structures import Name

from ..runner import Kmsctl

IN_2099 = 4_070_908_800


@pytest.fixture
def key(client: KMSClient) -> str:
    return client.create_symmetric_key()


def shown(kmsctl: Kmsctl, key: str) -> dict[str, object]:
    document = json.loads(kmsctl("attributes", "get", key, "--json").stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(
    "way", [["KEY"], ["--id", "KEY"], ["-i", "KEY"], ["--tag", "got by tag"]], ids=" ".join
)
def test_get_prints_a_single_attribute_bare(
    alice: Kmsctl, client: KMSClient, key: str, way: list[str]
) -> None:
    if "--tag" in way:
        client.create_symmetric_key(tags=["got by tag"])
    words = [key if word == "KEY" else word for word in way]
    assert alice("attributes", "get", *words, "-a", "State").lines == ["Active"]
    assert alice("attributes", "get", *words, "--attribute", "cryptographic length").lines == [
        "256"
    ]


def test_get_prints_names_and_values(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(name="n", tags=["b", "a"])
    outcome = alice("attributes", "get", key, "-a", "Name", "-a", "Tag", "-a", "State")
    assert outcome.lines == ["Name\tn", "State\tActive", "Tag\ta,b"]
    assert alice("attributes", "get", key, "-a", "Tag").lines == ["a,b"]


def test_get_shows_times_in_utc_to_programs_and_in_local_time_to_people(
    alice: Kmsctl, key: str
) -> None:
    alice("attributes", "set", key, "DeactivationDate=2090-01-01T00:00:00Z")
    argv = ("attributes", "get", key, "-a", "DeactivationDate")
    assert alice(*argv).lines == ["2090-01-01T00:00:00Z"]
    assert json.loads(alice(*argv, "--json").stdout) == {"DeactivationDate": "2090-01-01T00:00:00Z"}
    assert alice.terminal(*argv, TZ="Asia/Tokyo").stdout == "2090-01-01 09:00:00+09:00\n"


def test_get_writes_a_file(alice: Kmsctl, key: str, tmp_path: Path) -> None:
    file = tmp_path / "attributes.json"
    assert alice("attributes", "get", key, "-o", file).stdout == ""
    assert json.loads(file.read_text())["UniqueIdentifier"] == key


def test_get_shows_links_of_one_type(alice: Kmsctl, client: KMSClient) -> None:
    pair = client.create_key_pair("EC", curve="P-256")
    for link_type in ("PublicKeyLink", "public-key"):  # as ckms writes it
        outcome = alice("attributes", "get", pair.private_key, "-a", "Link", "-l", link_type)
        assert outcome.lines == [f"PublicKeyLink:{pair.public_key}"]
    assert (
        alice("attributes", "get", pair.private_key, "-a", "Link", "-l", "ParentLink").lines == []
    )


def test_set_takes_names_and_values(alice: Kmsctl, key: str) -> None:
    outcome = alice(
        "attributes", "set", key, "description=for bob", "RotateInterval=90d", "Tag=x,y"
    )
    assert outcome.lines == [key]
    now = shown(alice, key)
    assert (now["Description"], now["RotateInterval"], now["Tag"]) == (
        "for bob",
        7776000,
        ["x", "y"],
    )


def test_set_replaces_the_one_name_and_the_link_of_its_type(
    alice: Kmsctl, client: KMSClient, key: str
) -> None:
    others = [client.create_symmetric_key() for _ in range(3)]
    alice("attributes", "set", key, "Name=first", f"Link=ParentLink:{others[0]}")
    alice("attributes", "set", key, "Name=second", f"Link=ChildLink:{others[1]}")
    alice("attributes", "set", key, f"Link=ParentLink:{others[2]}")
    assert alice("attributes", "get", key, "-a", "Name").lines == ["second"]
    assert alice("attributes", "get", key, "-a", "Link").lines == [
        f"ParentLink:{others[2]}",
        f"ChildLink:{others[1]}",
    ]


@pytest.mark.parametrize(
    ("flags", "attribute", "value"),
    [
        (["--name", "by flag"], "Name", "by flag"),
        (["--activation-date", "4102444800"], "ActivationDate", "2100-01-01T00:00:00Z"),
        (["-d", "2100-01-01T00:00:00Z"], "ActivationDate", "2100-01-01T00:00:00Z"),
        (["-v", "acme", "-n", "room", "--attribute-value", "00ff"], "acme:room", "00ff"),
        (["--public-key-id", "OTHER"], "Link", "PublicKeyLink:OTHER"),
        (["--parent-id", "OTHER"], "Link", "ParentLink:OTHER"),
        (["--sensitive", "true"], "Sensitive", "true"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_set_takes_ckms_s_flags(
    alice: Kmsctl, client: KMSClient, flags: list[str], attribute: str, value: str
) -> None:
    key = client.create_symmetric_key(attributes=Attributes(activation_date=IN_2099))  # Pre-Active
    other = client.create_symmetric_key()
    outcome = alice("attributes", "set", "--id", key, *(f.replace("OTHER", other) for f in flags))
    assert (outcome.code, outcome.stderr) == (0, "")
    (line,) = alice("attributes", "get", key, "-a", attribute).lines
    assert line == value.replace("OTHER", other)


@pytest.mark.parametrize(
    ("flags", "attribute"),
    [
        (["--key-usage", "encrypt", "-u", "decrypt"], "CryptographicUsageMask"),
        (["--cryptographic-algorithm", "aes"], "CryptographicAlgorithm"),
        (["--cryptographic-length", "128"], "CryptographicLength"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_flags_for_what_the_server_keeps_are_refused_by_the_server(
    alice: Kmsctl, key: str, flags: list[str], attribute: str
) -> None:
    outcome = alice("attributes", "set", "--id", key, *flags)
    assert outcome.code == 1
    assert outcome.stderr.startswith("kmsctl: Attribute_Read_Only")
    assert attribute in outcome.stderr


def test_set_says_what_to_do_with_several_names(alice: Kmsctl, client: KMSClient, key: str) -> None:
    for name in ("one of two", "two of two"):
        client.add_attribute(key, AttributeInstance("names", Name(name)))
    outcome = alice("attributes", "set", key, "Name=only")
    assert outcome.code == 2
    assert "modify --current" in outcome.stderr
    assert alice("attributes", "modify", key, "Name=last", "--current", "Name=two of two").code == 0
    assert alice("attributes", "delete", key, "Name=one of two").lines == [key]
    assert alice("attributes", "get", key, "-a", "Name").lines == ["last"]


def test_modify_changes_what_is_there_and_nothing_else(alice: Kmsctl, key: str) -> None:
    outcome = alice("attributes", "modify", key, "Comment=new")
    assert (outcome.code, outcome.stdout) == (1, "")
    alice("attributes", "set", key, "Comment=old")
    assert alice("attributes", "modify", key, "Comment=new").lines == [key]
    assert alice("attributes", "get", key, "-a", "Comment").lines == ["new"]


def test_delete_takes_names_values_and_flags(alice: Kmsctl, key: str) -> None:
    alice("attributes", "set", key, "Comment=c", "Description=d", "Name=named", "acme:room=7")
    alice("attributes", "delete", "named", "Comment", "acme:room", "--attribute", "Description")
    assert alice("attributes", "delete", "--id", key, "--name", "named").lines == [key]
    assert shown(alice, key).keys().isdisjoint({"Comment", "Description", "Name", "acme:room"})


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["set", "KEY"], "no attribute is named", id="nothing to set"),
        pytest.param(["set", "KEY", "Nmae=x"], "did you mean Name?", id="misspelt"),
        pytest.param(["set", "KEY", "Name"], "not NAME=VALUE", id="no value"),
        pytest.param(["set", "KEY", "Sensitive=maybe"], "true or false", id="no boolean"),
        pytest.param(["get"], "no key is named", id="no key"),
        pytest.param(["get", "KEY", "--id", "KEY"], "twice", id="named twice"),
        pytest.param(["get", "KEY", "--tag", "x"], "one of the two", id="by identifier and tag"),
        pytest.param(["set", "KEY", "-v", "acme"], "belong together", id="vendor alone"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(
    alice: Kmsctl, key: str, argv: list[str], words: str
) -> None:
    outcome = alice(
        "attributes",
        *(key if word == "KEY" else word for word in argv),
        KMS_URL="http://127.0.0.1:1",
    )
    assert outcome.code == 2
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
