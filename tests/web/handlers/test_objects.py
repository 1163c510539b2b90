"""`/objects` and `/audit/statistics` over HTTP: who is told what, in which pages, and how it is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from ...issuer import Issuer
from ...kmip_items import attributes, date, name, octets, structure, tagged, text, uid
from ...server import ServerProcess, eventually, serving, trusting
from ...support import Response

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
SOON = "2020-01-01T00:00:00Z"


class Users:
    """Asks the server in the names of users."""

    def __init__(self, server: ServerProcess, issuer: Issuer) -> None:
        self.server, self.issuer = server, issuer

    def get(self, user: str, path: str, **parameters: str) -> Response:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.server.client.get(path + query, token=self.issuer.token(aud="kms", sub=user))

    def post(self, user: str, item: Any, path: str = "/kmip_2_1") -> Response:
        token = self.issuer.token(aud="kms", sub=user)
        return self.server.client.post(path, token=token, body=json.dumps(item).encode())

    def create(self, user: str, key: str, *more: Any, named: str = "") -> None:
        if named:
            kind = name("NameType", "UninterpretedTextString")
            more = (*more, structure("Name", text("NameValue", named), kind))
        made = attributes(text("UniqueIdentifier", key), *more, bits=256, mask=12)
        answer = self.post(user, structure("Create", name("ObjectType", "SymmetricKey"), made))
        assert answer.status == 200, answer.text

    def grant(self, user: str, key: str, to: str, *operations: str) -> None:
        body = {"unique_identifier": key, "user_id": to, "operation_types": [*operations]}
        assert self.post(user, body, "/access/grant").status == 200

    def list(self, user: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self.get(user, "/objects", **parameters)
        assert answer.status == 200, answer.text
        return list(answer.json())

    def names(self, user: str, **parameters: str) -> list[str]:
        return [item["object_id"] for item in self.list(user, **parameters)]


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    directory = tmp_path_factory.mktemp("objects")
    with Issuer("ES256") as issuer:
        options = trusting(issuer, "--data-dir", str(directory / "data"), "--auditors", CAROL)
        with serving(*options, cwd=directory) as server:
            made = Users(server, issuer)
            made.create(ALICE, "invoices", tagged("Billing"), named="Rechnungen Süd")
            made.create(ALICE, "waits", date("ActivationDate", "2999-01-01T00:00:00Z"))
            made.create(ALICE, "over", date("ActivationDate", SOON), date("DeactivationDate", SOON))
            made.create(ALICE, "secret-one", named="hidden words")
            made.create(BOB, "bobs")
            made.grant(ALICE, "invoices", BOB, "get_attributes", "encrypt")
            made.grant(ALICE, "secret-one", BOB, "encrypt")
            yield made


def test_owner_sees_what_people_know_a_key_by(users: Users) -> None:
    (key,) = users.list(ALICE, text="invoices")
    assert (key["names"], key["tags"]) == (["Rechnungen Süd"], ["Billing"])
    assert key["attributes"]["CryptographicAlgorithm"] == "AES"
    assert (key["owner_id"], key["state"], key["uses"]) == (ALICE, "Active", 0)


@pytest.mark.parametrize("words", ["INVOICE", "süd", "bill", ""])
def test_text_is_searched_in_identifier_name_and_tag(users: Users, words: str) -> None:
    assert "invoices" in users.names(ALICE, text=words)
    assert users.names(ALICE, text="no such words") == []


def test_states_are_those_of_this_moment(users: Users) -> None:
    assert users.names(ALICE, state="PreActive") == ["waits"]
    assert users.names(ALICE, state="Deactivated") == ["over"]
    assert users.names(ALICE, state="PreActive,Deactivated") == ["over", "waits"]
    assert users.names(ALICE, type="Certificate") == []


def test_pages_follow_the_link_to_the_end(users: Users) -> None:
    whole = users.names(ALICE)
    found: list[str] = []
    answer = users.get(ALICE, "/objects", limit="1")
    for _ in range(20):
        found += [item["object_id"] for item in answer.json()]
        link = answer.headers["Link"]
        if link is None:
            break
        path = link.removeprefix("<").partition(">")[0]
        answer = users.get(ALICE, f"/objects{path}")
    assert found == whole
    assert len(whole) == 4


def test_grantee_sees_and_finds_no_attributes_without_the_right_to_them(users: Users) -> None:
    told = {item["object_id"]: item for item in users.list(BOB, of="obtained")}
    assert set(told) == {"invoices", "secret-one"}
    assert told["invoices"]["names"] == ["Rechnungen Süd"]
    assert told["secret-one"].keys() == {
        "object_id", "owner_id", "state", "is_wrapped", "operations", "granted_to"
    }  # fmt: skip
    assert users.names(BOB, of="obtained", text="hidden words") == []
    assert users.names(BOB, of="obtained", text="secret") == ["secret-one"]
    assert users.names(BOB, of="obtained", type="SymmetricKey") == ["invoices"]


def test_nobody_is_told_of_what_is_none_of_theirs(users: Users) -> None:
    assert users.names(BOB) == ["bobs"]
    assert users.names(CAROL) == users.names(CAROL, of="obtained") == []


def test_attention_is_told_to_owners_with_its_reason(users: Users) -> None:
    (key,) = users.list(ALICE, attention="true")
    assert key["attention"] == [{"reason": "pre_active", "at": "2999-01-01T00:00:00Z"}]
    assert users.get(BOB, "/objects", of="obtained", attention="true").status == 400


def test_owner_asks_what_somebody_may_do(users: Users) -> None:
    told = {key["object_id"]: key for key in users.list(ALICE, grantee=BOB)}
    assert set(told) == {"invoices", "secret-one"}
    assert told["invoices"]["grants"] == [
        {"user_id": BOB, "operations": ["encrypt", "get_attributes"]}
    ]
    assert told["invoices"]["shared_with"] == 1
    assert users.names(ALICE, grantee=CAROL) == users.names(BOB, grantee=BOB) == []
    assert users.get(BOB, "/objects", of="obtained", grantee=BOB).status == 400


def test_summary_counts_the_caller_s_own(users: Users) -> None:
    assert users.get(ALICE, "/objects/summary").json() == {
        "objects": 4,
        "states": {"Active": 2, "Deactivated": 1, "PreActive": 1},
        "types": {"SymmetricKey": 4},
        "deactivating_soon": 0,
    }
    assert users.get(CAROL, "/objects/summary").json()["objects"] == 0


def test_wrong_parameter_is_named(users: Users) -> None:
    answer = users.get(ALICE, "/objects", state="active")
    assert answer.status == 400
    assert answer.json()["error_description"].startswith("state: some of PreActive, Active")
    for path in ("/objects", "/objects/summary"):
        assert users.get(ALICE, f"{path}?text=%ff").status == 400
        assert users.get(ALICE, path, owner=BOB).status == 400


def test_cursor_tells_nothing_and_is_for_its_user_alone(users: Users) -> None:
    link = users.get(ALICE, "/objects", limit="1").headers["Link"]
    cursor = parse_qs(link.partition(">")[0].partition("?")[2])["cursor"][0]
    assert len(users.list(ALICE, limit="1", cursor=cursor)) == 1
    assert len(cursor) == 43
    for user, wrong in ((BOB, cursor), (ALICE, cursor[::-1]), (ALICE, "1.2")):
        answer = users.get(user, "/objects", limit="1", cursor=wrong)
        assert answer.status == 400
        assert answer.json()["error_description"].startswith("cursor: take it from the link")


def test_statistics_count_what_the_caller_may_read(users: Users) -> None:
    item = structure("Encrypt", uid("invoices"), octets("Data", b"x"))
    assert users.post(BOB, item).status == 200
    assert users.post(CAROL, item).status == 422

    def count(user: str, **parameters: str) -> dict[str, Any]:
        return dict(users.get(user, "/audit/statistics", **parameters).json())

    def is_there() -> bool:
        told = count(ALICE, uid="invoices", operation="Encrypt")
        return bool(told["results"] == {"Failed": 1, "Success": 1})

    eventually(is_there)
    (step,) = count(ALICE, uid="invoices", operation="Encrypt", step="day")["steps"]
    assert (step["uses"], step["results"]) == (1, {"Failed": 1, "Success": 1})
    assert count(BOB, operation="Encrypt")["results"] == {"Success": 1}
    assert count(BOB, operation="Encrypt", principal=CAROL)["results"] == {}
    assert count(CAROL, operation="Encrypt")["results"] == {"Failed": 1, "Success": 1}
    assert users.get(BOB, "/audit/statistics", step="week").status == 400


def test_who_reads_lists_and_numbers_is_recorded(users: Users) -> None:
    users.list(BOB)
    users.get(BOB, "/objects/summary")
    users.get(BOB, "/audit/statistics")

    def operations() -> set[str]:
        lines = users.get(BOB, "/audit", principal=BOB, limit="50").body.splitlines()
        return {json.loads(line)["operation"] for line in lines}

    eventually(lambda: {"ObjectList", "ObjectSummary", "AuditStatistics"} <= operations())
